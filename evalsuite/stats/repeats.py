"""Seeds as repeated runs: what is left to chance when a model is asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalsuite.errors import DataError
from evalsuite.stats.difference import Difference
from evalsuite.stats.resampling import Clusters, Floats


@dataclass(frozen=True, slots=True)
class Repeated:
    """One number from several runs that differ in their seed only.

    Args:
        value: mean over the runs.
        low, high: interval at `level` for both kinds of chance together: other samples, other seeds.
        runs: number of runs.
        between: standard deviation of the runs' values; NaN for one run.
        sampling: standard error from the choice of samples alone.
        seeds: standard error from the choice of seeds alone.
        level: confidence.
    """

    value: float
    low: float
    high: float
    runs: int
    between: float
    sampling: float
    seeds: float
    level: float = 0.95


def repeated_mean(scores: Floats, clusters: Clusters, *, level: float = 0.95) -> Repeated:
    """The mean of per-sample scores over runs and samples.

    Samples and seeds are crossed: a hard sample is hard in every run, a lucky seed helps every sample. The
    variance of the mean is that of the samples' means over runs (cluster-robust) plus that of the runs'
    means, less what single answers scatter, over the number of runs; the interval is Student's with
    Satterthwaite's degrees of freedom (two-way random effects).

    Args:
        scores: one row per run, one column per sample, shape (runs, n), finite.
        clusters: of the samples.

    Raises:
        DataError: no runs, no samples, or a score that is not a number.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or not scores.size:
        raise DataError("There are no scores to average.", "Give at least one run with a scored sample.")
    if not np.isfinite(scores).all():
        raise DataError("A score is not a number.", "Score the runs again.")
    runs = len(scores)
    value = float(scores.mean())
    per_sample, per_run = scores.mean(axis=0), scores.mean(axis=1)
    sampling = _robust_variance(per_sample - value, clusters)
    between = float(per_run.var(ddof=1)) if runs > 1 else 0.0
    scatter = 0.0
    if runs > 1:
        rest = scores - per_sample - per_run[:, None] + value
        scatter = float(sum(_robust_variance(row, clusters) for row in rest)) / (runs - 1)
    seeds = max(0.0, between - scatter) / runs
    return _told(value, sampling, clusters.count - 1, seeds, runs, between, level)


def repeated_value(values: Sequence[float], errors: Sequence[float], *, level: float = 0.95) -> Repeated:
    """The mean of a corpus metric over runs, each with its own standard error from the choice of samples.

    All runs share their samples, so their number does not lower that error; a little of the seeds' is counted
    twice, which makes the interval too wide rather than too short.

    Args:
        values: the metric in each run.
        errors: its standard error in each run; NaN where unknown.
        level: confidence in (0, 1).

    Raises:
        DataError: no runs.
    """
    found = np.asarray(values, dtype=np.float64)
    if not found.size:
        raise DataError("There are no values to average.", "Give at least one run.")
    runs = len(found)
    between = float(found.var(ddof=1)) if runs > 1 else 0.0
    sampling = float(np.mean(np.square(errors)))
    return _told(float(found.mean()), sampling, 0, between / runs, runs, between, level)


def with_seeds(difference: Difference, a: Repeated, b: Repeated, *, null: float = 0.0) -> Difference:
    """A difference of means over several runs, with the chance of their seeds added to that of their samples.

    Args:
        difference: of the per-sample scores averaged over runs (or of the averaged corpus metric).
        a, b: the two sides, for the variance that their seeds add.
        null: what `p_null` tests against.
    """
    from scipy.special import ndtri, stdtr, stdtrit

    tail = (1 + difference.level) / 2
    sampling = ((difference.high - difference.low) / (2 * float(ndtri(tail)))) ** 2
    added = [(side.seeds**2, side.runs - 1) for side in (a, b) if side.runs > 1]
    luck = sum(variance for variance, _ in added)
    total = sampling + luck
    runs = f"seeds: {a.runs} against {b.runs} runs"
    if not (luck > 0 and total > 0):  # the seeds change nothing, or there is no interval to widen
        return replace(difference, method=f"{difference.method}; {runs}")
    freedom = total**2 / sum(variance**2 / freedom for variance, freedom in added)
    spread = total**0.5
    half = float(stdtrit(freedom, tail)) * spread
    p, p_null = (2 * float(stdtr(freedom, -abs(difference.value - shift) / spread)) for shift in (0.0, null))
    return replace(
        difference, low=difference.value - half, high=difference.value + half, p=p, p_null=p_null,
        method=f"{difference.method}; {runs}, Student's t",
    )  # fmt: skip


def _told(
    value: float, sampling: float, freedom: int, seeds: float, runs: int, between: float, level: float
) -> Repeated:
    """`freedom`: degrees of freedom of the sampling variance; 0 where it counts as known."""
    from scipy.special import ndtri, stdtrit

    total = sampling + seeds
    low = high = np.nan
    if total > 0:
        loss = (sampling**2 / freedom if freedom > 0 else 0.0) + (seeds**2 / (runs - 1) if seeds else 0.0)
        tail = (1 + level) / 2
        quantile = float(stdtrit(total**2 / loss, tail)) if loss > 0 else float(ndtri(tail))
        low, high = value - quantile * total**0.5, value + quantile * total**0.5
    spread = between**0.5 if runs > 1 else np.nan
    return Repeated(value, low, high, runs, spread, sampling**0.5, seeds**0.5, level)


def _robust_variance(residuals: Floats, clusters: Clusters) -> float:
    """Variance of the mean over rows from residuals that add up to zero, clusters being independent."""
    if clusters.count < 2:
        return float("nan")
    sums = clusters.sums(residuals)
    return float((sums**2).sum()) * clusters.count / (clusters.count - 1) / len(residuals) ** 2
