"""`evalsuite weights`: which weights metrics use, which are here, and fetching them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from evalsuite.cli.as_json import JsonOption, print_json, records
from evalsuite.cli.common import grid, messages, output


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
    table = grid("name", "size", "together as", "here")
    for row in list_weights().to_dict("records"):
        table.add_row(row["name"], row["size"], row["group"], str(row["here"] or "no"))
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
