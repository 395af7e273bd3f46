"""`evalsuite weights`: which weights metrics use, which are here, and fetching them."""

from __future__ import annotations

from typing import Annotated

import typer

from evalsuite.cli.common import grid, messages, output


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(weights, name="weights")


weights = typer.Typer(help="Published weights of the networks that metrics use.", no_args_is_help=True)


@weights.command("list")
def show() -> None:
    """Show the known weights, their sizes, and where they lie on this machine."""
    from evalsuite.features.catalogue import FILES, GROUPS, REPOSITORIES
    from evalsuite.features.fetching import present

    groups = {name: group for group, names in GROUPS.items() for name in names}
    table = grid("name", "size", "together as", "here")
    sizes = {file.name: file.size for file in FILES.values()} | dict(REPOSITORIES)
    for name, size in sizes.items():
        here = present(name)
        table.add_row(name, size, groups.get(name, ""), str(here) if here else "no")
    output().print(table)


@weights.command("fetch")
def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Files, groups of files, or hub ids owner/name.")
    ],
    revision: Annotated[str | None, typer.Option(help="Of a hub repository.")] = None,
) -> None:
    """Fetch weights from where they are published, and check that they are what was published."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from evalsuite.features import fetching

    console = messages()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    for name in fetching.expand(names):
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(name, total=None)

            def told(so_far: int, total: int, task: int = task, progress: Progress = progress) -> None:
                progress.update(task, completed=so_far, total=total or None)  # type: ignore[arg-type]

            path = fetching.fetch(name, revision, told)
        output().print(f"{name}: {path}", markup=False, soft_wrap=True)
