"""Boxes in answers: forms, coordinates, overlap."""

from __future__ import annotations

import pytest

from evalsuite.metrics.boxes import BOX_FORMS, boxes_in, center_inside, iou


@pytest.mark.parametrize(
    ("form", "text", "box"),
    [
        ("qwen-vl", "<box>(0,0),(999,499.5)</box>", (0, 0, 200, 50)),
        ("internvl", "bowl[[0, 0, 1000, 500]]", (0, 0, 200, 50)),
        ("internvl", "[0, 0, 1.0, 0.5]", (0, 0, 200, 50)),
        ("unit", "It is at [0.0, 0, 1, 0.5].", (0, 0, 200, 50)),
        ("json-pixels", '```json\n[{"bbox_2d": [0, 0, 200, 50], "label": "bowl"}]\n```', (0, 0, 200, 50)),
        ("json-pixels", "from 0 0 to 9, or 0, 0, 200, 50", (0, 0, 200, 50)),
    ],
)
def test_a_box_is_read_in_pixels(form: str, text: str, box: tuple[float, ...]) -> None:
    (found,) = boxes_in(text, form, 200, 100)
    assert found == pytest.approx(box)


@pytest.mark.parametrize("form", BOX_FORMS)
@pytest.mark.parametrize("text", ["", "no box", "(1,2),(3)", "[[a, b, c, d]]", "[1, 2, 3]", "[" * 2000])
def test_an_answer_without_a_box_names_none(form: str, text: str) -> None:
    assert boxes_in(text, form, 200, 100) == []


def test_json_boxes_are_taken_in_pixels_and_in_thousandths() -> None:
    assert boxes_in("[0, 0, 500, 500]", "json", 200, 100) == [(0, 0, 500, 500), (0, 0, 100, 50)]


def test_what_is_no_box_overlaps_with_nothing() -> None:
    whole = (0.0, 0.0, 10.0, 10.0)
    assert iou(whole, whole) == 1
    assert iou((5, 5, 5, 5), (5, 5, 5, 5)) == 0
    assert iou((10, 10, 0, 0), whole) == 0
    assert center_inside((0, 0, 4, 4), whole)
    assert not center_inside((20, 20, 24, 24), whole)
