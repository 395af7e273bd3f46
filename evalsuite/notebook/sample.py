"""One sample of a run: what the model was asked, what it said, what was expected, how it scored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image, Text, images_within
from evalsuite.errors import EvalsuiteError
from evalsuite.model.reasoning import without_reasoning
from evalsuite.registry import Registry
from evalsuite.request import (
    ChoiceResponse,
    DocumentResponse,
    ImageResponse,
    Request,
    Response,
    ScoreChoices,
    TextResponse,
)
from evalsuite.running.resolving import built_task
from evalsuite.store import Record, RunReader
from evalsuite.task import Sample

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Turn:
    """One request with its answer.

    Args:
        request: None where the benchmark's data are not here.
        response: None where it failed; `error` then says why.
    """

    request: Request | None
    response: Response | None
    error: str = ""

    @property
    def asked(self) -> str:
        """The text of the last message; images stand as `[image]`, the prefill comes behind."""
        if self.request is None:
            return ""
        parts = self.request.messages[-1].parts
        text = "".join(part.text if isinstance(part, Text) else "[image]" for part in parts)
        return f"{text}{self.request.prefill}"

    @property
    def answered(self) -> str:
        """The answer as text; images stand as `[image]`, a choice as its text."""
        match self.response:
            case TextResponse(text=text):
                return text
            case ChoiceResponse() as chosen:
                output = self.request.output if self.request else None
                if isinstance(output, ScoreChoices) and chosen.best < len(output.choices):
                    return output.choices[chosen.best]
                return f"choice {chosen.best + 1}"
            case ImageResponse(images=images):
                return " ".join("[image]" for _ in images)
            case DocumentResponse(parts=parts):
                return "".join(part.text if isinstance(part, Text) else "[image]" for part in parts)
        return self.error

    @property
    def drawn(self) -> tuple[Image, ...]:
        """The images of the answer."""
        match self.response:
            case ImageResponse(images=images):
                return images
            case DocumentResponse(parts=parts):
                return tuple(part for part in parts if isinstance(part, Image))
        return ()


@dataclass(frozen=True, slots=True)
class SampleView:
    """A sample of one run; in a notebook it shows itself with its images, and all text as text.

    Args:
        model, task, id: where it is from.
        turns: requests and answers in their order.
        reference: what the answer is compared with; None where the benchmark's data are not here.
        scores: by column, in natural units; empty when it failed or is not scored.
        parsed: what the scorer understood.
        failure: why it has no score; empty when it has.
        labels: for breakdowns.
        note: why prompt and reference are missing; empty when they are not.
        pictured: images of the reference, of tasks that compare with images.
    """

    model: str
    task: str
    id: str
    turns: tuple[Turn, ...]
    reference: Any = None
    scores: Mapping[str, float] = field(default_factory=dict)
    parsed: str = ""
    failure: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    pictured: tuple[Image, ...] = ()

    @property
    def prompt(self) -> str:
        """What was asked first; see `Turn.asked`."""
        return self.turns[0].asked if self.turns else ""

    @property
    def images(self) -> tuple[Image, ...]:
        """The images of the prompts, each once."""
        found = [image for turn in self.turns if turn.request for image in turn.request.images]
        return tuple({id(image): image for image in found}.values())

    @property
    def response(self) -> Response | None:
        """The last answer; None when it failed."""
        return self.turns[-1].response if self.turns else None

    @property
    def answer(self) -> str:
        """The last answer as text; see `Turn.answered`."""
        return self.turns[-1].answered if self.turns else ""

    @property
    def expected(self) -> str:
        """The reference on one line; equal answers of several people are counted."""
        return "" if self.reference is None else _line(self.reference)

    @property
    def said(self) -> str:
        """All answers as text, with a bar between those of several turns."""
        return " | ".join(turn.answered for turn in self.turns)

    @property
    def drawn(self) -> tuple[Image, ...]:
        """The images of the answers."""
        return tuple(image for turn in self.turns for image in turn.drawn)

    def _repr_html_(self) -> str:
        from evalsuite.notebook.html import sample_html

        return sample_html(self)


def _line(reference: Any) -> str:
    if isinstance(reference, Mapping):
        if set(reference) == {"image", "sha256"}:
            return str(reference["image"])
        return "; ".join(f"{name}: {_line(value)}" for name, value in reference.items())
    if isinstance(reference, list | tuple):
        counts = Counter(map(_line, reference))
        return ", ".join(text if count == 1 else f"{text} ({count})" for text, count in counts.items())
    return str(reference)


def views(
    run: RunReader,
    key: str,
    wanted: Iterable[str],
    registry: Registry | None = None,
    judge: str | None = None,
) -> Iterator[SampleView]:
    """The samples of a task with these ids, in the order asked for; without a record they are left out.

    Args:
        judge: whose scores are shown; None takes the first judge that there is, where one judges.

    Prompts and references come from the benchmark's data; where those are not here, the views carry a note.
    """
    ids = list(dict.fromkeys(wanted))
    record = run.manifest.task(key)
    stored = {name: steps for name in ids if (steps := run.steps(key, name))}
    note, shown = "", {}
    try:
        shown = _from_data(run, key, stored, registry)
    except EvalsuiteError as error:
        note = str(error)
    if judge is None:
        judge = next(iter(judges_of(run, key, record.info.rules)), None)
    rows = _score_rows(run, key, record.info.rules, judge, set(stored))
    for name, steps in stored.items():
        alone = tuple(Turn(None, s.response, s.error) for s in steps)
        turns, reference, pictured = shown.get(name, (alone, None, ()))
        row = rows.get(name, {})
        missing = note or ("" if name in shown else "The benchmark's data have no such sample.")
        yield SampleView(run.model_name, key, name, turns, reference, pictured=pictured, note=missing, **row)


def _from_data(
    run: RunReader, key: str, stored: Mapping[str, list[Record]], registry: Registry | None
) -> dict[str, tuple[tuple[Turn, ...], Any, tuple[Image, ...]]]:
    task = built_task(run, key, registry)
    found: dict[str, tuple[tuple[Turn, ...], Any, tuple[Image, ...]]] = {}
    for sample in task.samples():
        steps = stored.get(sample.id)
        if steps is None:
            continue
        turns: list[Turn] = []
        earlier: list[Response] = []
        for step in steps:
            before = tuple(map(without_reasoning, earlier))
            turns.append(Turn(task.request(sample, before), step.response, step.error))
            if step.response is not None:
                earlier.append(step.response)
        target = task.target(sample)
        found[sample.id] = (tuple(turns), target, _pictured(sample, target))
        if len(found) == len(stored):
            break
    return found


def _pictured(sample: Sample, target: Any) -> tuple[Image, ...]:
    """The sample's images that a target names by their digests."""
    wanted = list(dict.fromkeys(_digests(target)))
    if not wanted:
        return ()
    known = {image.sha256(): image for image in images_within(sample)}
    return tuple(known[digest] for digest in wanted if digest in known)


def _digests(target: Any) -> Iterator[str]:
    if isinstance(target, Mapping):
        if set(target) == {"image", "sha256"}:
            yield str(target["sha256"])
        else:
            for item in target.values():
                yield from _digests(item)
    elif isinstance(target, list | tuple):
        for item in target:
            yield from _digests(item)


def judges_of(run: RunReader, key: str, rules: str) -> list[str]:
    """The judges by whom a task is scored; empty where there is no judge."""
    return [r.judge for r in run.metrics() if (r.task, r.rules) == (key, rules) and r.judge]


def _score_rows(
    run: RunReader, key: str, rules: str, judge: str | None, wanted: set[str]
) -> dict[str, dict[str, Any]]:
    """The fields of `SampleView` that scoring gave; empty when the task is not scored."""
    try:
        table: pandas.DataFrame = run.scores(key, rules, judge)
    except EvalsuiteError:
        return {}
    found = {}
    for row in table[table["id"].isin(wanted)].to_dict("records"):
        fields: dict[str, dict[str, Any]] = {"value": {}, "label": {}}
        for column, value in row.items():
            kind, dot, name = str(column).partition(".")
            given = not (value is None or (isinstance(value, float) and math.isnan(value)))
            if dot and kind in fields and given:
                fields[kind][name] = value
        found[str(row["id"])] = {
            "scores": fields["value"],
            "labels": fields["label"],
            "parsed": row["parsed"],
            "failure": row["failure"],
        }
    return found
