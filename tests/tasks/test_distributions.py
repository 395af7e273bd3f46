"""Columns over all generated images: each has an interval, and it covers as often as it says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evalsuite_tasks.image import distributions
from evalsuite_tasks.image.distributions import Distributions
from evalsuite_tasks.image.settings import ColumnSettings

from evalsuite.metrics.frechet import frechet_infinity, gaussian_of
from evalsuite.stats import Estimate, estimate
from evalsuite.task import Metric, SampleScore, Scores

REAL = np.random.RandomState(99).standard_normal((500, 6)).astype(np.float32)
COUNT = 240


def _told(measure: str, features: Any, formula: str = "") -> tuple[Estimate, dict[str, Any]]:
    how = ColumnSettings(measure=measure, network="net", formula=formula)
    columns = Distributions(
        (),
        lambda _: SimpleNamespace(means="float64"),
        _statistics={"net": gaussian_of(REAL)},
        _features={"net": REAL},
    )
    metric = Metric(measure)
    rows = [SampleScore(str(i)) for i in range(len(features))]
    statistic = columns.statistic(metric, how, range(len(rows)), features)
    (found,) = estimate(Scores(rows, [statistic]), resamples=400)
    return found, columns.record


def _drawn(seed: int) -> Any:
    return (np.random.RandomState(seed).standard_normal((COUNT, 6)) * 0.8 + 0.2).astype(np.float32)


def _logits(seed: int) -> Any:
    random = np.random.RandomState(seed)
    return random.standard_normal((COUNT, 10)) + 3 * np.eye(10)[random.randint(0, 10, COUNT)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "formula", "draw"),
    [
        ("kid", "clean-fid", _drawn),
        ("cmmd", "", _drawn),
        ("precision", "", _drawn),
        ("recall", "", _drawn),
        ("frechet", "", _drawn),
        ("frechet-infinity", "", _drawn),
        ("inception-score", "", _logits),
    ],
)
def test_every_column_has_an_interval_that_covers(
    measure: str, formula: str, draw: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributions, "frechet_infinity", partial(frechet_infinity, smallest=80))
    found = [_told(measure, draw(seed), formula)[0] for seed in range(60)]
    centre = np.mean([one.value for one in found])
    covered = np.mean([one.low <= centre <= one.high for one in found])
    # Of 60 intervals at 95 %, fewer than 51 cover once in 3,000 times.
    assert covered >= 51 / 60
    wide = np.mean([one.high - one.low for one in found]) / (2 * 1.96 * np.std([one.value for one in found]))
    assert wide < 1.5
