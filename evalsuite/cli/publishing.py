"""`evalsuite published`, `evalsuite reproduce` and `evalsuite explain`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.as_json import JsonOption, print_json, records
from evalsuite.cli.common import PluginOption, messages, output, pairs, registry_with, say
from evalsuite.durable import write_file
from evalsuite.errors import SpecError
from evalsuite.grids import Grid

if TYPE_CHECKING:
    from rich.text import Text

    from evalsuite.published import PublishedTable, TableReference
    from evalsuite.reproduction import Reproduction

published = typer.Typer(help="Published results of papers, with their sources.", no_args_is_help=True)

FileOption = Annotated[
    list[Path] | None,
    typer.Option("--published-file", help="YAML file with your own published results; repeatable."),
]
TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", help="PUBLICATION/TABLE, e.g. dreamllm/table-1.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(published, name="published")
    app.command("reproduce")(reproduce)
    app.command("explain")(explain)


@published.command("list")
def list_published(
    as_json: JsonOption = False, plugin: PluginOption = None, published_file: FileOption = None
) -> None:
    """List the publications and their tables."""
    from evalsuite.published import publications

    if as_json:
        from evalsuite.api.listing import list_published as numbers

        print_json(records(numbers(published_file or (), registry_with(plugin))))
        return
    listing = Grid("table", "rows", "columns", "title", "source")
    for one in publications(registry_with(plugin), published_file or ()).values():
        for name, table in one.tables.items():
            listing.add_row(
                f"{one.name}/{name}", str(len(table.rows)), ", ".join(table.columns), table.title, one.source
            )
    output().print(listing)


@published.command("show")
def show_published(
    table: TableArgument, plugin: PluginOption = None, published_file: FileOption = None
) -> None:
    """Show a table with what each column is measured with, and how sure each number is."""
    from evalsuite.published import CONFIDENCE, find_table, publications

    found = find_table(publications(registry_with(plugin), published_file or ()), table)
    shown, console = found.table, output()
    console.print(_head(found))
    numbers = Grid("model", *shown.columns, "known")
    used: dict[str, None] = {}
    for row in shown.rows:
        cells = []
        for name, column in shown.columns.items():
            cell = row.cell(name)
            if cell is None:
                cells.append(str(row.cells.get(name, "-")))
                continue
            used[cell.confidence] = None
            own = "" if cell.confidence == row.confidence else f" ({cell.confidence})"
            cells.append(f"{cell.value:.{column.digits}f}{own}")
        numbers.add_row(row.model, *cells, row.confidence)
    console.print(numbers)
    columns = Grid("column", "task", "protocol", "metric", "remarks")
    for name, column in shown.columns.items():
        remarks = [column.reason, *(f"not known: {part}" for part in column.unknown), column.note]
        if column.instead:
            remarks.insert(0, f"measured on {column.instead.task}: {column.instead.why}")
        columns.add_row(
            name, column.task or "–", column.protocol, f"{column.metric} {column.group}".strip(),
            "; ".join(filter(None, remarks)),
        )  # fmt: skip
    console.print()
    console.print(columns)
    for kind in used:
        console.print(f"{kind}: {CONFIDENCE[kind]}", style="dim")
    for note in (shown.note, *(f"{row.model}: {row.note}" for row in shown.rows if row.note)):
        if note:
            console.print(note, style="dim", markup=False)


def reproduce(
    table: TableArgument,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Model to measure. Default: those that the rows name.")
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row", help="Row to compare with. Default: the paper's own model, or all that name a model."
        ),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="Only this column; repeatable.")
    ] = None,
    reuse: Annotated[
        list[Path] | None, typer.Option("--runs", help="Runs, or folders of runs, to reuse; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the runs. Default: runs/reproduce/TABLE.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what is needed: data, time, disk.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum samples per task (seeded subset).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of all sampling, 0 unless given; only its results are reused.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or auto.")] = "auto",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="Option of the model, KEY=VALUE; repeatable.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Maximum batch size, halved when memory runs out.")
    ] = 32,
    max_failures: Annotated[
        float, typer.Option(min=0, help="Maximum failed samples: a fraction below 1, otherwise a count.")
    ] = 0.0,
    report: Annotated[
        Path | None, typer.Option("--write", help="Also write plan and verdicts: FILE.md or FILE.json.")
    ] = None,
    plugin: PluginOption = None,
    published_file: FileOption = None,
) -> None:
    """Run what a published table needs, and report cell by cell whether it is reproduced.

    Data are found as in `run` ($EVALSUITE_DATA/TASK). Run the same command again to resume.

    Exit status: 0; 1 a comparable number differs, or something could not be measured; 2 error.
    """
    from evalsuite.cli.progress import RunProgress
    from evalsuite.published import find_table, publications
    from evalsuite.reproduction import measure, subjects_of
    from evalsuite.spec import ExecutionOptions

    registry = registry_with(plugin)
    found = find_table(publications(registry, published_file or ()), table)
    options = pairs(option, "--option")
    subjects = subjects_of(found.table, model, row or (), options=options, device=device, dtype=dtype)
    done = measure(
        found.table, subjects, registry, out or _default_out(found),
        columns=column or (), reuse=reuse or (), seed=seed, limit=limit, plugins=tuple(plugin or ()),
        dry_run=dry_run, execution=ExecutionOptions(batch_size=batch_size, max_failures=max_failures),
        progress=RunProgress,
    )  # fmt: skip
    _show(found, done)
    if report is not None:
        _write(report, found, done)
    raise typer.Exit(done.exit_code)


def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    task: Annotated[str, typer.Option("--task", "-t", help="Task of the run.")],
    published_cell: Annotated[
        str | None,
        typer.Option("--published", help="PUBLICATION/TABLE/ROW/COLUMN. Default: explain only our number."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric. Default: the column's, or the task's headline.")
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs",
            help="Further runs of the model: the effect of their other settings is measured; repeatable.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--write", help="Also write the result: FILE.md or FILE.json.")
    ] = None,
    plugin: PluginOption = None,
    published_file: FileOption = None,
) -> None:
    """Explain a number, or its difference from a published one: rules, prompt, decoding, sampling …

    Effects that stored responses show are measured, the rest is listed. Needs the benchmark's data, no model.
    """
    from rich.text import Text

    from evalsuite.explaining import as_json, explain_number, markdown
    from evalsuite.published import publications
    from evalsuite.store import read_manifest

    registry = registry_with(plugin or read_manifest(run).spec.plugins)
    known = publications(registry, published_file or ()) if published_cell else {}
    found = explain_number(
        run, task, registry, cell=published_cell, publications=known, metric=metric, others=runs or ()
    )
    console = output()
    console.print(Text.assemble((str(run), "bold"), f"  {found.task}, {found.metric}"))
    for line in found.headline():
        console.print(line, markup=False)
    listing = Grid("part", "how", "effect", "what")
    for part in found.parts:
        listing.add_row(part.name, part.how, part.shown(found.digits), part.text)
    console.print(listing)
    if report is not None:
        text = json.dumps(as_json(found), indent=1) if report.suffix == ".json" else markdown(found)
        write_file(report, text.encode())


def _default_out(found: TableReference) -> Path:
    return Path("runs") / "reproduce" / f"{found.publication.name}-{found.name}"


def _head(found: TableReference) -> Text:
    from rich.text import Text

    return Text.assemble((str(found), "bold"), f"  {found.table.title}  ({found.publication.source})")


def _show(found: TableReference, done: Reproduction) -> None:
    from rich.text import Text

    from evalsuite.reproduction.rendering import (
        PLAN_HEADER,
        VERDICT_HEADER,
        plan_rows,
        plan_summary,
        verdict_rows,
        verdict_summary,
    )

    console = output()
    console.print(_head(found))
    if not done.comparisons:
        for row, needs in done.needs.items():
            console.print(Text.assemble("\n", (row, "bold"), f": {plan_summary(needs)}"))
            console.print(_grid(PLAN_HEADER, plan_rows(needs)))
        _left_out(found.table)
        return
    console.print(_grid(VERDICT_HEADER, verdict_rows(done.comparisons)))
    console.print(verdict_summary(done.comparisons))
    for (row, task), why in done.errors.items():
        say(f"error: {row}: {task}: {why}", err=True)


def _left_out(table: PublishedTable) -> None:
    for name, column in table.columns.items():
        if not column.task:
            output().print(f"{name}: not measured: {column.reason}", style="dim", markup=False)


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Grid:
    from rich.text import Text

    table = Grid(*header)
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    return table


_STYLES = {
    "exact": "green", "reproduced": "green", "stored": "green", "ready": "green", "differs": "bold red",
    "not comparable": "yellow", "not measured": "yellow", "no data": "yellow", "cannot": "yellow",
}  # fmt: skip


def _write(path: Path, found: TableReference, done: Reproduction) -> None:
    from evalsuite.reproduction.rendering import as_json, markdown

    if path.suffix == ".json":
        content = json.dumps(as_json(str(found), done), indent=1, ensure_ascii=False) + "\n"
    elif path.suffix == ".md":
        content = markdown(str(found), found.table, done)
    else:
        raise SpecError(f"{path} is neither .md nor .json.", "Name the file so.")
    write_file(path, content.encode())
    messages().print(f"written: {path}", markup=False)
