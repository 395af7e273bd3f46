"""`evalsuite data check`: what is here of benchmarks' data, what is missing, and where to get it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.as_json import JsonOption, print_json, records
from evalsuite.cli.common import PluginOption, output, registry_with
from evalsuite.grids import Grid

if TYPE_CHECKING:
    from evalsuite.data.inspection import DataReport, SourceReport
    from evalsuite.registry import Registry

data = typer.Typer(help="Inspect benchmark data.", no_args_is_help=True)
_MARKS = {"ok": "green", "made when needed": "green", "missing": "yellow", "different": "red"}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(data, name="data")


@data.command("check")
def check(
    task: Annotated[str | None, typer.Argument(help="Task. Default: a table of all tasks.")] = None,
    data_: Annotated[Path | None, typer.Option("--data", help="Folder with the benchmark's files.")] = None,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
) -> None:
    """Check a benchmark's files, checksums, counts and images; exit status 1 if they are incomplete.

    Works offline and fetches nothing. The table of all tasks only looks for files.
    """
    from evalsuite.api.tools import check_data
    from evalsuite.errors import SpecError

    registry = registry_with(plugin)
    if task is None:
        if data_ is not None:
            raise SpecError("--data belongs to one task.", "Name the task, or set EVALSUITE_DATA.")
        if as_json:
            from evalsuite.api.listing import list_data

            print_json(records(list_data(registry)))
        else:
            _list(registry)
        return
    report = check_data(task, data_, registry)
    if as_json:
        print_json(report)
    else:
        _tell(report)
    raise typer.Exit(0 if report.complete else 1)


def _list(registry: Registry) -> None:
    from rich.text import Text

    from evalsuite.api.listing import list_data

    table = Grid("task", "data", "samples", "size", "licence", "where")
    colours = {"here": "green", "made when needed": "green", "incomplete": "red"}
    for row in list_data(registry).fillna({"samples": 0}).to_dict("records"):
        state = Text(row["state"], style=colours.get(row["state"], "yellow"))
        samples = f"{row['samples']:,}" if row["samples"] else ""
        table.add_row(row["task"], state, samples, row["size"], row["licence"], row["where"])
    output().print(table)


def _tell(report: DataReport) -> None:
    console = output()

    def line(name: str, text: object) -> None:
        console.print(f"{name:<10}{text}", markup=False)

    console.print(report.name, style="bold", end=": ")
    console.print(report.title, markup=False)
    line("licence", report.licence)
    line("home", report.home)
    for source in report.sources:
        _tell_source(source, source is report.used)
    if report.samples is not None:
        of = f" of {report.expected:,}" if report.expected else " (the official number is not recorded)"
        line("samples", f"{report.samples:,}{of}")
        if report.images:
            line("images", f"{report.images - report.missing_images:,} of {report.images:,} files are here")
    for problem in report.problems:
        line("problem", problem)
    whole = ("complete", "green") if report.complete else ("incomplete", "red")
    console.print(whole[0], style=whole[1])


def _tell_source(source: SourceReport, used: bool) -> None:
    console = output()
    where = f" in {source.folder}" if source.folder else ""
    console.print(f"{'source':<10}{source.reader}{where}{' (used)' if used else ''}", markup=False)
    width = max(8, *(len(file.state) for file in source.files))
    for file in source.files:
        colour = _MARKS[file.state]
        console.print(f"  {file.state:<{width}} ", style=colour, end="")
        columns = [file.role, file.name, _size(file.size), file.detail]
        console.print("  ".join(text for text in columns if text), markup=False)
    if source.get:
        size = f" ({source.size})" if source.size else ""
        console.print(f"  get      {source.get}{size}", markup=False)
    if source.note:
        console.print(f"  note     {source.note}", markup=False)


def _size(count: int) -> str:
    if not count:
        return ""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} B"
