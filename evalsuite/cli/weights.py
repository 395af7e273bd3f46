"""`evalsuite weights`: which weights metrics use, which are here, and fetching them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.as_json import JsonOption, print_json, records
from evalsuite.cli.common import messages, output
from evalsuite.grids import Grid


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(weights, name="weights")


weights = typer.Typer(help="Published weights of the networks that metrics use.", no_args_is_help=True)


@weights.command("list")
def show(as_json: JsonOption = False) -> None:
    """Show the known weights, their sizes, and where they are on this machine."""
    from evalsuite.api.listing import list_weights

    if as_json:
        print_json(records(list_weights()))
        return
    table = Grid("name", "size", "together as", "licence", "sha256", "here")
    for row in list_weights().to_dict("records"):
        digest = row["sha256"][:8] + ("…" if len(row["sha256"]) > 8 else "")
        table.add_row(
            row["name"], row["size"], row["group"], row["licence"], digest, str(row["here"] or "no")
        )
    output().print(table)


@weights.command("fetch")
def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Files, groups of files, or hub ids owner/name.")
    ],
    revision: Annotated[str | None, typer.Option(help="Revision of a hub repository.")] = None,
) -> None:
    """Download weights from where they are published, and verify them."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from evalsuite.api.tools import fetch_weights

    console = messages()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def bar(name: str) -> Callable[[int, int], None]:
            task = progress.add_task(name, total=None)

            def on_bytes(so_far: int, total: int) -> None:
                progress.update(task, completed=so_far, total=total or None)

            return on_bytes

        found = fetch_weights(names, revision, bar)
    for name, path in found.items():
        output().print(f"{name}: {path}", markup=False, soft_wrap=True)


@weights.command("convert")
def convert_(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="hpsv2, hpsv2.1, hpsv3, image-reward or blip-vqa.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The published weights file.")],
    tokenizer: Annotated[
        Path,
        typer.Option(
            help="Folder with the tokenizer: CLIP's for HPSv2, Qwen2-VL-7B-Instruct's with its config.json "
            "for HPSv3, bert-base-uncased's for the others."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="New folder. Default: where the column looks for it."),
    ] = None,
    heads: Annotated[int, typer.Option(help="Attention heads. Default: as published.")] = 0,
) -> None:
    """Turn a published weights file into the folder that a column reads."""
    from evalsuite.errors import SpecError, suggest
    from evalsuite.features.scorers.converting import convert
    from evalsuite.features.weights import weights_folder
    from evalsuite.task.preference import PREFERENCES

    columns = {
        "hpsv2": "HPSv2", "hpsv2.1": "HPSv2.1", "hpsv3": "HPSv3", "image-reward": "ImageReward",
        "blip-vqa": "BLIP-VQA",
    }  # fmt: skip
    if kind not in columns:
        raise SpecError(f"There is no converter {kind!r}.", suggest(kind, columns))
    how = PREFERENCES[columns[kind]]
    folder = convert(how.kind, file, tokenizer, out or weights_folder() / how.source, heads=heads)
    output().print(f"{columns[kind]}: {folder}", markup=False, soft_wrap=True)
