"""Leaderboards as text: Markdown, LaTeX, HTML; the tidy frame as CSV, JSON, Parquet."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.errors import SpecError, suggest
from evalsuite.leaderboards.latex import LINE, latex
from evalsuite.leaderboards.numbers import NOTHING, interval, legend, number
from evalsuite.leaderboards.table import Cell, Column, Table
from evalsuite.plain import cell as safe_cell
from evalsuite.plain import plain, plain_line

if TYPE_CHECKING:
    import pandas


def markdown(table: Table, *, transposed: bool = False) -> str:
    """GitHub's Markdown; what is underlined is so with HTML, which Markdown lacks.

    Args:
        transposed: models as columns.
    """

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

    heads = [f"{escaped(c.title)}<br>{escaped(c.label)}" for c in table.columns]
    names = [escaped(row.name) for row in table.rows]
    cells = [[shown(*pair) for pair in zip(table.columns, row.cells, strict=True)] for row in table.rows]
    if transposed:
        heads, names, cells = names, heads, [list(line) for line in zip(*cells, strict=True)]
    lines = [
        ["task" if transposed else "model", *heads],
        ["---", *("---:" for _ in heads)],
        *([name, *line] for name, line in zip(names, cells, strict=True)),
    ]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return body + "\n\n" + "  \n".join(escaped(line) for line in legend(table)) + "\n"


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
FORMATS = ("md", "latex", "html", *_FRAMES)
"""Pivots for people (`md`, `latex`, `html`), and the tidy frame for machines (`csv`, `json`, `parquet`)."""


def render(
    frame: pandas.DataFrame, table: Table, kind: str, *, width: str | None = None, transposed: bool = False
) -> bytes:
    """The file's content in one of `FORMATS`.

    Args:
        width: of a LaTeX table, a TeX length (see `latex`).
        transposed: models as columns, in Markdown and LaTeX.

    Raises:
        SpecError: another format, or a setting that this one does not have.
    """
    if kind not in FORMATS:
        raise SpecError(f"There is no format {kind!r}.", suggest(kind, FORMATS))
    if width is not None and kind != "latex":
        raise SpecError(f"--width is for LaTeX, not for {kind}.", "Leave it out, or write a .tex file.")
    if transposed and kind not in ("latex", "md"):
        raise SpecError(f"--transpose is for Markdown and LaTeX, not for {kind}.", "Leave it out.")
    if kind in _FRAMES:
        return _FRAMES[kind](frame)
    if kind == "latex":
        return latex(table, width=width or LINE, transposed=transposed).encode()
    return (html(table) if kind == "html" else markdown(table, transposed=transposed)).encode()


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
