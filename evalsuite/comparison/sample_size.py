"""How many samples a comparison of two checkpoints needs, or how small a difference they detect."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass

from evalsuite.comparison.measuring import TaskPair
from evalsuite.comparison.sides import Where, open_side, paths_of
from evalsuite.errors import SpecError, suggest
from evalsuite.registry import Registry, load_registry
from evalsuite.stats import Aim, Spread, detectable, disagreement, power, samples_needed
from evalsuite.task import Metric

_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """What is known about two checkpoints' scores on a task. Differences are in units of display (points).

    Args:
        task, metric: of what.
        aim: power, alpha, number of comparisons.
        baseline: share that the base has right, where the spread is assumed from it; else NaN.
        correlation: of right answers, likewise.
        measured: the spread, where runs or a standard deviation were given.
        design_effect: by which clusters enlarge the variance.
        source: where the spread comes from, one line.
        available: samples that the benchmark has; None where no run records it.
    """

    task: str
    metric: Metric
    aim: Aim
    baseline: float
    correlation: float
    measured: Spread | None
    design_effect: float
    source: str
    available: int | None = None

    def spread(self, difference: float) -> Spread:
        """The spread were the true difference this."""
        if self.measured is not None:
            return self.measured
        natural = abs(difference) / self.metric.scale
        worse = -natural if self.baseline >= natural else natural
        share = disagreement(self.baseline, worse, self.correlation)
        return Spread(max(share, natural), True, self.design_effect)

    def samples(self, difference: float) -> int:
        """Samples that find a true difference with the power wanted.

        Raises SpecError for no difference, or one larger than the scores allow.
        """
        return samples_needed(difference / self.metric.scale, self.spread(difference), self.aim)

    def power(self, samples: int, difference: float) -> float:
        """The power: probability that `samples` samples detect a true difference."""
        return power(samples, difference / self.metric.scale, self.spread(difference), self.aim)

    def detectable(self, samples: int) -> float:
        """The smallest true difference that `samples` samples detect with the given power; inf for none."""
        if self.measured is not None:
            return detectable(samples, self.measured, self.aim) * self.metric.scale
        low, high = 0.0, max(self.baseline, 1 - self.baseline) * self.metric.scale
        if samples < 2:
            raise SpecError(f"{samples} samples show nothing.", "Give at least 2.")
        if self.power(samples, high) < self.aim.power:
            return math.inf
        while high - low > 1e-4 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(samples, middle) >= self.aim.power else (middle, high)
        return high


def plan_samples(
    task: str,
    *,
    metric: str | None = None,
    runs: tuple[Where, Where] | None = None,
    baseline: float | None = None,
    correlation: float | None = None,
    sd: float | None = None,
    design_effect: float | None = None,
    aim: Aim | None = None,
    registry: Registry | None = None,
) -> SamplePlan:
    """Plans a paired comparison of two checkpoints on the same samples of a task.

    Where the spread comes from: two measured runs show how often such checkpoints disagree and how much
    clusters matter; else `sd`, the standard deviation of the per-sample difference; else right and wrong
    answers with the given baseline and correlation, which is also the most that any score in [0, 1] of the
    same mean can spread.

    Args:
        metric: a metric of the task; its headline by default.
        runs: two runs (or folders of runs) of the task, e.g. of two earlier checkpoints.
        baseline: share that the base has right, as 72.4 or as 0.724; 0.5 by default, the worst case.
        correlation: of the two checkpoints' right answers, in [0, 1]; 0.5 by default.
        sd: in units of display.
        design_effect: overrides the measured one; 1 by default.

    Raises:
        SpecError: unknown task or metric; contradictory or impossible numbers; a metric that is no share,
            without runs or sd.
    """
    aim = aim or Aim()
    if runs is not None and (sd is not None or baseline is not None or correlation is not None):
        raise SpecError(
            "With two runs, baseline, correlation and spread are measured.", "Give --runs or the others."
        )
    if sd is not None and (baseline is not None or correlation is not None):
        raise SpecError("With --sd no baseline or correlation is needed.", "Give one or the other.")
    if design_effect is not None and not design_effect > 0:
        raise SpecError(f"A design effect of {design_effect:g} is impossible.", "Typical values are 1 to 5.")
    if runs is not None:
        return _from_runs(task, metric, runs, design_effect, aim, registry)
    chosen = _metric(task, metric, registry or load_registry())
    effect = design_effect or 1.0
    phrase = f", design effect {effect:g}" if effect != 1 else ""
    if sd is not None:
        if not (sd > 0 and math.isfinite(sd)):
            raise SpecError(f"A standard deviation of {sd:g} cannot be.", "Give --sd as displayed.")
        spread = Spread((sd / chosen.scale) ** 2, False, effect)
        source = f"standard deviation {sd:g} of the difference, as given{phrase}"
        return SamplePlan(task, chosen, aim, math.nan, math.nan, spread, effect, source)
    if chosen.scale != _PERCENT or chosen.exceeds_one:
        raise SpecError(
            f"{task} {chosen.name} is no share of right answers: its spread must be known.",
            "Give --runs BASE CANDIDATE of an earlier comparison, or --sd.",
        )
    share = 0.5 if baseline is None else baseline / _PERCENT if baseline > 1 else baseline
    alike = 0.5 if correlation is None else correlation
    disagreement(share, 0.0, alike)  # refuses what cannot be
    assumed = "assumed" if baseline is None or correlation is None else "as given"
    source = f"baseline {share:.1%}, correlation {alike:g}, {assumed}{phrase}"
    return SamplePlan(task, chosen, aim, share, alike, None, effect, source)


def _metric(task: str, name: str | None, registry: Registry) -> Metric:
    metrics = registry.task(task).metrics
    return _named(task, name, metrics, next((m for m in metrics if m.headline), metrics[0]))


def _named(task: str, name: str | None, metrics: tuple[Metric, ...], headline: Metric) -> Metric:
    if name is None:
        return headline
    found = next((m for m in metrics if m.name == name), None)
    if found is None:
        raise SpecError(f"{task} has no metric {name!r}.", suggest(name, [m.name for m in metrics]))
    return found


def _from_runs(
    task: str,
    metric: str | None,
    runs: tuple[Where, Where],
    design_effect: float | None,
    aim: Aim,
    registry: Registry | None,
) -> SamplePlan:
    with ExitStack() as stack:
        sides = [open_side(paths_of(path), stack) for path in runs]
        for side in sides:
            if task not in side.tasks:
                where = ", ".join(map(str, side.paths))
                raise SpecError(f"{where} has no scores of {task!r}.", suggest(task, side.tasks))
        measured = [side.tasks[task] for side in sides]
        info = measured[0][0].result.info
        chosen = _named(task, metric, info.metrics, info.headline)
        pair = TaskPair(*measured, same_data=True, resamples=2000, seed=0, level=0.95, registry=registry)
        if not any(m.name == chosen.name and not group for m, group in pair.metrics()):
            raise SpecError(f"{task} {chosen.name} was not computed in both runs.", "Name another --metric.")
        spread, n = pair.spread(chosen.name)
        available = measured[0][0].run.manifest.task(measured[0][0].key).available
    if spread.variance == 0:
        raise SpecError(
            f"The two runs have the same score on all {n} samples of {task}.",
            "Give runs of two different checkpoints.",
        )
    if design_effect is not None:
        spread = Spread(spread.variance, spread.binary, design_effect)
    sd = math.sqrt(spread.variance) * chosen.scale
    phrase = (
        f"they disagree on {spread.variance:.1%} of {n} samples"
        if spread.binary
        else f"standard deviation {sd:.{chosen.digits + 1}f} of the difference over {n} samples"
    )
    effect = (
        f", design effect of clusters {spread.design_effect:.2f}"
        if abs(spread.design_effect - 1) >= 0.005
        else ""
    )
    return SamplePlan(
        task, chosen, aim, math.nan, math.nan, spread, spread.design_effect,
        f"measured: {sides[0].name} and {sides[1].name}, {phrase}{effect}", available,
    )  # fmt: skip
