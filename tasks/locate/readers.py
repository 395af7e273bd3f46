"""Expressions and the boxes they describe, from tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import TableSettings, image_size, reader, table_rows, text_of_cell

_OUTSIDE = 1.0
"""Pixels by which a right box may leave its image; annotations round."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression about one object of an image.

    Args:
        box: x1, y1, x2, y2 in pixels.
        size: width and height of the image in pixels.
        problem: why it cannot be asked (a damaged image, a box outside of it); empty where it can.
    """

    id: str
    text: str
    image: Image
    image_name: str
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    problem: str = ""


class BoxSettings(TableSettings):
    """What a source may say under `settings` for `box-table`."""

    box: Literal["xyxy", "xywh"] = "xyxy"
    """What the four numbers of a box are: two corners, or the top left corner and the size; pixels."""


@reader(
    "box-table",
    makes=Expression,
    columns={
        "id": "unique; default: the row's place",
        "expression": "the text, or a list of texts about one object, each of which is a sample",
        "box": "four numbers, in pixels",
        "image": "the image",
        "image_id": "names the image: expressions about one image are resampled together",
        "width": "of the image; default: read from it",
        "height": "of the image; default: read from it",
    },
    settings=BoxSettings,
)
def read_boxes(source: Located, settings: BoxSettings) -> Iterator[Expression]:
    """Expressions with their boxes from one table; a row with a list of expressions is several samples.

    Raises:
        DataError: a row has no expression, a box is not four numbers or is empty.
    """
    for row in table_rows(source, settings):
        box = _box(row.fields.get("box"), settings.box, row.where)
        texts = row.fields.get("expression")
        listed = list(texts) if isinstance(texts, list | tuple) else [texts]
        if not listed or not all(text_of_cell(text).strip() for text in listed):
            raise DataError(f"{row.where} has no expression.", "Is the right column named?")
        size, problem = (0, 0), row.problem
        if not problem:
            size, problem = _size(row.images[0], row.fields, row.where)
        if not problem and (
            box[2] > size[0] + _OUTSIDE or box[3] > size[1] + _OUTSIDE or min(box) < -_OUTSIDE
        ):
            problem = f"{row.where}: the box {box} lies outside of the image of {size[0]} x {size[1]} pixels."
        image = row.images[0] if row.images else Image(data=b"", name=row.id)
        for k, text in enumerate(listed):
            name = row.id if not isinstance(texts, list | tuple) else f"{row.id}#{k + 1}"
            yield Expression(name, text_of_cell(text), image, row.cluster, box, size, problem)


def _box(value: Any, form: str, where: str) -> tuple[float, float, float, float]:
    try:
        a, b, c, d = map(float, value)
    except (TypeError, ValueError):
        raise DataError(f"{where}: the box {value!r:.60} is not four numbers.") from None
    if form == "xywh":
        c, d = a + c, b + d
    if not all(map(math.isfinite, (a, b, c, d))) or c <= a or d <= b:
        raise DataError(
            f"{where}: the box {value!r:.60} is empty as {form}.",
            "Say `settings: {box: xywh}` (or xyxy) if its numbers are the other kind.",
        )
    return a, b, c, d


def _size(image: Image, fields: Any, where: str) -> tuple[tuple[int, int], str]:
    """Width and height, or why they are unknown."""
    if fields.get("width") and fields.get("height"):
        return (int(fields["width"]), int(fields["height"])), ""
    try:
        return image_size(image), ""
    except DataError as error:
        return (0, 0), f"{where}: {error}"


READERS = MappingProxyType({read_boxes.name: read_boxes})
