"""UniG2U's parts with rules of their own: what they ask, and how answers are scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Image
from evalsuite.errors import DataError, SampleError
from evalsuite.request import GenerateImages, ImageResponse, TextResponse
from evalsuite.task import Answered, GroundTruth
from evalsuite.task.rules import find_rule
from tests.tasks.asking import build
from tests.tasks.tables import PHOTOS
from tests.tasks.unified_files import (
    COLLISION,
    SOLID,
    baby,
    geometry,
    gone_through,
    hub,
    judged,
    mmsi,
    phyx,
)

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


FINE = "Fine-grained Discrimination"


def test_babyvision_asks_with_options_and_shows_the_judge_the_letter_that_was_cut_out(tmp_path: Path) -> None:
    baby(FINE)(tmp_path)
    task = build("unig2u-babyvision-fine-grained", tmp_path)
    (answered,) = gone_through(task, "I see two. C, or B.")
    request = task.request(answered.sample)
    assert request is not None
    assert request.messages[-1].text.startswith("Which?\nChoices:\n(A) x\n(B) y\n\nThink step by step")
    assert request.messages[-1].text.endswith(r"final answer in \boxed{Answer} format.")
    scores, (asked,) = judged(task, answered, "It is TRUE.")
    shown = "Question:  Which? \nGround Truth Answer: B\nModel Output: C\n"
    assert asked.endswith(f"**Input:**\n\n{shown}")
    assert scores.rows[0].values == {"accuracy": 1}
    assert judged(task, answered, "False")[0].rows[0].values == {"accuracy": 0}
    assert judged(task, answered, "")[0].rows[0].values == {"accuracy": 0}


def test_babyvision_looks_for_no_letter_in_answers_in_words(tmp_path: Path) -> None:
    baby(FINE, ansType="blank", options=None, choiceAns=None, blankAns="3, 4")(tmp_path)
    task = build("unig2u-babyvision-fine-grained", tmp_path)
    (answered,) = gone_through(task, "I see A.")
    request = task.request(answered.sample)
    assert request is not None
    assert request.messages[-1].text.startswith("Which?\n\nThink")
    _, (asked,) = judged(task, answered, "True")
    assert asked.endswith("Ground Truth Answer: 3, 4\nModel Output: I see A.\n")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"choiceAns": 2}, "the right option is '2', none of 2"),
        ({"choiceAns": None}, "the right option is ''"),
        ({"question": " "}, "has no question"),
        ({"ansType": "blank"}, "has no answer"),
        ({"options": ["x"] * 27}, "there are 26 letters"),
    ],
)
def test_a_row_that_no_judge_can_compare_is_refused(
    changes: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    baby(FINE, **changes)(tmp_path)
    with pytest.raises(DataError, match=fault):
        [*build("unig2u-babyvision-fine-grained", tmp_path).samples()]


def test_phyx_reads_its_images_out_of_texts(tmp_path: Path) -> None:
    phyx("optics")(tmp_path)
    task = build("unig2u-phyx-optics", tmp_path)
    (answered,) = gone_through(task, "It is F.")
    request = task.request(answered.sample)
    assert request is not None
    assert [image.read() for image in request.images] == PHOTOS[:1]
    _, (asked,) = judged(task, answered, "False")
    assert asked.endswith("Model Output: F\n")


def test_a_damaged_image_is_the_failure_of_its_sample(tmp_path: Path) -> None:
    phyx("optics", image="AAA")(tmp_path)
    task = build("unig2u-phyx-optics", tmp_path)
    (sample,) = task.samples()
    with pytest.raises(SampleError, match="not complete base64"):
        task.request(sample)


def test_geometry_is_graded_by_a_flag_and_asked_again_for_one(tmp_path: Path) -> None:
    geometry(tmp_path)
    task = build("unig2u-geometry3k", tmp_path)
    (answered,) = gone_through(task, "So x = 3.")
    request = task.request(answered.sample)
    assert request is not None
    assert [image.read() for image in request.images] == PHOTOS[:1]
    scores, asked = judged(task, answered, "{broken}", '{"answer_correct": "?"}', '{"answer_correct": 1}')
    assert len(asked) == 3
    assert "Problem:\n<image>Find x.\n\nGround truth answer:\n3\n\nCandidate solution:\nSo x = 3." in asked[0]
    assert scores.rows[0].values == {"accuracy": 1}
    scores, asked = judged(task, answered, "no object at all")
    assert (len(asked), scores.rows[0].values) == (1, {"accuracy": 0})
    scores, asked = judged(task, answered, "{", "{1}", "{2}", "{3}")
    assert (len(asked), scores.rows[0].values) == (1, {"accuracy": 0})
    scores, asked = judged(task, answered, "{1}", "{2}", "{3}")
    assert (len(asked), scores.rows[0].values) == (3, {"accuracy": 0})


def test_the_judges_own_words_are_the_official_ones_to_the_form_feed(tmp_path: Path) -> None:
    geometry(tmp_path)
    task: Any = build("unig2u-geometry3k", tmp_path)
    (answered,) = gone_through(task, "3")
    system, _ = task.question(answered, ()).messages
    assert '"\frac{1}{2}" = "1/2"' in system.text
    assert system.text.endswith('{"answer_correct":0|1,"reason":"<short explanation>"}')


def test_an_empty_solution_is_wrong_and_nobody_is_asked(tmp_path: Path) -> None:
    hub("auxsolidmath/auxsolidmath_test_easy_first100.parquet", "original_image", **SOLID)(tmp_path)
    task = build("unig2u-auxsolidmath", tmp_path)
    (sample,) = task.samples()
    scores, asked = judged(task, Answered(sample, (TextResponse(""),)))
    assert (asked, scores.rows[0].values) == ([], {"accuracy": 0})
    _, (asked_once,) = judged(task, Answered(sample, (TextResponse("x" * 60_000),)), '{"text_ok": 1}')
    assert "Ground truth auxiliary lines:\nConnect A and B." in asked_once
    assert f"Candidate solution:\n...[truncated]...\n{'x' * 50_000}\n" in asked_once
