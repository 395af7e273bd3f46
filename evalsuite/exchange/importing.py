"""Predictions into a run: from then on they are scored, compared and shown like answers of our own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from evalsuite.content import Text
from evalsuite.data.literals import read_literal
from evalsuite.engine.hashing import describe, remembering, sample_hash
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.exchange.imported import specified, write_imported
from evalsuite.exchange.predictions import Prediction, read_predictions, recognize
from evalsuite.model.reasoning import Reasoning
from evalsuite.registry import Registry, load_registry
from evalsuite.request import TextResponse, fingerprint, require_length
from evalsuite.running.scoring import Scored
from evalsuite.spec import TaskSpec
from evalsuite.store import Record
from evalsuite.task import Sample, Task


@runtime_checkable
class KnowsForeignIds(Protocol):
    """A task whose samples have other ids in other tools' files; optional."""

    def foreign_id(self, key: str) -> str:
        """The sample that such a file knows by this id; empty where none does."""
        ...


ROTATION = 1_000_000
"""In prediction files of rotated questions, index `i + k * ROTATION` is the k-th rotation of question i."""


def import_predictions(
    out: Path,
    task: TaskSpec,
    predictions: Path,
    form: str = "",
    *,
    model: str = "",
    partial: bool = False,
    ignore_unknown: bool = False,
    reasoning: Reasoning = "strip",
    registry: Registry | None = None,
) -> Scored:
    """Writes predictions into a new run at `out` and scores them.

    The run's record says that the answers were imported, and from which file; nothing says how they were
    asked, so its request hashes are empty. Images need not be here: without them a sample's hash is left
    empty too.

    Args:
        task: the benchmark, protocol, rules and data; of the protocol only the postprocessing of answers
            matters.
        form: a name in `evalsuite.exchange.FORMATS`; empty: the format is recognised.
        model: as it is to stand in leaderboards; empty: the file's name without its ending.
        partial: some questions may lack an answer.
        ignore_unknown: the file may answer questions of other benchmarks, too.
        reasoning: `keep` scores answers with the reasoning in front of them.
        registry: None loads the installed plugins.

    Raises:
        DataError: the file is malformed, an id is unknown or missing, a question's rotations are incomplete.
        SpecError: the benchmark or the format is unknown, the benchmark does not take text, or the protocol
            asks in two steps.
        StoreError: `out` is no place for a new run.
    """
    registry = registry or load_registry()
    spec, built = specified(task, registry, ("text",), "only text")
    if getattr(built, "gated", False):
        raise SpecError(
            f"Protocol {spec.protocol!r} of {task.name} asks a first question that decides about the second; "
            "a file of predictions has final answers only.",
            "Choose another protocol (`evalsuite list tasks` names them): only its postprocessing"
            " matters here.",
        )
    form = form or recognize(predictions)
    if not model:
        stem = "" if predictions.is_dir() else predictions.name.removesuffix(".gz").rpartition(".")[0]
        model = stem or predictions.name
    given = read_predictions(predictions, form)
    matched = _match(built, given, predictions, partial=partial, ignore_unknown=ignore_unknown)
    return write_imported(
        out, spec, built, model, {"file": predictions.name, "format": form},
        [list(_records(task.name, built, matched))],
        f"Answers imported from {predictions.name} ({form}); not asked by evalsuite.", reasoning,
    )  # fmt: skip


def _match(
    task: Task, given: Sequence[Prediction], path: Path, *, partial: bool, ignore_unknown: bool
) -> dict[str, list[str]]:
    """Sample id -> its answers, one for each question that is asked about it."""
    samples: dict[str, tuple[int, str]] = {}
    right: dict[str, tuple[Any, Mapping[str, str]]] = {}
    of_image: dict[str, list[str]] = {}
    for sample in task.samples():
        samples[sample.id] = _turns(sample), _question(sample)
        right[sample.id] = task.target(sample), _options(sample)
        of_image.setdefault(sample.cluster, []).append(sample.id)
    order = list(samples)
    foreign = _foreign(task, given, samples)
    found: dict[str, dict[int, str]] = {}
    unknown: list[Prediction] = []
    for one in given:
        name, turn = one.key, 0
        if one.position is not None:
            name = order[one.position] if one.position < len(order) else ""
        elif foreign:
            # The file numbers several benchmarks together: its other numbers are none of this one.
            name = foreign.get(name, "")
        elif name not in samples and name.isdecimal() and len(name) <= 18:
            turn, rest = divmod(int(name), ROTATION)
            name = str(rest) if turn < samples.get(str(rest), (0, ""))[0] else name
        if name not in samples and one.other in samples:
            name = one.other
        if name not in samples and one.prompt:
            # LLaVA's answers to TextVQA have the image's id, and the question in the prompt.
            about = [each for each in of_image.get(name, ()) if _asks(one.prompt, samples[each][1])]
            name = max(about, key=lambda each: len(samples[each][1]), default=name)
        if name not in samples:
            unknown.append(one)
            continue
        asks = _asks(one.prompt, samples[name][1]) or (one.exact and _asks(samples[name][1], one.prompt))
        if one.prompt and not asks:
            place = f"question {name!r}" if one.position is None else f"position {one.position}"
            raise DataError(
                f"{one.where}: {place} of {task.info.name} is {samples[name][1]!r:.80} here, "
                f"and the file asked {one.prompt!r:.80}.",
                "The file numbers another version of the benchmark, or has another order: use the data set "
                "that it was made with (--data, or the hub's).",
            )
        if one.right and turn == 0 and not _same_answer(one.right, *right[name]):
            raise DataError(
                f"{one.where}: the right answer to question {name!r} of {task.info.name} is "
                f"{right[name][0]!r:.60} here, and {one.right!r:.60} in the file.",
                "The file numbers or answers another version of the benchmark: use the table that it was made"
                " with (--data).",
            )
        if turn in found.get(name, {}):
            raise DataError(
                f"{one.where}: question {name!r} of {task.info.name} was answered before, under another id.",
                "Remove one of the two.",
            )
        found.setdefault(name, {})[turn] = one.text
    if unknown and not ignore_unknown:
        first = unknown[0]
        raise DataError(
            f"{first.where}: {task.info.name} has no question {first.key or first.position!r} "
            f"({len(unknown)} such answers).",
            "Is this the right task and format? --ignore-unknown leaves out answers to other benchmarks.",
        )
    if not found:
        raise DataError(
            f"{path} answers no question of {task.info.name}.", "Is this the right task and format?"
        )
    absent = [name for name in order if name not in found]
    if absent and not partial:
        raise DataError(
            f"{path} has no answer to question {absent[0]!r} of {task.info.name} ({len(absent)} such).",
            "Complete the file, or say that it is partial.",
        )
    for name, turns in found.items():
        if len(turns) != samples[name][0]:
            raise DataError(
                f"{path} answers {len(turns)} of {samples[name][0]} rotations of question {name!r}.",
                "Complete the file.",
            )
    return {name: [found[name][turn] for turn in sorted(found[name])] for name in order if name in found}


def _foreign(task: Task, given: Sequence[Prediction], samples: Collection[str]) -> dict[str, str]:
    """The file's ids that are another tool's for samples of this benchmark; empty where the file has none."""
    if not isinstance(task, KnowsForeignIds):
        return {}
    found = {one.key: task.foreign_id(one.key) for one in given if one.position is None}
    return {key: name for key, name in found.items() if name in samples and name != key}


def _turns(sample: Sample) -> int:
    """How many answers a sample has: one, or one for each rotation of its options."""
    return len(getattr(sample.record, "rotations", ())) or 1


def _question(sample: Sample) -> str:
    """The question's text; empty for samples that have none (captions).

    Of a question with images in it, its longest piece: other harnesses write marks of their own in between.
    """
    text = getattr(sample.record, "question", "")
    if isinstance(text, tuple):
        return max((part.text for part in text if isinstance(part, Text)), key=len, default="")
    return text if isinstance(text, str) else ""


def _options(sample: Sample) -> Mapping[str, str]:
    """Letter -> the option's text; none where the question has no options."""
    texts = getattr(sample.record, "texts", None)
    found = texts() if callable(texts) else {}
    return found if isinstance(found, Mapping) else {}


def _same_answer(given: str, target: Any, options: Mapping[str, str]) -> bool:
    """Whether the right answer that a file records can be ours.

    Ours is a letter, an answer, or a list of those that count; the file's a letter, the text of an option, an
    answer, or the text of a list. One in common is enough, but for case, white space and the form of numbers;
    where either side has none, nothing is said.
    """
    ours = target if isinstance(target, list) else [target]
    known = [one for one in ours if isinstance(one, str) and one.strip()]
    if not known:
        return True
    theirs: list[Any] = [given]
    if given.lstrip().startswith("["):
        with suppress(ValueError):
            parsed = read_literal(given.strip())
            theirs += parsed if isinstance(parsed, list) else []
    known += [options[one] for one in known if one in options]
    return not {_plain(one) for one in known}.isdisjoint(_plain(str(one)) for one in theirs)


def _plain(text: str) -> str | float:
    text = " ".join(text.split()).casefold()
    try:
        return float(text)
    except ValueError:
        return text


def _asks(prompt: str, question: str) -> bool:
    """Whether a logged prompt holds a question; other harnesses change its case and white space."""
    return " ".join(question.split()).casefold() in " ".join(prompt.split()).casefold()


def _records(key: str, task: Task, answers: dict[str, list[str]]) -> Iterator[Record]:
    for sample in task.samples():
        texts = answers.get(sample.id, [])
        shown, target = hashes_of(task, sample) if texts else ("", "")
        for step, text in enumerate(texts):
            error = _too_long(text)
            yield Record(
                task=key,
                sample=sample.id,
                step=step,
                response=None if error else TextResponse(text),
                error=error,
                last=step == len(texts) - 1,
                sample_hash=shown,
                target_hash=target,
            )


def _too_long(text: str) -> str:
    try:
        require_length(text, "The answer")
    except SampleError as error:
        return str(error)
    return ""


def hashes_of(task: Task, sample: Sample) -> tuple[str, str]:
    """Of the sample and of its target; empty for a sample whose images are not here."""
    digest = remembering()
    target = fingerprint(describe(task.target(sample), digest))
    try:
        return sample_hash(sample, digest), target
    except DataError:
        return "", target
