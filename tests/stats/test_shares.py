"""Only a share has the interval of a proportion, whatever scores a run happens to have."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from evalsuite.registry import load_registry
from evalsuite.stats import Clusters, estimate, paired_difference, spread_of
from evalsuite.task import Metric, SampleScore, Scores, Statistic

CIDER = Metric("CIDEr", scale=100, exceeds_one=True)
ACCURACY = Metric("accuracy", scale=100)


def scores(metric: Metric, values: Sequence[float], first: int | None = None, cluster: str = "") -> Scores:
    rows = [
        SampleScore(str(i), values={metric.name: value}, cluster=cluster and f"{cluster}{i // 2}")
        for i, value in enumerate(values)
    ]
    return Scores(rows, [Statistic(metric, range(len(values) if first is None else first))])


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("cluster", ["", "image-"])
def test_equal_scores_of_what_can_exceed_one_have_no_interval(value: float, cluster: str) -> None:
    (found,) = estimate(scores(CIDER, [value] * 8, cluster=cluster))
    assert found.value == value
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert "Clopper" not in found.method
    (share,) = estimate(scores(ACCURACY, [value] * 8, cluster=cluster))
    assert share.method.startswith("Clopper-Pearson")
    assert share.high - share.low > 0.3


def test_zeros_and_ones_of_what_can_exceed_one_are_resampled() -> None:
    (found,) = estimate(scores(CIDER, [0.0, 1.0] * 20))
    assert found.method.startswith("bootstrap")
    assert found.low < 0.5 < found.high


def test_a_metric_that_declares_nothing_is_no_share_where_another_sample_exceeds_one() -> None:
    (found,) = estimate(scores(Metric("length"), [0.0] * 6 + [2.5], first=6))
    assert math.isnan(found.low)


def test_comparisons_of_what_can_exceed_one_use_no_score_interval() -> None:
    a, b = ({str(i): float(i % k == 0) for i in range(40)} for k in (2, 3))
    assert "McNemar" in paired_difference(a, b).method
    assert "McNemar" not in paired_difference(a, b, share=False).method
    same = paired_difference(a, a, share=False)
    assert math.isnan(same.low)
    alone = Clusters.of([""] * 40)
    assert spread_of(list(a.values()), list(b.values()), alone).binary
    assert not spread_of(list(a.values()), list(b.values()), alone, share=False).binary
    assert np.isfinite(spread_of(list(a.values()), list(b.values()), alone, share=False).variance)


def test_every_distance_similarity_and_judges_scale_says_that_it_is_no_share() -> None:
    """By name, so that a new benchmark's column is thought about."""
    shares = {
        metric.name
        for entry in load_registry().tasks.values()
        for metric in entry.metrics
        if not metric.exceeds_one
    }
    assert not [
        name
        for name in shares
        if name.startswith(("CIDEr", "FID", "KID", "CMMD", "IS", "Frechet", "CLIP", "DINO", "L1", "L2", "G_"))
        or name in ("PSNR", "SSIM", "MSE", "LPIPS", "structure distance")
    ]
    assert {"accuracy", "F1", "circular", "BLEU-4", "METEOR", "edit_success"} <= shares
