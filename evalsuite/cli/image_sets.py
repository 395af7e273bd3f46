"""`evalsuite statistics` and `evalsuite distance`: sets of images without a benchmark or a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import PluginOption, messages, output, pairs, registry_with, say
from evalsuite.durable import write_file
from evalsuite.grids import Grid

_Mode = Annotated[
    str,
    typer.Option(
        "--mode",
        "-m",
        help="Feature extraction mode: pytorch-fid, clean, torch-fidelity, dreamllm … "
        "(openai, cmmd … for CLIP). Required: numbers of different modes cannot be compared.",
    ),
]
_Network = Annotated[
    str, typer.Option("--network", help="inception, or clip:SOURCE, dino:SOURCE with a folder or hub id.")
]
_Device = Annotated[str, typer.Option(help="Torch device.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("statistics")(statistics)
    app.command("distance")(distance)


def statistics(
    mode: _Mode,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .npz file to write.")],
    folder: Annotated[Path | None, typer.Argument(help="Folder of images.")] = None,
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="Use the reference images of this benchmark.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the benchmark's files.")] = None,
    task_option: Annotated[
        list[str] | None, typer.Option("--task-option", help="Option of the benchmark, name=value.")
    ] = None,
    network: _Network = "inception",
    device: _Device = "auto",
    plugin: PluginOption = None,
) -> None:
    """Compute mean and covariance of features once, and save them with the record of how they were made.

    Other tools (pytorch-fid, clean-fid …) read the file too.
    """
    from evalsuite.api.tools import save_statistics
    from evalsuite.data.folders import summary_of

    made = save_statistics(
        out, mode, folder=folder, task=task, data=data, task_options=pairs(task_option, "--task-option"),
        network=network, device=device, registry=registry_with(plugin) if task else None,
    )  # fmt: skip
    if made.images is not None:
        messages().print(summary_of(made.images), markup=False)
    assert made.protocol is not None
    messages().print(
        f"written: {out} ({made.count} images, {made.mu.size} dimensions, mode {made.protocol.mode})",
        markup=False,
    )


def distance(
    generated: Annotated[Path, typer.Argument(help="Folder of images, or an .npz of statistics.")],
    reference: Annotated[Path, typer.Argument(help="Folder of images, or an .npz of statistics.")],
    mode: _Mode,
    also: Annotated[
        str, typer.Option(help="Further metrics, comma-separated: kid, kid-torch-fidelity, precision-recall.")
    ] = "",
    network: _Network = "inception",
    device: _Device = "auto",
    json: Annotated[
        Path | None,
        typer.Option("--json", help="JSON file to write: distances, mode, images read on each side."),
    ] = None,
) -> None:
    """Fréchet distance (FID with the Inception network) of two sets of images.

    Folders are read recursively, following links; names that begin with a dot
    are skipped. The number of images read is reported for each side.
    """
    from json import dumps

    from evalsuite.api.tools import distance as measure

    names = [name.strip() for name in also.split(",") if name.strip()]
    found = measure(generated, reference, mode, also=names, network=network, device=device)
    table = Grid("distance", "value", "network", "mode")
    for name, value in found.values.items():
        table.add_row(name, f"{value:.6g}", found.network, found.mode)
    output().print(table)
    for line in found.summaries:
        messages().print(line, markup=False)
    if json is not None:
        write_file(json, (dumps(found.record(), indent=1, ensure_ascii=False) + "\n").encode())
    for note in found.notes:
        say(f"note: {note}", err=True)
