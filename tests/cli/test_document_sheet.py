"""Contact sheets of documents: each image with its text, short documents side by side, long ones broken."""

from __future__ import annotations

import numpy as np

from evalsuite.content import Image, Text
from evalsuite.gallery.documents import cells_of, strips
from evalsuite.gallery.sheets import GAP
from tests.tasks.image_files import flat

SIZE = 60


def story(*values: int) -> tuple[Text | Image, ...]:
    return tuple(part for value in values for part in (Text(f"it is {value} ."), flat(value)))


def shades(documents: list[tuple[Text | Image, ...]], columns: int) -> list[tuple[int, int, int]]:
    """The images on the sheet as (row of images, column, grey level), found by their flat middle."""
    sheet = strips([("", [("model", document)]) for document in documents], columns, SIZE)
    pixels = np.asarray(sheet.convert("L")).astype(int)
    found: list[tuple[int, int, int]] = []
    tops: list[int] = []
    for column in range(columns):
        left = GAP + column * (SIZE + GAP)
        block = pixels[:, left + 5 : left + SIZE - 5]
        same = (np.ptp(block, axis=1) == 0) & (block[:, 0] < 250)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(int), [0]])))
        for top, end in zip(edges[::2], edges[1::2], strict=True):
            if end - top >= SIZE - 4:
                tops.append(int(top))
                found.append((int(top), column, int(block[(top + end) // 2, 0])))
    rows = {top: at for at, top in enumerate(sorted(set(tops)))}
    return sorted((rows[top], column, value) for top, column, value in found)


def test_short_documents_stand_side_by_side_with_room_between() -> None:
    assert shades([story(50, 60), story(70, 80)], 5) == [(0, 0, 50), (0, 1, 60), (0, 3, 70), (0, 4, 80)]


def test_a_document_that_would_be_broken_begins_a_line_and_goes_on_in_the_next() -> None:
    found = shades([story(50, 60), story(70, 80, 90, 100)], 3)
    assert found == [(0, 0, 50), (0, 1, 60), (1, 0, 70), (1, 1, 80), (1, 2, 90), (2, 0, 100)]


def test_text_without_an_image_stands_alone_and_nothing_is_said_to_be_nothing() -> None:
    assert [text for text, _ in cells_of((flat(), Text("a"), Text("b")))] == ["", "a b"]
    sheet = strips([("write", [("one", ()), ("two", (Text("only words"),))])], 4, SIZE)
    assert sheet.width == 4 * (SIZE + GAP) + GAP
    assert sheet.height < 3 * SIZE
