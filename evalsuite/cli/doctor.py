"""`evalsuite doctor`: what works on this machine, its GPU, or the nodes of a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.as_json import JsonOption, print_json
from evalsuite.cli.common import PluginOption, output, say
from evalsuite.errors import SpecError

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(doctor)


def doctor(
    data: Annotated[bool, typer.Option("--data/--no-data", help="Check for every benchmark's data.")] = True,
    plugin: PluginOption = None,
    gpu: Annotated[
        bool,
        typer.Option(
            "--gpu", help="Benchmark the miniature on the GPU instead: throughput, memory, rounding."
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="Device of --gpu: cuda, cuda:1, mps or cpu.")] = "cuda",
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="Look at every node of this Ray cluster instead: `auto` or HOST:PORT.",
            rich_help_panel="Cluster",
        ),
    ] = None,
    data_folder: Annotated[
        Path | None,
        typer.Option(help="Data that every node should see.", rich_help_panel="Cluster"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Model whose weights every node should have.", rich_help_panel="Cluster"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what works on this machine, what is missing, and how to get it. Downloads nothing.

    With --ray-address: what each node of a cluster has and this machine
    not, or the other way round: versions, plugins, GPUs, clock, /dev/shm,
    data and weights.
    """
    if gpu:
        _doctor_gpu(device)
        return
    if ray_address is None:
        for name, value in (("--data-folder", data_folder), ("--model", model)):
            if value is not None:
                raise SpecError(f"{name} is looked for on the nodes of a cluster.", "Add --ray-address.")
    from evalsuite.doctor import examine

    if ray_address is None:
        findings = examine(plugin or (), data=data)
    else:
        from evalsuite.ray.doctor import examine_cluster

        findings = examine_cluster(ray_address, plugin or (), data=data_folder, model=model or "")
    if as_json:
        found = list(findings)
        print_json(found)
        raise typer.Exit(1 if any(finding.state == "broken" for finding in found) else 0)
    console = output()
    marks = {"ok": "green", "missing": "yellow", "broken": "red"}
    broken = 0
    area = ""
    for finding in findings:
        if finding.area != area:
            area = finding.area
            console.print(f"\n{area}", style="bold")
        broken += finding.state == "broken"
        console.print(f"  {finding.state:<8} ", style=marks[finding.state], end="")
        console.print(f"{finding.name}: {finding.detail}", markup=False)
        if finding.remedy:
            console.print(f"          {finding.remedy}", style="dim", markup=False)
    raise typer.Exit(1 if broken else 0)


def _doctor_gpu(device: str) -> None:
    """A tiny run of every capability in every precision; prints a block to paste into an issue."""
    from evalsuite.gpu_check import block, measure
    from evalsuite.registry import load_registry

    rows = list(measure(load_registry(), device))
    say(block(rows))
    raise typer.Exit(1 if any(row.error for row in rows) else 0)
