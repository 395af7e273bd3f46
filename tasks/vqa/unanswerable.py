"""VizWiz's second task, whether a question can be answered, read off the answers of the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from evalsuite.task import Answered, Metric, MetricSpec, SampleScore, Statistic
from evalsuite.task.metrics import unanswerability

ANSWER = "unanswerable"
COLUMNS = ("unanswerable AP", "unanswerable F1")
"""The columns, in the order in which `evalsuite.metrics.vqa.unanswerability` gives them."""


def parted(metrics: Iterable[MetricSpec]) -> tuple[list[MetricSpec], list[Metric]]:
    """The declared metrics without those of the second task, and those."""
    found = list(metrics)
    return (
        [spec for spec in found if spec.name not in COLUMNS],
        [spec.metric() for spec in found if spec.name in COLUMNS],
    )


def score(
    metrics: Sequence[Metric],
    rows: Sequence[SampleScore],
    answered: Sequence[Answered],
    answer: Callable[[Answered], str],
) -> tuple[list[Statistic], dict[str, str]]:
    """The declared statistics of the second task, or why there are none.

    Args:
        metrics: those of `COLUMNS` that the benchmark declares.
        rows, answered: the scored samples; failed rows are left out.
        answer: gives the postprocessed answer.
    """
    known = (
        [
            i
            for i, row in enumerate(rows)
            if not row.failure and answered[i].sample.record.answerable is not None
        ]
        if metrics
        else []
    )
    if not known:
        reason = "these data do not say which questions can be answered"
        return [], {metric.name: reason for metric in metrics}
    truth = [bool(answered[i].sample.record.answerable) for i in known]
    answers = [answer(answered[i]) for i in known]
    return statistics(metrics, known, truth, answers), {}


def says_unanswerable(answer: str) -> bool:
    """Whether an answer is the word that VizWiz's annotators used for a question without an answer.

    >>> says_unanswerable("Unanswerable."), says_unanswerable("unknown")
    (True, False)
    """
    return answer.strip().lower().removesuffix(".") == ANSWER


def statistics(
    metrics: Sequence[Metric], rows: Sequence[int], answerable: Sequence[bool], answers: Sequence[str]
) -> list[Statistic]:
    """Average precision and F1 of "unanswerable", where an answer counts as confidence 0 or 1.

    The official task takes confidences from a file of their own. A model that only writes answers has none:
    its answer "unanswerable" stands for 0 and every other answer for 1.

    Args:
        metrics: those of `COLUMNS` that the benchmark declares.
        rows: positions of the questions in the scores' rows.
        answerable: of these questions, from the annotations.
        answers: postprocessed answers to these questions.
    """
    import numpy as np

    truth = np.array(answerable, dtype=np.int64)
    confidence = np.array([0.0 if says_unanswerable(answer) else 1.0 for answer in answers])

    def column(place: int) -> Any:
        return lambda chosen: unanswerability(truth[chosen].tolist(), confidence[chosen].tolist())[place]

    return [Statistic(metric, rows, column(COLUMNS.index(metric.name))) for metric in metrics]
