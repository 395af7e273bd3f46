"""Our bootstrap and permutation tests against scipy.stats, in the same process: CPU seconds and ratio.

200,000 rows and 10,000 resamples: answers that are right or wrong, VQA accuracies, and real-valued scores, as
the differences of two runs. scipy draws every resample row by row; it is given fewer resamples (200) and
its time is multiplied up, as it grows in proportion. Both sides must agree before a ratio is printed.
Clusters and corpus metrics, which scipy does not have, are timed alone.

    python benchmarks/resampling.py [--rows N] [--resamples N] [--scipy-resamples N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats as scipy_stats

from evalsuite.stats import Clusters, paired_functions, paired_means, permutation, sign_flip
from evalsuite.stats.resampling import acceleration, bca_interval, bootstrap_means

BATCH = 50
"""Resamples that scipy holds in memory at a time."""


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = run()
    return result, time.process_time() - start


def runs(kind: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two runs on the same samples; the second is better by what is just seen."""
    rng = np.random.default_rng(1)
    if kind == "real":
        a = rng.lognormal(size=rows)
        return a, a + 0.002 + 0.4 * rng.normal(size=rows)
    levels = np.array([0.0, 1.0]) if kind == "binary" else np.array([0, 0.3, 0.6, 0.9, 1.0])
    a = rng.choice(levels, rows)
    changed = rng.random(rows) < 0.2
    b = np.where(changed, rng.choice(levels, rows, p=np.linspace(0.98, 1.02, len(levels)) / len(levels)), a)
    return a, b


def of_kind(kind: str, rows: int, resamples: int, few: int) -> dict[str, float]:
    a, b = runs(kind, rows)
    difference = b - a
    ones = np.ones(rows, dtype=np.int64)
    rng = np.random.default_rng(0)
    figures: dict[str, float] = {}

    def interval() -> tuple[float, float]:
        drawn = bootstrap_means(difference, ones, resamples, rng)
        return bca_interval(float(difference.mean()), drawn, rows, 0.95, acceleration(difference, ones))

    ours, figures["bootstrap_s"] = timed(interval)
    theirs, seconds = timed(
        lambda: (
            scipy_stats.bootstrap(
                (difference,), np.mean, n_resamples=few, method="percentile", batch=BATCH, rng=2
            ).confidence_interval
        )
    )
    figures["scipy_bootstrap_s"] = seconds * resamples / few
    width = theirs.high - theirs.low
    if max(abs(ours[0] - theirs.low), abs(ours[1] - theirs.high)) > 0.2 * width:
        raise SystemExit(f"{kind}: the intervals differ: {ours} and {theirs}.")

    p, figures["sign_flips_s"] = timed(lambda: sign_flip(difference, resamples, rng))
    found, seconds = timed(
        lambda: scipy_stats.permutation_test(
            (difference, np.zeros(rows)),
            lambda x, y, axis: np.abs((x - y).mean(axis)),
            vectorized=True,
            permutation_type="samples",
            n_resamples=few,
            batch=BATCH,
            alternative="greater",
            rng=3,
        )
    )
    figures["scipy_sign_flips_s"] = seconds * resamples / few
    agree(kind, "sign flips", p, found.pvalue, few)

    half = rows // 2
    x, y = a[:half], b[half:]
    sides = ((x, ones[:half]), (y, ones[half:]))
    p, figures["permutation_s"] = timed(lambda: permutation(*sides, resamples, rng))
    found, seconds = timed(
        lambda: scipy_stats.permutation_test(
            (x, y),
            lambda x, y, axis: np.abs(y.mean(axis) - x.mean(axis)),
            vectorized=True,
            n_resamples=few,
            batch=BATCH,
            alternative="greater",
            rng=4,
        )
    )
    figures["scipy_permutation_s"] = seconds * resamples / few
    agree(kind, "permutation", p, found.pvalue, few)
    for name in ("bootstrap", "sign_flips", "permutation"):
        figures[f"{name}_ratio"] = figures[f"scipy_{name}_s"] / max(figures[f"{name}_s"], 1e-3)
    return figures


def agree(kind: str, what: str, ours: float, theirs: float, few: int) -> None:
    if abs(ours - theirs) > 5 * (theirs * (1 - theirs) / few) ** 0.5 + 0.005:
        raise SystemExit(f"{kind}, {what}: p is {ours} and {theirs}.")


def alone(rows: int, resamples: int) -> dict[str, float]:
    """What scipy has no counterpart for."""
    a, b = runs("real", rows)
    fives = Clusters.of([str(i // 5) for i in range(rows)])
    _, clustered = timed(lambda: paired_means(a, b, fives, resamples=resamples))
    single = Clusters.of([""] * rows)

    def ratio(values: np.ndarray) -> Callable[[np.ndarray], float]:
        return lambda at: float(values[at].sum() / (1 + np.abs(values[at])).sum())

    _, corpus = timed(lambda: paired_functions(ratio(a), ratio(b), single, resamples=1000))
    return {"clustered_paired_means_s": clustered, "corpus_ratio_of_1000_resamples_s": corpus}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--scipy-resamples", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    print(f"{options.rows:,} rows, {options.resamples:,} resamples; CPU seconds, scipy's multiplied up")
    figures: dict[str, Any] = {}
    for kind in ("binary", "vqa", "real"):
        found = of_kind(kind, options.rows, options.resamples, options.scipy_resamples)
        figures[kind] = found
        for name in ("bootstrap", "sign_flips", "permutation"):
            print(
                f"{kind:7} {name:12} ours {found[f'{name}_s']:7.2f}  scipy {found[f'scipy_{name}_s']:7.1f}  "
                f"ratio {found[f'{name}_ratio']:7.0f}",
                flush=True,
            )
    figures["alone"] = alone(options.rows, options.resamples)
    figures["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, seconds in figures["alone"].items():
        print(f"{name}: {seconds:.2f}")
    print(f"peak memory {figures['peak_memory_mib']:.0f} MiB, scipy's batches of {BATCH} included")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
