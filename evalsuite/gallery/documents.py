"""Documents as an image: each a strip of cells, an image with the text that leads to it above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.content import Document, Image, Text
from evalsuite.gallery.sheets import FAINT, GAP, INK, PAPER, fit, font_for, thumbnail, wrapped

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_LINES = 6
"""Lines of text above an image; longer texts are cut."""

Sample = tuple[str, Sequence[tuple[str, Document]]]
"""A prompt, and the documents that models wrote for it, each with the model's name."""


def strips(samples: Sequence[Sample], columns: int, size: int) -> PilImage:
    """A sheet of documents in reading order, short ones side by side, long ones over several lines.

    Args:
        columns: cells per line.
        size: edge of an image in pixels.
    """
    from PIL import Image as pil
    from PIL import ImageDraw

    font, line = font_for(size)
    width = columns * (size + GAP) + GAP
    rows = _rows(samples, columns)
    texts = [[wrapped(cell.text, font, size, _LINES) for cell in cells] for cells in rows]
    heights = [_height(cells, words, line, size) for cells, words in zip(rows, texts, strict=True)]
    sheet = pil.new("RGB", (width, sum(heights) + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = GAP
    for cells, words, height in zip(rows, texts, heights, strict=True):
        below = top + (1 + max(map(len, words), default=0)) * line + GAP // 2
        for at, (cell, lines) in enumerate(zip(cells, words, strict=True)):
            left = GAP + at * (size + GAP)
            room = width - left if cell.heading else size
            pen.text((left, top), fit(cell.label, font, room), fill=FAINT, font=font)
            for k, text in enumerate(lines):
                pen.text((left, top + (k + 1) * line), text, fill=INK, font=font)
            if cell.image is not None:
                sheet.paste(thumbnail(cell.image, size), (left, below))
        top += height
    return sheet


@dataclass(frozen=True, slots=True)
class _Cell:
    label: str = ""
    text: str = ""
    image: Image | None = None
    heading: bool = False


def _rows(samples: Sequence[Sample], columns: int) -> list[list[_Cell]]:
    """Cells line by line; a document that would be broken begins a line, an empty cell parts two of them."""
    rows: list[list[_Cell]] = [[]]
    for prompt, documents in samples:
        if prompt:
            rows += [[_Cell(label=prompt, heading=True)], []]
        for model, document in documents:
            cells = [_Cell("" if k else model, *cell) for k, cell in enumerate(cells_of(document))]
            cells = cells or [_Cell(model, "(nothing)")]
            if rows[-1] and len(rows[-1]) + 1 + len(cells) > columns:
                rows.append([])
            elif rows[-1]:
                rows[-1].append(_Cell())
            rows[-1] += cells[:columns]
            rows += [cells[start : start + columns] for start in range(columns, len(cells), columns)]
    return [row for row in rows if row]


def cells_of(document: Document) -> list[tuple[str, Image | None]]:
    """Each image with the text before it since the image before; text at the end stands alone.

    >>> [(text, image is not None) for text, image in cells_of((Text("a"), Image(b"x"), Text("b")))]
    [('a', True), ('b', False)]
    """
    cells: list[tuple[str, Image | None]] = []
    words: list[str] = []
    for part in document:
        if isinstance(part, Text):
            words.append(part.text.strip())
        else:
            cells.append((" ".join(words), part))
            words = []
    if words:
        cells.append((" ".join(words), None))
    return cells


def _height(cells: Sequence[_Cell], words: Sequence[Sequence[str]], line: int, size: int) -> int:
    lines = 1 + max(map(len, words), default=0)
    images = any(cell.image is not None for cell in cells)
    return lines * line + (size + GAP if images else 0) + GAP
