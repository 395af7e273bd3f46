"""Leaderboards for papers: a booktabs tabular with its notes under it, that fits the line it stands in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalsuite.errors import SpecError
from evalsuite.leaderboards.numbers import interval, legend, number
from evalsuite.leaderboards.table import Cell, Column, Table
from evalsuite.plain import plain_line, printable

LINE = r"\linewidth"
"""The widest that a table gets unless said otherwise."""
_LENGTH = re.compile(
    r"(\d+(\.\d*)?|\.\d+)?\s*(\\(line|text|column|page)width|(?<=[\d.\s])(pt|cm|mm|in|em|ex))"
)


def latex(table: Table, *, width: str = LINE, transposed: bool = False) -> str:
    r"""A booktabs tabular with typeset notes.

    Models that rank first are bold, the next one underlined. Needs the packages booktabs, adjustbox and
    threeparttable.

    Args:
        width: a TeX length; a wider table is scaled down to it, a narrower one stays.
        transposed: models as columns.

    Raises:
        SpecError: `width` is not a TeX length.
    """
    if not _LENGTH.fullmatch(width.strip()):
        raise SpecError(
            f"--width {width!r} is not a TeX length.", r"Write for example 0.8\textwidth, \linewidth or 12cm."
        )
    heads = [[_tex(column.title), _tex(column.label)] for column in table.columns]
    names = [_tex(row.name) for row in table.rows]
    cells = [[_shown(*pair) for pair in zip(table.columns, row.cells, strict=True)] for row in table.rows]
    notes = [_tex(line) for line in legend(table)]
    if transposed:
        header = [["Task", "Metric", *names]]
        body = [[*head, *(line[index] for line in cells)] for index, head in enumerate(heads)]
        alignment = "ll" + "r" * len(names)
    else:
        header = [["Model", *(head[0] for head in heads)], ["", *(head[1] for head in heads)]]
        body = [[name, *line] for name, line in zip(names, cells, strict=True)]
        alignment = "l" + "r" * len(heads)
    lines = [
        "% needs \\usepackage{booktabs,adjustbox,threeparttable}",
        rf"\begin{{adjustbox}}{{max width={width.strip()}}}",
        r"\begin{threeparttable}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        *_lines(header),
        r"\midrule",
        *_lines(body),
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\begin{tablenotes}[flushleft]\footnotesize"] if notes else []),
        *(rf"\item {_symbols(note)}" for note in notes),
        *([r"\end{tablenotes}"] if notes else []),
        r"\end{threeparttable}",
        r"\end{adjustbox}",
    ]
    return "\n".join(lines) + "\n"


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    return [" & ".join(row) + r" \\" for row in rows]


def _shown(column: Column, cell: Cell | None) -> str:
    if cell is None:
        return "--"
    text = _figures(number(column, cell.value))
    text = rf"\textbf{{{text}}}" if cell.best else rf"\underline{{{text}}}" if cell.second else text
    marks = "".join(rf"\{name}{{}}" for sign, name in _MARKS.items() if sign in cell.marks)
    ends = _figures(interval(column, cell))
    return (
        text
        + (rf"\textsuperscript{{{marks}}}" if marks else "")
        + (rf" {{\scriptsize {ends}}}" if ends else "")
    )


def _figures(text: str) -> str:
    """Numbers with a minus for negative ones and a dash between the ends of an interval."""
    return text.replace("-", "$-$").replace("–", "--")


def _symbols(text: str) -> str:
    """Marks and signs in notes, as TeX knows them."""
    signs = {sign: rf"\{name}{{}}" for sign, name in _MARKS.items()} | _SIGNS
    for sign, tex in signs.items():
        text = text.replace(sign, tex)
    return text


_MARKS = {
    "†": "dag",
    "‡": "ddag",
    "§": "S",
    "¶": "P",
    "‖": "textbardbl",
    "◊": "textlozenge",
    "∗": "textasteriskcentered",
    "‼": "textbf{!!}",
}
_SIGNS = {"--": "{-}{-}", "–": "--", "…": r"\ldots{}", "×": r"$\times$", "±": r"$\pm$"}
"""In this order: a dash is two hyphens only after those that are meant were kept apart."""
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
