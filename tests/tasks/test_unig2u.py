"""UniG2U's parts with rules of their own: what they ask, and how answers are scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Image
from evalsuite.errors import DataError, SampleError
from evalsuite.request import GenerateImages, ImageResponse
from evalsuite.task import GroundTruth
from evalsuite.task.rules import find_rule
from tests.tasks.asking import build
from tests.tasks.tables import PHOTOS
from tests.tasks.test_unified_layouts import COLLISION, hub, mmsi

OWN = ImageResponse((Image(data=PHOTOS[3]),))


def test_mmsi_asks_about_all_images_with_the_generated_one_last(tmp_path: Path) -> None:
    mmsi("msr")(tmp_path)
    task = build("unig2u-mmsi-msr", tmp_path, protocol="generate-to-answer")
    (sample,) = task.samples()
    assert sample.id == "7"
    edit, ask = task.request(sample), task.request(sample, (OWN,))
    assert edit is not None
    assert ask is not None
    assert isinstance(edit.output, GenerateImages)
    assert [image.read() for image in edit.images] == PHOTOS[:2]
    assert "Which?" not in edit.messages[-1].text
    assert [image.read() for image in ask.images] == [*PHOTOS[:2], PHOTOS[3]]
    assert "\n\nWhich?\nOptions: A: a, B: b\n\nBased on" in ask.messages[-1].text


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([*"wxyz"], "Question: Which?\nOptions:\n(A) w\n(B) x\n(C) y\n(D) z\nAnswer the question"),
        (None, "Question: Which?\nOptions: Choose from (A) (B) (C) (D) in the image.\nAnswer the question"),
    ],
)
def test_visual_puzzles_write_their_options_or_say_where_they_are(
    options: list[str] | None, shown: str, tmp_path: Path
) -> None:
    row: dict[str, Any] = {"question": " Which? ", "options": options, "answer": "C"}
    hub("visualpuzzles/spatial.parquet", "image", **row)(tmp_path)
    task = build("unig2u-visualpuzzles-spatial", tmp_path)
    (sample,) = task.samples()
    request = task.request(sample)
    assert request is not None
    assert shown in request.messages[-1].text


def test_options_without_a_letter_each_are_refused(tmp_path: Path) -> None:
    hub("visualpuzzles/spatial.parquet", "image", question="?", options=[*"abc"], answer="C")(tmp_path)
    with pytest.raises(DataError, match="3 options instead of 4"):
        [*build("unig2u-visualpuzzles-spatial", tmp_path).samples()]


def test_a_speed_is_written_as_the_official_prompt_writes_it(tmp_path: Path) -> None:
    hub("vsp/vsp_collision_50.parquet", "icon_image", "example_image", "test_image", **COLLISION)(tmp_path)
    task = build("unig2u-vsp-collision", tmp_path)
    (sample,) = task.samples()
    request = task.request(sample)
    assert request is not None
    assert request.messages[-1].text.endswith(
        "The car is moving up with speed 2.0, and the person is moving left with speed 0.5."
    )
    assert [image.read() for image in request.images] == PHOTOS[:3]


def test_a_right_answer_that_is_no_number_is_refused(tmp_path: Path) -> None:
    changed = {**COLLISION, "gt_person": None}
    hub("vsp/vsp_collision_50.parquet", "icon_image", "example_image", "test_image", **changed)(tmp_path)
    with pytest.raises(DataError, match="gt_person is '', not a number"):
        [*build("unig2u-vsp-collision", tmp_path).samples()]


@pytest.mark.parametrize(
    ("said", "value", "unread"),
    [
        ("North: 2\nWest: 1", 1.0, False),
        ("North: 3\nSouth: 1\nWest: 1", 1.0, False),
        ("North: 2", 0.0, False),
        ("I cannot say.", 0.0, True),
    ],
)
def test_a_route_is_right_by_its_sums(said: str, value: float, unread: bool) -> None:
    verdict = find_rule("vsp-route", ["open"])(said, GroundTruth(("2", "-1")))
    assert (verdict.value, verdict.unread) == (value, unread)


def test_no_step_at_all_is_right_where_nothing_is_to_be_gone() -> None:
    verdict = find_rule("vsp-route", ["open"])("I stay.", GroundTruth(("0", "0")))
    assert (verdict.value, verdict.unread) == (1.0, True)


@pytest.mark.parametrize(
    ("said", "car", "person"),
    [
        ("Car: 1.0\nPerson: 4.0", 1.0, 1.0),
        ("Car: 0.9\nPerson: 3.5", 0.0, 1.0),
        ("Person: 3", 0.0, 1.0),
        ("two", 0.0, 0.0),
    ],
)
def test_each_time_counts_half(said: str, car: float, person: float) -> None:
    verdict = find_rule("vsp-times", ["open"])(said, GroundTruth(("2.0", "3.0")))
    assert verdict.more == {"car": car, "person": person}
    assert verdict.value == (car + person) / 2


def test_two_numbers_are_needed() -> None:
    with pytest.raises(SampleError, match="not two numbers"):
        find_rule("vsp-times", ["open"])("Car: 1", GroundTruth(("2.0",)))
