"""`evalsuite plan`: how many samples show a difference, how small a difference the samples show."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import PluginOption, grid, output, registry_with
from evalsuite.errors import SpecError

if TYPE_CHECKING:
    from evalsuite.comparison.sample_size import SamplePlan


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("plan")(plan)


def plan(
    task: Annotated[str, typer.Option("--task", "-t", help="Task to compare on.")],
    detect: Annotated[
        float | None, typer.Option(help="Difference to detect, in points as in leaderboards.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=2, help="Number of samples: show the smallest difference they detect.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Metric; the headline by default.")] = None,
    runs: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="Two runs to estimate from how much such models disagree."),
    ] = None,
    baseline: Annotated[
        float | None, typer.Option(help="Score of the base, as 72.4 or 0.724. Default: 50, the worst case.")
    ] = None,
    correlation: Annotated[
        float | None, typer.Option(help="Correlation of both models' correct answers, 0 to 1. Default: 0.5.")
    ] = None,
    sd: Annotated[
        float | None, typer.Option(help="Standard deviation of the per-sample difference, in points.")
    ] = None,
    design_effect: Annotated[
        float | None, typer.Option(help="Variance inflation by clusters. Default: measured, or 1.")
    ] = None,
    power: Annotated[float, typer.Option(help="Probability of detecting the difference.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Significance level of the two-sided test.")] = 0.05,
    comparisons: Annotated[
        int, typer.Option(min=1, help="Number of tasks to correct for multiple comparisons.")
    ] = 1,
    plugin: PluginOption = None,
) -> None:
    """Compute how many samples are needed to detect a difference between two checkpoints."""
    from evalsuite.comparison.sample_size import plan_samples
    from evalsuite.stats import Aim

    if detect is None and samples is None:
        raise SpecError(
            "Neither a difference nor a number of samples is given.",
            "Give --detect POINTS, --samples N, or both.",
        )
    if detect is not None and not (detect > 0 and math.isfinite(detect)):
        raise SpecError(
            f"A difference of {detect:g} cannot be detected.", "Give --detect in points, e.g. 0.5."
        )
    found = plan_samples(
        task, metric=metric, runs=runs, baseline=baseline, correlation=correlation, sd=sd,
        design_effect=design_effect, aim=Aim(power, alpha, comparisons), registry=registry_with(plugin),
    )  # fmt: skip
    _show(found, detect, samples)


def _show(found: SamplePlan, detect: float | None, samples: int | None) -> None:
    console = output()
    aim = found.aim
    corrected = f", corrected for {aim.comparisons} comparisons" if aim.comparisons > 1 else ""
    console.print(f"{found.task} {found.metric.name}, paired on the same samples", markup=False)
    console.print(f"power {aim.power:g}, alpha {aim.alpha:g} two-sided{corrected}", markup=False)
    console.print(found.source, markup=False)
    if detect is not None:
        needed = found.samples(detect)
        console.print(
            f"\nto detect a difference of {detect:g}: {needed:,} samples", style="bold", markup=False
        )
        if found.available is not None and needed > found.available:
            least = found.detectable(found.available)
            console.print(
                f"the benchmark has {found.available:,}: all of them detect a difference of {least:.2f}",
                style="yellow", markup=False,
            )  # fmt: skip
        if samples is None:
            console.print(_around(found, detect))
    if samples is not None:
        least = found.detectable(samples)
        phrase = f"a difference of {least:.2f}" if math.isfinite(least) else "no difference there can be"
        console.print(f"\n{samples:,} samples detect {phrase}", style="bold", markup=False)
        if detect is not None:
            chance = found.power(samples, detect)
            console.print(
                f"a difference of {detect:g} is detected with probability {chance:.0%}", markup=False
            )


def _around(found: SamplePlan, detect: float) -> object:
    """Other differences and, where it is assumed, other correlations."""
    from dataclasses import replace

    differences = [detect / 2, detect, 2 * detect]
    table = grid("correlation" if found.measured is None else "", *(f"find {d:g}" for d in differences))
    rows = [("", found)]
    if found.measured is None:
        alike = sorted({0.0, 0.5, 0.9, found.correlation})
        rows = [(f"{value:g}", replace(found, correlation=value)) for value in alike]
    for name, variant in rows:
        table.add_row(name, *(_needed(variant, difference) for difference in differences))
    return table


def _needed(found: SamplePlan, difference: float) -> str:
    try:
        return f"{found.samples(difference):,}"
    except SpecError:
        return "–"
