"""Leaderboards as text: Markdown, LaTeX, HTML, and the console; the tidy frame as CSV, JSON, Parquet."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.errors import SpecError, suggest
from evalsuite.leaderboards.table import Cell, Column, Table
from evalsuite.plain import cell as safe_cell
from evalsuite.plain import plain, plain_line, printable

if TYPE_CHECKING:
    import pandas
    from rich.console import RenderableType

NOTHING = "–"


def number(column: Column, value: float) -> str:
    """A value as papers print it; a dash where there is none."""
    return NOTHING if math.isnan(value) else f"{value * column.scale:.{column.digits}f}"


def interval(column: Column, cell: Cell) -> str:
    """`low–high`, empty where there is no interval."""
    return "" if math.isnan(cell.low) else f"{number(column, cell.low)}–{number(column, cell.high)}"


def legend(table: Table) -> list[str]:
    """What a reader must know, one line each."""
    intervals = f"{100 * table.level:g} % intervals" if any(_has_interval(table)) else ""
    ranks = (
        "best in bold, second underlined; ranks are equal where intervals overlap"
        if len(table.rows) > 1
        else ""
    )
    head = "; ".join(part for part in (intervals, ranks) if part)
    return [*([f"{head}."] if head else []), *(f"{note}." for note in table.notes)]


def markdown(table: Table) -> str:
    """GitHub's Markdown; second best is underlined with HTML, which Markdown lacks."""

    def shown(column: Column, cell: Cell | None) -> str:
        if cell is None:
            return NOTHING
        text = number(column, cell.value)
        text = f"**{text}**" if cell.best else f"<u>{text}</u>" if cell.second else text
        ends = interval(column, cell)
        return f"{text}{cell.marks}" + (f" <sub>{ends}</sub>" if ends else "")

    def escaped(text: str) -> str:
        text = plain_line(text).replace("&", "&amp;").replace("<", "&lt;")
        # Within a word an underscore is one; elsewhere it would be emphasis. `](` makes a link.
        return re.sub(r"[\\|*`~]|(?<![^\W_])_|_(?![^\W_])|\](?=\()", r"\\\g<0>", text)

    header = ["model", *(f"{escaped(c.title)}<br>{escaped(c.label)}" for c in table.columns)]
    lines = [
        header,
        ["---", *("---:" for _ in table.columns)],
        *(
            [escaped(row.name), *(shown(*pair) for pair in zip(table.columns, row.cells, strict=True))]
            for row in table.rows
        ),
    ]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return body + "\n\n" + "  \n".join(escaped(line) for line in legend(table)) + "\n"


def latex(table: Table) -> str:
    """A booktabs tabular: best bold, second underlined; needs `\\usepackage{booktabs}`."""

    def shown(column: Column, cell: Cell | None) -> str:
        if cell is None:
            return "--"
        text = number(column, cell.value).replace(NOTHING, "--")
        text = rf"\textbf{{{text}}}" if cell.best else rf"\underline{{{text}}}" if cell.second else text
        marks = "".join(rf"\{name}{{}}" for sign, name in _LATEX_MARKS.items() if sign in cell.marks)
        ends = interval(column, cell).replace("–", "--")
        return (
            text
            + (rf"\textsuperscript{{{marks}}}" if marks else "")
            + (rf" {{\scriptsize {ends}}}" if ends else "")
        )

    rows = [
        [_tex(row.name), *(shown(*pair) for pair in zip(table.columns, row.cells, strict=True))]
        for row in table.rows
    ]
    lines = [
        "% needs \\usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["Model", *(_tex(column.title) for column in table.columns)]) + r" \\",
        " & ".join(["", *(_tex(column.label) for column in table.columns)]) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(f"% {printable(plain_line(line), '')}" for line in legend(table)),
    ]
    return "\n".join(lines) + "\n"


def html(table: Table) -> str:
    """One page without references to anything else; all text is escaped."""
    from jinja2 import Environment

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    )
    spans = [_span(table, i) for i in range(len(table.columns))]
    rows = [
        (
            row.name,
            [
                None
                if cell is None
                else (cell, number(column, cell.value), interval(column, cell), _whisker(cell, span))
                for column, cell, span in zip(table.columns, row.cells, spans, strict=True)
            ],
        )
        for row in table.rows
    ]
    return template.render(columns=table.columns, rows=rows, legend=legend(table))


def console(table: Table) -> RenderableType:
    """For a terminal: intervals stand under their numbers, so that more columns fit."""
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    drawn.add_column("model", no_wrap=True)
    for column in table.columns:
        drawn.add_column(f"{column.title}\n{column.label}", justify="right")
    for row in table.rows:
        cells: list[Text] = []
        for column, cell in zip(table.columns, row.cells, strict=True):
            if cell is None:
                cells.append(Text(NOTHING, style="dim"))
                continue
            style = "bold green" if cell.best else "underline" if cell.second else ""
            text = Text(number(column, cell.value), style=style)
            text.append(cell.marks, style="not bold not underline yellow")
            text.append(f"\n{interval(column, cell)}", style="not bold not underline dim white")
            cells.append(text)
        drawn.add_row(Text(row.name), *cells)
    return Group(drawn, *(Text(line, style="dim") for line in legend(table)))


def _safe_cells(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The frame without texts that a spreadsheet would take for formulas; numbers stay numbers."""
    texts = [name for name in frame.columns if frame[name].dtype.kind not in "biuf"]
    safe = frame.copy()
    for name in texts:
        safe[name] = [safe_cell(plain(one)) if isinstance(one, str) else one for one in frame[name]]
    return safe


def _parquet(frame: pandas.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


_FRAMES: dict[str, Callable[[pandas.DataFrame], bytes]] = {
    "csv": lambda frame: _safe_cells(frame).to_csv(index=False).encode("utf-8", "backslashreplace"),
    "json": lambda frame: (str(frame.to_json(orient="records", indent=1)) + "\n").encode(),
    "parquet": _parquet,
}
_TABLES: dict[str, Callable[[Table], str]] = {"md": markdown, "latex": latex, "html": html}
FORMATS = (*_TABLES, *_FRAMES)
"""Pivots for people (`md`, `latex`, `html`), and the tidy frame for machines (`csv`, `json`, `parquet`)."""


def render(frame: pandas.DataFrame, table: Table, kind: str) -> bytes:
    """The file's content in one of `FORMATS`. Raises SpecError for another."""
    if kind in _FRAMES:
        return _FRAMES[kind](frame)
    if kind in _TABLES:
        return _TABLES[kind](table).encode()
    raise SpecError(f"There is no format {kind!r}.", suggest(kind, FORMATS))


_LATEX_MARKS = {
    "†": "dag",
    "‡": "ddag",
    "§": "S",
    "¶": "P",
    "‖": "textbardbl",
    "◊": "textlozenge",
    "∗": "textasteriskcentered",
}
_TEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "\n": " ",
}
_TEX_SPECIAL = re.compile("[" + re.escape("".join(_TEX)) + "]")


def _tex(text: str) -> str:
    return _TEX_SPECIAL.sub(lambda found: _TEX[found.group()], printable(plain_line(text), ""))


def _has_interval(table: Table) -> list[bool]:
    return [not math.isnan(cell.low) for row in table.rows for cell in row.cells if cell is not None]


def _span(table: Table, index: int) -> tuple[float, float]:
    """The least and the greatest number of a column, ends of intervals included."""
    ends = [
        end
        for row in table.rows
        if (cell := row.cells[index]) is not None
        for end in (cell.value, cell.low, cell.high)
        if not math.isnan(end)
    ]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def _whisker(cell: Cell, span: tuple[float, float]) -> tuple[float, float, float] | None:
    """Where interval and value lie in the column's span, in percent: left, width, point."""
    low, high = span
    if math.isnan(cell.low) or high <= low:
        return None
    return tuple(  # type: ignore[return-value]
        round(100 * part / (high - low), 2)
        for part in (cell.low - low, cell.high - cell.low, cell.value - low)
    )
