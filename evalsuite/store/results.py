"""What scoring leaves in a run: a table per task (`scores/*.parquet`) and the numbers (`metrics.json`)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

from evalsuite.errors import StoreError
from evalsuite.store.layout import FORMAT, METRICS, reporting, scores_file, write_durably
from evalsuite.task import Metric, SampleScore, TaskInfo

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from evalsuite.stats import Estimate


def _number(value: Any) -> Any:
    return float("nan") if value is None else value


Number = Annotated[
    float,
    BeforeValidator(_number),
    PlainSerializer(lambda value: value if math.isfinite(value) else None, when_used="json"),
]
"""A float that JSON holds as null where it is not a number."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class _StoredEstimate(_Part):
    metric: Metric
    group: str
    value: Number
    low: Number
    high: Number
    n: int
    method: str
    level: float


class Cost(_Part):
    """What the answers took.

    Args:
        seconds: of the device, or of waiting for a server.
        tokens: generated, of models that count them; `images`: generated.
        prompt_tokens, completion_tokens: as a server counted them; None where it did not, or there is none.
        retries: attempts that failed before a request was answered.
        served: the model as its server named it; several where it changed on the way.
        charged: in the currency of the prices given (`price_in`, `price_out`); None where one is unknown.
    """

    seconds: float = 0.0
    tokens: int = 0
    images: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    retries: int = 0
    served: tuple[str, ...] = ()
    charged: float | None = None


KEPT = "reasoning kept"
"""In a result's form: its answers were scored with their reasoning."""


class AnswerCounts(_Part):
    """What a reader of a number should know of the answers behind it, in samples.

    Args:
        empty: answered with nothing.
        truncated: ended by the token limit.
        refused: the model or its server refused.
        reasoned: an answer stood behind reasoning, which was taken away (or kept: see `TaskResult.form`).
        unanswered: reasoning without an answer behind it; not scored.
    """

    empty: int = 0
    truncated: int = 0
    refused: int = 0
    reasoned: int = 0
    unanswered: int = 0

    def summary(self, kept: bool = False) -> str:
        """In words, what there is none of left out.

        >>> AnswerCounts(empty=2, truncated=1).summary()
        '2 empty, 1 truncated'
        """
        words = {
            "empty": self.empty,
            "truncated": self.truncated,
            "refused": self.refused,
            f"with reasoning ({'kept' if kept else 'not scored'})": self.reasoned,
            "without an answer behind their reasoning": self.unanswered,
        }
        return ", ".join(f"{count:,} {word}" for word, count in words.items() if count)


class Judging(_Part):
    """What judging a task took.

    Args:
        judge: model as it was asked for; `served` as its server names it.
        runs: judge passes per answer.
        questions: judgements that were had; `failed` questions got none.
        prompt_tokens, completion_tokens: None where the server did not count.
        cost: in the currency of the prices given; None where a price or a count is unknown.
    """

    judge: str
    served: str
    runs: int
    questions: int
    failed: int
    retries: int
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None


class TaskResult(_Part):
    """The numbers of one task of one run under one set of rules.

    `info` carries name, version, protocol and rules; `total` samples were to be asked, `answered` were,
    `failed` could not be asked or answered, `unscored` were answered but could not be scored, `unjudged` were
    answered and their judge has not been asked to the end. Only the others enter the estimates.
    """

    task: str
    """Key of the task in the run."""
    info: TaskInfo
    data_fingerprint: str
    seed: int
    limit: int | None
    total: int
    answered: int
    failed: int
    unscored: int
    cost: Cost
    estimates: tuple[_StoredEstimate, ...]
    missing: dict[str, str] = {}
    """Metrics that could not be computed on the scoring machine, with the reason."""
    details: dict[str, Any] = {}
    """What the scorer put on record: feature networks with the sha256 of their weights."""
    unjudged: int = 0
    judging: Judging | None = None
    """What the judge took; None where nobody judges."""
    unread: int | None = None
    """Scored answers that the scorer could not parse; they count as the benchmark's own scorer counts
    them. None where the run was scored before that was recorded."""
    notes: dict[str, str] = {}
    """What a metric's number lacks though it could be computed."""
    form: str = ""
    """What else is part of the protocol: how the model was asked for likelihoods (`chat template` …), whether
    reasoning was kept. Empty for the usual form."""
    answers: AnswerCounts | None = None
    """None in results of version 0.1."""

    @property
    def rules(self) -> str:
        return self.info.rules

    @property
    def judge(self) -> str:
        return self.info.judge

    @property
    def failures(self) -> int:
        """Samples without a score, for whatever reason."""
        return self.failed + self.unscored

    @property
    def n(self) -> int:
        """Samples with a score."""
        return self.answered - self.unscored - self.unjudged

    @property
    def unfinished(self) -> int:
        """Samples that have neither a score nor a failure yet: not asked, or not judged."""
        return self.total - self.answered - self.failed + self.unjudged

    def numbers(self) -> list[Estimate]:
        """The estimates in the task's order."""
        from evalsuite.stats import Estimate

        names = tuple(_StoredEstimate.model_fields)
        return [Estimate(**{name: getattr(e, name) for name in names}) for e in self.estimates]

    def headline(self) -> Estimate:
        """The task's one number over all its samples. Raises StoreError when it has none."""
        for estimate in self.numbers():
            if estimate.metric.name == self.info.headline.name and not estimate.group:
                return estimate
        raise StoreError(f"Task {self.task!r} has no {self.info.headline.name}.", "Re-score the run.")


class _Results(_Part):
    format: int = FORMAT
    results: tuple[TaskResult, ...] = ()


def stored(estimates: Sequence[Estimate]) -> tuple[_StoredEstimate, ...]:
    """Estimates in the form `TaskResult` keeps."""
    names = _StoredEstimate.model_fields
    return tuple(
        _StoredEstimate(**{name: getattr(estimate, name) for name in names}) for estimate in estimates
    )


def read_results(root: Path) -> list[TaskResult]:
    """The numbers of a run in the order they were first scored; empty when nothing is scored yet."""
    file = root / METRICS
    if not file.exists():
        return []
    with reporting(file):
        text = file.read_bytes()
    try:
        return list(_Results.model_validate_json(text).results)
    except ValidationError as error:
        raise StoreError(
            f"{file} is damaged ({error.errors()[0]['msg']}).",
            "Run `evalsuite score` on the run: it needs no model.",
        ) from error


def write_results(root: Path, results: Sequence[TaskResult]) -> None:
    """Puts results into `metrics.json`; those of the same task, rules and judge are replaced, others stay."""
    try:
        known = {(result.task, result.rules, result.judge): result for result in read_results(root)}
    except StoreError:
        known = {}  # damaged numbers can be made again from the responses; they must not stop a new scoring
    known.update({(result.task, result.rules, result.judge): result for result in results})
    for result in results:
        if result.judging:  # the number that was missing because nobody had judged
            known.pop((result.task, result.rules, ""), None)
    text = _Results(results=tuple(known.values())).model_dump_json(indent=1)
    write_durably(root / METRICS, text.encode())


def write_scores(root: Path, task: str, rules: str, rows: Sequence[SampleScore], judge: str = "") -> None:
    """One row per sample: id, cluster, parsed, failure, unread, `value.NAME` per score, `label.NAME` per
    label."""
    import pyarrow
    import pyarrow.parquet

    columns: dict[str, Any] = {
        name: _strings([getattr(row, name) for row in rows])
        for name in ("id", "cluster", "parsed", "failure")
    }
    columns["unread"] = pyarrow.array([bool(row.unread) for row in rows], pyarrow.bool_())
    for name in dict.fromkeys(name for row in rows for name in row.values):
        columns[f"value.{name}"] = _floats([row.values.get(name) for row in rows])
    for name in dict.fromkeys(name for row in rows for name in row.labels):
        columns[f"label.{name}"] = _strings([row.labels.get(name) for row in rows])
    table = pyarrow.table(
        columns, metadata={"evalsuite": json.dumps({"task": task, "rules": rules, "judge": judge})}
    )
    encoded = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, encoded)
    write_durably(scores_file(root, task, rules, judge), encoded.getvalue().to_pybytes())


def read_scores(root: Path, task: str, rules: str, judge: str = "") -> pandas.DataFrame:
    """The table `write_scores` wrote; without the column `unread` where an earlier version did.

    Raises StoreError when it is damaged, or the task has not been scored like this.
    """
    import pandas
    import pyarrow

    file = scores_file(root, task, rules, judge)
    if not file.exists():
        by = f" and the judge {judge!r}" if judge else ""
        raise StoreError(
            f"{root} has no scores of {task!r} by the rules {rules!r}{by}.",
            f"Run `evalsuite score {root} --rules {rules}`.",
        )
    try:
        with reporting(file):
            return pandas.read_parquet(file)
    except pyarrow.ArrowException as error:
        raise StoreError(
            f"{file} is damaged ({error}).", "Run `evalsuite score`; it needs no model."
        ) from error


def score_columns(
    root: Path, task: str, rules: str, judge: str, metric: str, label: str = ""
) -> tuple[Any, Any, Any, Any] | None:
    """One score of every sample as arrays: ids, scores (NaN where there is none), a label, clusters.

    Reads these columns only, without pandas. None where the table, the score or the label is not there, or
    cannot be read.
    """
    import numpy
    import pyarrow
    import pyarrow.parquet

    wanted = ["id", "failure", f"value.{metric}", "cluster", *([f"label.{label}"] if label else [])]
    try:
        with pyarrow.parquet.ParquetFile(scores_file(root, task, rules, judge)) as file:
            if not set(wanted) <= set(file.schema_arrow.names):
                return None
            table = file.read(columns=wanted, use_threads=False)
    except (OSError, pyarrow.ArrowException):
        return None
    columns = {name: table.column(name).to_numpy() for name in wanted}
    values = numpy.array(columns[f"value.{metric}"], dtype=numpy.float64)
    values[columns["failure"] != ""] = numpy.nan
    return columns["id"], values, columns[f"label.{label}"] if label else (), columns["cluster"]


# `pyarrow.array(list)` imports pandas, half a second of every run; these make the arrays from their buffers.


def _strings(values: Sequence[str | None]) -> pyarrow.Array:
    import numpy
    import pyarrow

    encoded = [b"" if value is None else value.encode("utf-8", "backslashreplace") for value in values]
    offsets = numpy.zeros(len(encoded) + 1, numpy.int64)
    numpy.cumsum([len(value) for value in encoded], out=offsets[1:])
    buffers = [_validity(values), pyarrow.py_buffer(offsets), pyarrow.py_buffer(b"".join(encoded))]
    return pyarrow.Array.from_buffers(pyarrow.large_string(), len(encoded), buffers)


def _floats(values: Sequence[float | None]) -> pyarrow.Array:
    import numpy
    import pyarrow

    numbers = numpy.array([numpy.nan if value is None else value for value in values], numpy.float64)
    buffers = [_validity(values), pyarrow.py_buffer(numbers)]
    return pyarrow.Array.from_buffers(pyarrow.float64(), len(numbers), buffers)


def _validity(values: Sequence[object]) -> pyarrow.Buffer:
    import numpy
    import pyarrow

    known = numpy.array([value is not None for value in values], bool)  # typed: there may be no rows
    bits = numpy.packbits(known, bitorder="little")
    return pyarrow.py_buffer(bits)
