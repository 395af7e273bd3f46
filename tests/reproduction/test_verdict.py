"""Verdicts on single cells."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from evalsuite.published import PublishedColumn, PublishedRow
from evalsuite.reproduction import Comparison, Found, compare
from evalsuite.stats import Estimate
from evalsuite.store.results import Cost, TaskResult, stored
from evalsuite.task import Metric, TaskInfo

METRIC = Metric("accuracy", scale=100.0, headline=True)


def _found(value: float = 0.5, low: float = 0.45, high: float = 0.55, **changes: Any) -> Found:
    info = TaskInfo(
        "vqa", "1", "text", "val", changes.pop("protocol", "p"), changes.pop("rules", "official"), (METRIC,)
    )
    result = TaskResult(
        task="vqa", info=info, data_fingerprint="d", seed=0, limit=changes.pop("limit", None), total=100,
        answered=changes.pop("answered", 100), failed=changes.pop("failed", 0), unscored=0, cost=Cost(),
        estimates=stored([Estimate(METRIC, "", value, low, high, 100, "bootstrap")]),
        missing=changes.pop("missing", {}),
    )  # fmt: skip
    return Found(Path("run"), "m", "f", changes.pop("parameters", None), result, changes)


def _judged(published: float, found: Found | None = None, **column: Any) -> Comparison:
    made = PublishedColumn(**{"task": "vqa", "metric": "accuracy", "protocol": "p", **column})
    row = PublishedRow(model="paper's", confidence="printed", billions=7, cells={"c": published})
    return compare(row, "c", made, found or _found())


@pytest.mark.parametrize(
    ("published", "verdict"),
    [(50.0, "exact"), (50.04, "exact"), (54.9, "reproduced"), (45.1, "reproduced"), (55.2, "differs")],
)
def test_printed_digits_then_the_interval_decide(published: float, verdict: str) -> None:
    assert _judged(published).verdict == verdict


def test_without_an_interval_only_the_printed_digits_count() -> None:
    assert _judged(50.0, _found(low=math.nan, high=math.nan)).verdict == "exact"
    assert _judged(50.1, _found(low=math.nan, high=math.nan)).verdict == "differs"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"protocol": "q"}, "protocol: q, published p"),
        ({"rules": "lmms-eval"}, "rules: lmms-eval, published official"),
        ({"limit": 100}, "subset: 100 samples"),
        ({"failed": 3, "answered": 97}, "failures: 3 of 100 samples have no score"),
        ({"answered": 60}, "unfinished: 40 of 100 samples were not answered"),
        ({"parameters": 1_360_000}, "model: 1.36 M parameters, the published one 7 G"),
    ],
)
def test_equal_numbers_of_unlike_things_are_not_comparable(changes: dict[str, Any], reason: str) -> None:
    found = _judged(50.0, _found(**changes))
    assert found.verdict == "not comparable"
    assert found.reasons == (reason,)


def test_options_that_the_paper_had_must_be_ours() -> None:
    assert _judged(50.0, _found(shots="4"), options={"shots": "4"}).verdict == "exact"
    other = _judged(50.0, _found(), options={"shots": "4"})
    assert other.reasons == ("option shots: not given, published 4",)


def test_a_part_of_the_protocol_that_nobody_knows_excuses_a_difference_but_not_agreement() -> None:
    assert _judged(50.0, unknown=("the judge",)).verdict == "exact"
    assert _judged(70.0, unknown=("the judge",)).reasons == ("unknown: the judge",)


def test_a_metric_that_the_run_lacks_says_why() -> None:
    found = _judged(8.46, _found(missing={"FID": "its network is not here"}), metric="FID")
    assert (found.verdict, found.reasons) == ("not measured", ("FID: its network is not here",))
