"""The columns of POPE that are no means over questions: F1, precision, recall and the share of yes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from evalsuite.errors import SpecError
from evalsuite.task import Answered, MetricSpec, RuleSet, SampleScore, Statistic
from evalsuite.task.metrics import POPE_RULES, PopeReport, pope_report

OF_REPORT = {"F1": "f1", "precision": "precision", "recall": "recall", "yes ratio": "yes_ratio"}
"""Column -> field of `PopeReport`."""
_USUAL = "vlmevalkit"
"""The counting of a rule that has none of its own: an unread answer is wrong, and no yes."""


def parted(metrics: Iterable[MetricSpec]) -> tuple[list[MetricSpec], list[MetricSpec]]:
    """The metrics that are aggregated from scores of questions, and POPE's own."""
    found = list(metrics)
    own = [spec for spec in found if spec.plain and spec.name in OF_REPORT]
    return [spec for spec in found if spec not in own], own


def counting(where: str, rules: RuleSet, metrics: Sequence[MetricSpec]) -> str:
    """The rule by which unread answers are counted in POPE's columns.

    Raises SpecError where several rules would have to be.
    """
    names = {one.name for one in rules.rules}
    if metrics and len(names) > 1:
        raise SpecError(
            f"{where}: {metrics[0].name} counts answers under one rule, not {', '.join(sorted(names))}.",
            "Name one rule, or leave the column out.",
        )
    name = rules.rules[0].name
    return name if name in POPE_RULES else _USUAL


def report(
    metrics: Sequence[MetricSpec], rows: Sequence[SampleScore], answered: Sequence[Answered], rule: str
) -> tuple[list[Statistic], dict[str, str]]:
    """POPE's columns: ratios of counts over the whole set of scored questions.

    Returns the statistics, and the columns that are undefined (0 / 0) with the reason: a model that never says
    yes has no precision, and under the official rule no F1.
    """
    import numpy as np

    if not metrics:
        return [], {}
    scored = [i for i, row in enumerate(rows) if not row.failure]
    truth = np.array([answered[i].sample.record.label for i in scored], dtype=bool)
    said = np.array([{"yes": 1, "no": 0}.get(rows[i].parsed, -1) for i in scored], dtype=np.int8)

    def column(name: str) -> Callable[[Any], float]:
        def value(positions: Any) -> float:
            found: PopeReport = pope_report(truth[positions], said[positions], rule)
            return float(getattr(found, OF_REPORT[name]))

        return value

    found: list[Statistic] = []
    undefined: dict[str, str] = {}
    for spec in metrics:
        value = column(spec.name)
        if scored and math.isnan(value(np.arange(len(scored)))):
            yes = int((said == 1).sum())
            undefined[spec.name] = f"undefined (0 / 0) under these rules: {yes} of {len(scored)} answers are yes"
        else:
            found.append(Statistic(spec.metric(), scored, value))
    return found, undefined
