"""A shipped benchmark's own rules and metrics, applied to the answers of a golden case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import evalsuite_tasks

from evalsuite.stats import estimate
from evalsuite.task import GroundTruth, Kind, RuleSet, SampleScore, Scores
from evalsuite.task.aggregating import aggregate
from evalsuite.task.schema import Benchmark, load

KINDS: Mapping[str, tuple[Kind, ...]] = {"exam": ("letters", "open"), "vqa": ("open",), "yesno": ("yes-no",)}
LETTERS = "ABCDEFGHIJ"


@cache
def benchmark(name: str) -> Benchmark:
    """The shipped file of a benchmark."""
    (path,) = Path(evalsuite_tasks.__file__).parent.rglob(f"{name}.yaml")
    return load(path)


@cache
def rules(name: str, named: str) -> RuleSet:
    """The scoring rules that the file names."""
    made = benchmark(name)
    kinds = KINDS[made.family]
    defaults: dict[Kind, str] = {"open": "mmmu-open"} if made.family == "exam" else {}
    return RuleSet(name, made.rules[named], kinds, defaults=defaults, folder=made.folder)


def hit(
    name: str,
    named: str,
    answer: str,
    right: str | Sequence[str],
    options: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> float | None:
    """The score of one answer under the named rules; options are lettered from A."""
    found = rules(name, named)
    kind: Kind = "yes-no" if benchmark(name).family == "yesno" else "letters" if options else "open"
    references = (right,) if isinstance(right, str) else tuple(right)
    lettered = dict(zip(LETTERS, options, strict=False))
    return found.verdict(answer, GroundTruth(references, lettered, labels or {}), kind).value


def row(
    place: int, labels: Mapping[str, str], value: float | None, cluster: str = "", column: str = "accuracy"
) -> SampleScore:
    """A score row; without a value, of an answer that the benchmark's scorer drops."""
    values = {} if value is None else {column: value}
    return SampleScore(str(place), values, cluster, labels, unread=value is None)


def numbers(name: str, rows: Sequence[SampleScore]) -> dict[str, float]:
    """The declared metrics over rows: `metric` and `metric group` -> value in natural units."""
    made = benchmark(name)
    found = aggregate(made.metrics, rows, by=made.by, total=len(rows))
    assert not found.missing, found.missing
    assert not found.notes, found.notes
    scores: Any = Scores(found.rows, found.statistics)
    return {f"{e.metric.name} {e.group}".strip(): e.value for e in estimate(scores, resamples=4)}
