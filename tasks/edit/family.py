"""Editing by instruction: a source image and what to do, measured against source, accepted result and
descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from evalsuite.content import Document
from evalsuite.errors import SampleError, SpecError, suggest
from evalsuite.request import GenerateImages, ImageResponse, Request, Response, fingerprint
from evalsuite.task import (
    Answered,
    FamilyTask,
    Located,
    Plan,
    Sample,
    Scores,
    TaskInfo,
    Value,
    fields_of,
    networks,
    require_columns,
)
from evalsuite.task.miniature import SceneTruth
from evalsuite.task.networks import Columns, NetworkSettings, choose_columns
from evalsuite.task.readers import Session, Turn, image_size

from .readers import DESCRIBES, READERS
from .scoring import Scorer
from .settings import ProtocolSettings, Settings

OPTIONS = networks.OPTIONS
IDENTICAL = "identical-captions"
"""Rule that leaves out rows whose two captions are one: the change of the text has no direction."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What is asked: instructions in a row, of which the last one's result is scored."""

    session: str
    turns: tuple[Turn, ...]

    @property
    def last(self) -> Turn:
        return self.turns[-1]


def build(plan: Plan) -> EditTask:
    """The task of an editing benchmark.

    Raises SpecError for a malformed file, UnavailableError when the headline's network is not here.
    """
    settings = plan.settings(Settings)
    name = plan.benchmark.name
    needs = require_columns(plan, settings.columns)
    output = plan.output()
    if not isinstance(output, GenerateImages) or output.count != 1:
        raise SpecError(f"{name}: editing asks for one image per turn.", "Correct the protocol's decoding.")
    for rule in plan.settings(ProtocolSettings, protocol=True).exclude:
        if rule != IDENTICAL and rule not in settings.exclude:
            raise SpecError(
                f"{name}: there is no rule {rule!r} to leave rows out.",
                suggest(rule, (IDENTICAL, *settings.exclude)),
            )
    described = _described(plan.source)

    def unavailable(column: str) -> str:
        if settings.columns[column].measure in ("text", "target text") and not described:
            return f"The source {plan.source.reader} has no descriptions of the results."
        return ""

    columns = choose_columns(plan, _networks(plan, settings), needs, unavailable)
    plan.source.paths(next(iter(plan.source.files)))
    return EditTask(plan, settings, columns)


def _networks(plan: Plan, settings: Settings) -> dict[str, NetworkSettings]:
    """The networks with the preprocessing that the scoring rule asks for. Raises SpecError."""
    found = dict(settings.networks)
    for key, preprocess in settings.rules.get(plan.rule_name, {}).items():
        if key not in found:
            raise SpecError(
                f"{plan.benchmark.name}: settings.rules.{plan.rule_name} names a network {key!r}.",
                suggest(key, found),
            )
        found[key] = found[key].model_copy(update={"preprocess": preprocess})
    return found


def _described(source: Located) -> bool:
    role, column = DESCRIBES.get(source.reader, ("", ""))
    return not (role or column) or source.has(role) or column in source.columns


class EditTask(FamilyTask):
    """An editing benchmark in one protocol; template fields: `image`, `instruction`, and the descriptions
    `source_prompt` and `target_prompt` where there are any."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self.turns = plan.settings(ProtocolSettings, protocol=True).turns
        self._exclude = plan.settings(ProtocolSettings, protocol=True).exclude
        self._reader = plan.reader(READERS)

    @property
    def info(self) -> TaskInfo:
        return self.columns.info

    @cached_property
    def _truth(self) -> SceneTruth | None:
        return SceneTruth.read(self.plan.source) if self.settings.truth else None

    @cached_property
    def excluded(self) -> dict[str, int]:
        """How many rows of the data the protocol leaves out, by rule."""
        found = dict.fromkeys(self._exclude, 0)
        for session in self._reader(self.plan.source) if found else ():
            rule = self._left_out(session)
            if rule:
                found[rule] += 1
        return found

    def _left_out(self, session: Session) -> str:
        """The rule by which a session is left out; "" for one that stays."""
        for rule in self._exclude:
            for turn in session.turns:
                captions = [turn.source_description.strip(), turn.description.strip()]
                if rule == IDENTICAL:
                    if captions[0] == captions[1]:
                        return rule
                elif any(caption in self.settings.exclude[rule] for caption in captions):
                    return rule
        return ""

    def _read(self) -> Iterator[Session]:
        return (one for one in self._reader(self.plan.source) if not self._left_out(one))

    def _samples(self) -> Iterator[Sample]:
        for session in self._read():
            length = {"turns": str(len(session.turns)), **session.labels}
            if self.turns == "multi":
                edit = Edit(session.id, session.turns)
                yield Sample(session.id, edit, cluster=session.id, labels=length | self._labels(edit))
                continue
            for turn in session.turns:
                edit = Edit(session.id, (turn,))
                labels = {"turn": str(turn.number)} | length | self._labels(edit)
                yield Sample(f"{session.id}-{turn.number}", edit, cluster=session.id, labels=labels)

    def _labels(self, edit: Edit) -> dict[str, str]:
        target = edit.last.target
        return self._truth.edit_labels(target.label) if self._truth and target else {}

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        """The next turn. Raises DataError for a broken source, SampleError where there is no instruction, or
        the turn before gave no image."""
        edit: Edit = sample.record
        if len(earlier) >= len(edit.turns):
            return None
        turn = edit.turns[len(earlier)]
        if not turn.instruction.strip() and "instruction" in fields_of(self.plan.protocol.template):
            raise SampleError(f"Edit {sample.id} has no instruction.", "Correct the data, or leave it out.")
        source = turn.source
        if earlier:
            before = earlier[-1]
            if not isinstance(before, ImageResponse) or not before.images:
                raise SampleError(f"Session {edit.session}: turn {len(earlier)} gave no image to edit.")
            source = before.images[0]
        values: Mapping[str, Value] = {
            "image": source,
            "instruction": turn.instruction,
            "source_prompt": turn.source_description,
            "target_prompt": turn.description,
        }
        request = self.plan.request(values)
        output = request.output
        assert isinstance(output, GenerateImages)
        if output.width is None or output.height is None:
            # The first image's size: what a model makes of it in a turn must not change what the next one
            # is.
            width, height = image_size(edit.turns[0].source)
            output = replace(output, width=output.width or width, height=output.height or height)
        return replace(request, output=output)

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The image that people accepted as the turn's result; None where the data have none."""
        target = sample.record.turns[len(earlier)].target
        return None if target is None else ImageResponse((target,))

    def target(self, sample: Sample) -> Any:
        last: Turn = sample.record.last
        found: dict[str, Any] = {"instructions": [turn.instruction for turn in sample.record.turns]}
        if last.target is not None:
            found["image"] = {"image": last.target.label, "sha256": last.target.sha256()}
        found["description"] = last.description
        if last.source_description:
            found["source_description"] = last.source_description
        if last.mask is not None:
            found["mask"] = fingerprint(list(last.mask))
        return found

    def reference(self, sample: Sample) -> Document:
        """The accepted result, for studies. Raises SampleError where there is none."""
        target = sample.record.last.target
        if target is None:
            raise SampleError(f"Edit {sample.id} has no accepted result.", "Leave the reference out.")
        return (target,)

    def score(self, answered: Iterable[Answered]) -> Scores:
        how = {name: self.settings.columns[name] for name in self.columns.computed}
        scorer = Scorer(self.columns, how, self._truth, self.plan.benchmark.by, self.excluded)
        return self.with_aggregates(scorer.score(answered))
