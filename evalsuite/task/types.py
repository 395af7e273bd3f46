"""What a task plugin is: samples, requests and scores. All pure, none of it touches a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from evalsuite.content import Image
from evalsuite.deprecation import renamed
from evalsuite.pickling import quick_state
from evalsuite.request import GENERATES_IMAGES, Capability, Request, Response, all_needs


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of the leaderboard.

    Args:
        name: the field's standard name (`accuracy`, `CIDEr`).
        scale: what a score is multiplied by for display (100 for percentages as papers print them).
        higher_is_better: direction.
        headline: shown when there is room for one number of the task.
        digits: digits after the point for display.
        exceeds_one: the number is no share of anything: its scores can be larger than 1 (CIDEr), or measure a
            distance or a similarity. Such a number never has the interval of a proportion.
    """

    name: str
    scale: float = 1.0
    higher_is_better: bool = True
    headline: bool = False
    digits: int = 1
    exceeds_one: bool = False


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What a score must carry to be comparable.

    Args:
        name: benchmark and split, as users type it (`vqav2`, `mini-vqav2`).
        version: changes whenever the samples, a prompt or a score can change.
        capability: what the answer that is scored takes of a model.
        split: of the data set.
        protocol: named bundle of prompt wording, decoding, few-shot and postprocessing.
        rules: named scoring rules; `official` is the benchmark's own scorer.
        metrics: in display order; exactly one is the headline.
        title, source: for people: full name; paper or official repository.
        judge: the model whose judgements the score is made of; empty where there is no judge.
        needs: all capabilities that a model must have, `capability` among them; empty stands for it alone.
        count: samples of the official split, by which a table sees that data are not whole; 0: there is no
            official split (generated data, a user's task); None: not declared.
        drawn: the samples are a drawn subset (option `subset`).
    """

    name: str
    version: str
    capability: Capability
    split: str
    protocol: str
    rules: str
    metrics: tuple[Metric, ...]
    title: str = ""
    source: str = ""
    judge: str = ""
    needs: tuple[Capability, ...] = ()
    count: int | None = 0
    drawn: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", all_needs(self.capability, self.needs))

    @property
    def generates_images(self) -> bool:
        """Whether answers hold generated images."""
        return not GENERATES_IMAGES.isdisjoint(self.needs)

    @property
    def headline(self) -> Metric:
        return next((m for m in self.metrics if m.headline), self.metrics[0])


@quick_state
@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a benchmark.

    Args:
        id: unique in the task; stable across runs and machines.
        record: the family's own frozen record (question, image, references …).
        cluster: samples of one cluster are not independent (same image, same question group); intervals
            resample clusters. Empty: the sample stands alone.
        labels: for breakdowns, e.g. {"answer_type": "number"}.
    """

    id: str
    record: Any
    cluster: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge said to one question about an answer.

    Args:
        text: its words, unparsed.
        model: as its server names it.
        failure: why it said nothing; empty where it did.
    """

    text: str = ""
    model: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample with what the model gave: one response, or one per turn where a protocol asks again.

    Args:
        judgements: one tuple per run of the judge, with what it said question by question (see
            `evalsuite.judging`); empty where no judge has been asked.
    """

    sample: Sample
    responses: tuple[Response, ...]
    judgements: tuple[tuple[Judgement, ...], ...] = ()

    @property
    def response(self) -> Any:
        """The last response: the answer."""
        return self.responses[-1]


@dataclass(frozen=True, slots=True)
class SampleScore:
    """How one sample did.

    Args:
        values: score columns in natural units (accuracy in [0, 1]).
        parsed: what the scorer understood (normalised answer, chosen letter), for reports.
        failure: reason when this sample could not be scored; its values then count nowhere.
        unread: the scorer could not decide what the answer means. Its values are what the benchmark's own
            scorer counts for such an answer, and the number of unread answers stands beside the score.
    """

    id: str
    values: Mapping[str, float] = field(default_factory=dict)
    cluster: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    parsed: str = ""
    failure: str = ""
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number over many samples, in a form that resampling can repeat.

    Args:
        metric: which column it fills.
        rows: positions in `Scores.rows` it is computed over (failed rows are never among them).
        function: maps positions *within `rows`* (int array of shape (k,), repeats allowed) to the value.
            None: the mean of the rows' `metric.name` column, which is bootstrapped much faster.
        resampling: `bootstrap` over clusters; `subsample` without replacement for statistics that repeats
            would bias (distances between distributions), the interval then scaled to the full size; `none`.
        group: "" for the whole task, else e.g. "answer_type=number".
        most_resamples: upper limit on resamples where one evaluation of `function` takes seconds.
        resampled: `function` over many bootstrap samples of clusters at once, where it can be had: maps the
            cluster of each of `rows` (int array) and how often each cluster was drawn (resamples, clusters)
            to the values (resamples,).
    """

    metric: Metric
    rows: Sequence[int]
    function: Callable[[Any], float] | None = None
    resampling: Literal["bootstrap", "subsample", "none"] = "bootstrap"
    group: str = ""
    most_resamples: int | None = None
    resampled: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """What scoring a task gives: a row per sample and the statistics over them.

    Args:
        missing: metrics that could not be computed here (absent weights, no Java), each with the reason; they
            have no statistic.
        details: what scoring wants on record, JSON-able (feature networks with the sha256 of their weights).
        notes: what a metric's number lacks though it could be computed (groups without all of their members).
    """

    rows: Sequence[SampleScore]
    statistics: Sequence[Statistic]
    missing: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Task(Protocol):
    """A benchmark in one protocol."""

    @property
    def info(self) -> TaskInfo: ...

    def fingerprint(self) -> str:
        """Digest of the data files (or the data set's revision). Raises DataError when data are missing."""
        ...

    def samples(self) -> Iterator[Sample]:
        """All samples in their official order, lazily; images stay encoded."""
        ...

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        """What to ask, given the answers so far; None when there is nothing (more) to ask. Pure."""
        ...

    def target(self, sample: Sample) -> Any:
        """What the answer is compared with, JSON-able: hashed into the record and shown in reports."""
        ...

    def score(self, answered: Sequence[Answered]) -> Scores:
        """Rows in the order of `answered`; one that cannot be scored carries `failure`. Pure."""
        ...


@runtime_checkable
class HasSampleIds(Protocol):
    """A task that can name its samples without reading all of their data (images in a table); optional."""

    def sample_ids(self) -> Iterator[str]:
        """The ids of `samples()`, in any order."""
        ...


@runtime_checkable
class HasReferenceAnswer(Protocol):
    """A task whose annotations hold an answer: what people said, or what is right; optional.

    It is the upper bound that a metric grants to people. Only a model whose registry entry says
    `reads_annotations` is ever given it.
    """

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The answer to `request(sample, earlier)`; None where the annotations are not public. Pure."""
        ...


@runtime_checkable
class HasReferenceImages(Protocol):
    """A task that compares generated with reference images; optional."""

    def reference(self) -> Path | Sequence[Image]:
        """The images, or a file of their statistics."""
        ...


@runtime_checkable
class HasPostprocessors(Protocol):
    """A task that can score the same answers after other postprocessing steps; optional."""

    def postprocessors(self) -> Mapping[str, Task]:
        """This task with another postprocessing of the answer, by what it is called."""
        ...


@runtime_checkable
class ExplainsProtocol(Protocol):
    """A task that can describe its protocol in words; optional."""

    def explain(self) -> Mapping[str, str]:
        """What a reader must know to ask the same: heading to text (template, system prompt, postprocessing
        …)."""
        ...


@dataclass(frozen=True, slots=True)
class EachOf:
    """A breakdown by every part of a label that holds several, so that a sample is in several groups.

    Args:
        name: what a part is called, e.g. "capability".
        of: the label, e.g. "capabilities" with the value "math+ocr".
        separator: between its parts.
    """

    name: str
    of: str
    separator: str = "+"


Breakdown = str | EachOf
"""What numbers are broken down by: a label, or every part of one."""


def mean_statistics(
    metric: Metric, rows: Sequence[SampleScore], by: Sequence[Breakdown] = ()
) -> list[Statistic]:
    """The mean of `metric.name` over all scored rows, and over each value of each label in `by`."""
    scored = [i for i, row in enumerate(rows) if not row.failure and metric.name in row.values]
    found = [Statistic(metric, scored)]
    for label in by:
        name, of = (label, label) if isinstance(label, str) else (label.name, label.of)
        groups: dict[str, list[int]] = {}
        for i in scored:
            value = rows[i].labels.get(of)
            if value is None:
                continue
            for part in [value] if isinstance(label, str) else filter(None, value.split(label.separator)):
                groups.setdefault(part, []).append(i)
        found += [
            Statistic(metric, members, group=f"{name}={value}") for value, members in sorted(groups.items())
        ]
    return found


if not TYPE_CHECKING:
    __getattr__ = renamed(
        __name__,
        {
            "AnswersItself": "evalsuite.task.types.HasReferenceAnswer",
            "HasReference": "evalsuite.task.types.HasReferenceImages",
            "ListsSamples": "evalsuite.task.types.HasSampleIds",
            "OffersCleanups": "evalsuite.task.types.HasPostprocessors",
        },
    )
