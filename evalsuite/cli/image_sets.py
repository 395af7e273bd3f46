"""`evalsuite statistics` and `evalsuite distance`: sets of images without a benchmark or a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import PluginOption, grid, messages, output, pairs, registry_with, say
from evalsuite.errors import SpecError

if TYPE_CHECKING:
    from evalsuite.features import FeatureNetwork

_Mode = Annotated[
    str,
    typer.Option(
        "--mode",
        "-m",
        help="Named way from image to features: pytorch-fid, clean, torch-fidelity, dreamllm … "
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
        str | None, typer.Option("--task", "-t", help="A benchmark whose reference images to take.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Where the benchmark's data are.")] = None,
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
    from evalsuite.data.images import images_in
    from evalsuite.distances import save_statistics
    from evalsuite.task import HasReferenceImages

    if (folder is None) == (task is None):
        raise SpecError("Statistics need a folder of images or a --task.", "Give one of the two.")
    if folder is not None:
        images = images_in(folder)
    else:
        assert task is not None
        from evalsuite.task.entry import TaskOptions

        options = pairs(task_option, "--task-option")
        built = registry_with(plugin).task(task).build(TaskOptions(data=data, options=options))
        if not isinstance(built, HasReferenceImages):
            raise SpecError(f"Task {task!r} has no reference images.", "Choose a text-to-image benchmark.")
        found = built.reference()
        if isinstance(found, Path):
            raise SpecError(f"The reference is {found}, which holds statistics already.", "Use it as it is.")
        images = list(found)
    made = save_statistics(images, _load(network, mode, device), out)
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
        str, typer.Option(help="More, with commas: kid, kid-torch-fidelity, precision-recall.")
    ] = "",
    network: _Network = "inception",
    device: _Device = "auto",
) -> None:
    """Fréchet distance (FID with the Inception network) of two sets of images."""
    from evalsuite.distances import check, measure

    names = [name.strip() for name in also.split(",") if name.strip()]
    check(generated, reference, names)  # before a network is loaded, or missed
    loaded = _load(network, mode, device)
    found = measure(generated, reference, loaded, names)
    table = grid("distance", "value", "network", "mode")
    for name, value in found.values.items():
        table.add_row(name, f"{value:.6g}", loaded.name, mode)
    output().print(table)
    for note in found.notes:
        say(f"note: {note}", err=True)


def _load(network: str, mode: str, device: str) -> FeatureNetwork:
    from evalsuite.distances import network_spec
    from evalsuite.features import load_network

    return load_network(network_spec(network, mode), device)
