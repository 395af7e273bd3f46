"""Makes a study: which documents, in which order, under which names."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Protocol, runtime_checkable

from evalsuite.content import Document, Text
from evalsuite.durable import new_folder
from evalsuite.errors import DataError, SpecError
from evalsuite.registry import Registry, load_registry
from evalsuite.request import (
    DocumentResponse,
    ImageResponse,
    Request,
    Response,
    describe_document,
    fingerprint,
)
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.store import RunReader
from evalsuite.study.key import KEY, LEFT, PAGE, RIGHT, TIE, Item, Key, Mode, Source, read_key
from evalsuite.study.page import Shown, write_page
from evalsuite.task import Sample, Task

QUESTIONS: Mapping[Mode, str] = {
    "rate": "Could this have been made by a person?",
    "compare": "Which of the two do you prefer?",
}
"""Neutral defaults. The wording of the DreamLLM paper's study is not known."""
_REMEDY = "Choose another --out, or remove it."
REFERENCE = "reference"
"""The name of the true documents among the sources."""


@runtime_checkable
class ShowsReference(Protocol):
    """A task that can show what people made; optional."""

    def reference(self, sample: Sample) -> Document:
        """The true document or image of a sample. Raises SampleError where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Design:
    """How a study is made.

    Args:
        mode: `rate` shows documents one by one, `compare` two of different sources side by side.
        count: samples; the same of every source.
        question: that raters answer; None for the neutral default.
        answers: of `rate`, at least two; the share of the first is reported.
        ties: in `compare`, whether "no preference" is an answer.
        label: of samples that topics come from; the count is spread evenly over them. None: `topic`, where
            samples have it.
        reference: show the true documents too, as one more source.
        seed: of the choice of samples, their order, sides and names.
    """

    mode: Mode = "rate"
    count: int = 150
    question: str | None = None
    answers: tuple[str, ...] = ("yes", "no")
    ties: bool = True
    label: str | None = None
    reference: bool = False
    seed: int = 0


def make(
    runs: Sequence[Path],
    out: Path,
    *,
    task: str | None = None,
    design: Design = Design(),
    registry: Registry | None = None,
) -> Key:
    """Writes the page of a study and its key into a folder that is empty, does not exist, or holds the same
    study.

    Raises:
        SpecError: the runs have no such task, nothing to show, or two runs are of one name; a design that
            cannot be.
        DataError: the benchmark's data, from which prompts come, are missing; an image is broken.
        StoreError: a run cannot be read, or the folder cannot be written or is not empty.
    """
    _check(design)
    with ExitStack() as stack:
        readers = [stack.enter_context(RunReader(path)) for path in runs]
        registry = registry or load_registry(plugin for r in readers for plugin in r.spec.plugins)
        key = task or _first_drawing(readers)
        specs = dict(zip(task_keys(readers[0].spec), readers[0].spec.tasks, strict=True))
        if any(key not in reader.task_keys for reader in readers):
            known = ", ".join(readers[0].task_keys)
            raise SpecError(f"Not all of these runs have a task {key!r}.", f"The first has: {known}.")
        built = build_task(specs[key], registry)
        answered = set.intersection(*(reader.answered(key) for reader in readers))
        samples = [sample for sample in built.samples() if sample.id in answered]
        rng = random.Random(design.seed)
        label = _label(samples, design.label)
        chosen = _spread(samples, label, design.count, rng)
        if not chosen:
            raise SpecError(f"Task {key!r} has no sample that all runs answered.", "Finish the runs first.")
        sources = _sources(readers, design.reference)
        shown = {
            (sample.id, name): content
            for sample in chosen
            for name, content in _contents(built, sample, readers, key, design.reference).items()
        }
        prompts = {sample.id: _prompt(built, sample) for sample in chosen}
        info = next(record.info for record in readers[0].manifest.tasks if record.key == key)
    names = [source.name for source in sources]
    items = _items(chosen, names, label, design.mode, rng)
    made = [
        [item.id, [describe_document(shown[item.sample, name]) for name in item.sources]] for item in items
    ]
    study = Key(
        study=fingerprint([asdict(design), made])[:16],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        mode=design.mode,
        question=design.question or QUESTIONS[design.mode],
        answers=design.answers if design.mode == "rate" else (LEFT, RIGHT, *((TIE,) if design.ties else ())),
        task=key,
        protocol=info.protocol,
        label=label,
        seed=design.seed,
        sources=sources,
        items=items,
    )
    pages = [
        Shown(item.id, prompts[item.sample], tuple(shown[item.sample, name] for name in item.sources))
        for item in study.items
    ]
    with new_folder(
        out, partial(_is_same, study=study), what="this study", made=(PAGE, KEY), remedy=_REMEDY
    ) as folder:
        write_page(study, pages, folder, rng)
        study.save(folder)
    return study


def _is_same(folder: Path, study: Key) -> bool:
    """Whether a folder holds this very study; another one's votes could not be read without its key."""
    try:
        return read_key(folder).study == study.study
    except DataError:
        return False


def _check(design: Design) -> None:
    if design.count < 1:
        raise SpecError("A study needs at least one sample.", "Give -n a number of 1 or more.")
    answers = [answer.strip() for answer in design.answers]
    if len(answers) < 2 or len(set(answers)) < len(answers) or not all(answers):
        raise SpecError(
            f"The answers {', '.join(design.answers) or '(none)'} are not two or more different ones.",
            "Write --answers yes,no.",
        )


def _first_drawing(readers: Sequence[RunReader]) -> str:
    for record in readers[0].manifest.tasks:
        if record.info.generates_images:
            return record.key
    raise SpecError("These runs have no documents or images to show.", "Name a task with --task.")


def _sources(readers: Sequence[RunReader], reference: bool) -> tuple[Source, ...]:
    found = [
        Source(
            name=reader.model_name,
            run=str(reader.path),
            model_fingerprint=reader.manifest.model.fingerprint if reader.manifest.model else "",
        )
        for reader in readers
    ]
    found += [Source(name=REFERENCE)] if reference else []
    names = [source.name for source in found]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(
                f"Two of the sources are called {name!r}.",
                "Give the models names of their own (--option name=…).",
            )
    return tuple(found)


def _label(samples: Sequence[Sample], wanted: str | None) -> str:
    have = {name for sample in samples for name in sample.labels}
    if wanted is None:
        return "topic" if "topic" in have else ""
    if samples and wanted not in have:
        raise SpecError(
            f"Samples have no label {wanted!r}.", f"They have: {', '.join(sorted(have)) or 'none'}."
        )
    return wanted


def _spread(samples: Sequence[Sample], label: str, count: int, rng: random.Random) -> list[Sample]:
    """`count` samples, as evenly over the topics as there are samples, in random order."""
    topics: dict[str, list[Sample]] = {}
    for sample in samples:
        topics.setdefault(sample.labels.get(label, ""), []).append(sample)
    groups = [topics[name] for name in sorted(topics)]
    for group in groups:
        rng.shuffle(group)
    chosen: list[Sample] = []
    while len(chosen) < count and any(groups):
        for group in rng.sample(groups, len(groups)):
            if group and len(chosen) < count:
                chosen.append(group.pop())
    rng.shuffle(chosen)
    return chosen


def _items(
    samples: Sequence[Sample], names: Sequence[str], label: str, mode: Mode, rng: random.Random
) -> tuple[Item, ...]:
    if mode == "compare" and len(names) < 2:
        raise SpecError("Comparing needs two runs, or one run and --reference.", "Name another run.")
    found = []
    for sample in samples:
        groups = [(name,) for name in names] if mode == "rate" else list(combinations(names, 2))
        for group in groups:
            sides = tuple(rng.sample(group, len(group)))
            topic = sample.labels.get(label, "")
            found.append(Item(id=f"{rng.getrandbits(48):012x}", sample=sample.id, topic=topic, sources=sides))
    rng.shuffle(found)
    return tuple(found)


def _contents(
    task: Task, sample: Sample, readers: Sequence[RunReader], key: str, reference: bool
) -> dict[str, Document]:
    found = {}
    for reader in readers:
        responses = [record.response for record in reader.steps(key, sample.id)]
        found[reader.model_name] = _content(task, sample, responses)
    if reference:
        if not isinstance(task, ShowsReference):
            raise SpecError(f"Task {key!r} has no true documents to show.", "Omit --reference.")
        found[REFERENCE] = task.reference(sample)
    return found


def _content(task: Task, sample: Sample, responses: Sequence[Response | None]) -> Document:
    """What a model made: its document with the opening it was given, or its last image with the document
    that it continues."""
    last = responses[-1] if responses else None
    earlier = [response for response in responses[:-1] if response is not None]
    request = task.request(sample, earlier)
    match last:
        case DocumentResponse(parts=parts):
            opening = request.prefill if request else ""
            return (*((Text(opening),) if opening else ()), *parts)
        case ImageResponse(images=images):
            before = request.messages[-1].parts if request and len(responses) > 1 else ()
            return (*before, *images)
    raise SpecError(f"Sample {sample.id} has no document or image to show.", "Choose another --task.")


def _prompt(task: Task, sample: Sample) -> Document:
    request: Request | None = task.request(sample)
    return request.messages[-1].parts if request else ()
