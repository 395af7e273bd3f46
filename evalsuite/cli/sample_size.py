"""`evalsuite plan`: how many samples show a difference, how small a difference the samples show, and how many
hours a run will take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import PluginOption, output, registry_with
from evalsuite.errors import SpecError
from evalsuite.grids import Grid

if TYPE_CHECKING:
    from evalsuite.comparison.sample_size import SamplePlan
    from evalsuite.running.hours import HoursPlan

_HOURS = "How long will it take"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("plan")(plan)


def plan(
    task: Annotated[
        list[str] | None, typer.Option("--task", "-t", help="Task to compare on, or to run; then repeatable.")
    ] = None,
    detect: Annotated[
        float | None, typer.Option(help="Difference to detect, in points as in leaderboards.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of samples: show the smallest difference they detect; --rates: the most per task",
        ),
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
    rates: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Run to take seconds per answer from.", rich_help_panel=_HOURS),
    ] = None,
    suite: Annotated[
        str | None, typer.Option("--suite", "-s", help="Suite to run.", rich_help_panel=_HOURS)
    ] = None,
    devices: Annotated[
        int, typer.Option(min=1, help="Devices (workers) that answer.", rich_help_panel=_HOURS)
    ] = 1,
    generations: Annotated[
        int | None,
        typer.Option(min=1, help="Images per prompt. Default: the protocol's.", rich_help_panel=_HOURS),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Denoising steps. Default: the protocol's.", rich_help_panel=_HOURS),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Protocol of the tasks.", rich_help_panel=_HOURS)
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with the benchmark's files, to count samples.", rich_help_panel=_HOURS),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the hours as JSON.", rich_help_panel=_HOURS)
    ] = False,
    plugin: PluginOption = None,
) -> None:
    """Compute how many samples are needed to detect a difference between two checkpoints.

    With --rates: how many hours tasks will take on --devices, from what an
    earlier run of the model took.
    """
    if rates is not None:
        from evalsuite.running.hours import plan_hours

        found = plan_hours(
            rates, task or (), suite=suite, devices=devices, samples=samples, generations=generations,
            steps=steps, protocol=protocol, data=data, registry=registry_with(plugin) if plugin else None,
        )  # fmt: skip
        _show_hours(found, as_json=as_json)
        return
    if suite is not None or as_json or generations or steps or protocol or data or devices != 1:
        raise SpecError("Hours need the rates of an earlier run.", "Add --rates RUN.")
    if not task or len(task) > 1:
        raise SpecError("A difference is detected on one task.", "Give --task once.")
    _plan_samples(
        task[0], detect, samples, metric, runs, baseline, correlation, sd, design_effect,
        power, alpha, comparisons, plugin,
    )  # fmt: skip


def _plan_samples(
    task: str,
    detect: float | None,
    samples: int | None,
    metric: str | None,
    runs: tuple[Path, Path] | None,
    baseline: float | None,
    correlation: float | None,
    sd: float | None,
    design_effect: float | None,
    power: float,
    alpha: float,
    comparisons: int,
    plugin: list[Path] | None,
) -> None:
    from evalsuite.comparison.sample_size import plan_samples
    from evalsuite.stats import Aim

    if samples is not None and samples < 2:
        raise SpecError(f"{samples} sample detects no difference.", "Give --samples 2 or more.")
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
    table = Grid("correlation" if found.measured is None else "", *(f"find {d:g}" for d in differences))
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


def _show_hours(found: HoursPlan, *, as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(found.to_dict(), indent=1))
        return
    console = output()
    devices = "1 device" if found.devices == 1 else f"{found.devices} devices"
    console.print(f"{found.model} on {devices}, rates of {found.rates_of}\n", markup=False)
    table = Grid("task", "samples", "images", "steps", "seconds each", "device-hours", "hours", "busy")
    for one in found.tasks:
        table.add_row(
            f"{one.task} ({one.protocol})", f"{one.samples:,}", f"{one.images:,}" if one.images else "",
            "" if one.steps is None else str(one.steps), f"{one.seconds_each:.3g}",
            _hours(one.device_hours), _hours(one.device_hours / found.devices), f"{one.rate.busy:.0%}",
        )  # fmt: skip
    console.print(table)
    for one in found.tasks:
        for note in one.notes:
            console.print(f"{one.task}: {note}", style="yellow", markup=False)
    console.print(
        f"\n{_hours(found.device_hours)} device-hours: {_hours(found.hours)} hours on {devices}",
        style="bold", markup=False,
    )  # fmt: skip
    console.print("Not included: loading the model, and scoring.", style="dim", markup=False)


def _hours(value: float) -> str:
    return f"{value:,.1f}" if value >= 10 else f"{value:.2g}"
