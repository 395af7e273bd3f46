"""A badge shows one number with its interval and marks, and whatever a name holds."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from evalsuite.errors import SpecError
from evalsuite.leaderboards.badge import badge
from tests.leaderboards.frames import frame, number

ONE = frame(number(task="vqa", value=0.712, low=0.68, high=0.741))


def test_the_svg_names_task_metric_value_and_interval(tmp_path: Path) -> None:
    root = xml.fromstring(badge(ONE, "vqa"))
    assert [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")] == [
        "vqa accuracy", "71.2 (68.0–74.1)",
    ]  # fmt: skip


def test_the_endpoint_json_is_that_of_shields() -> None:
    content = json.loads(badge(ONE, "vqa", kind="json"))
    assert content["schemaVersion"] == 1
    assert (content["label"], content["message"]) == ("vqa accuracy", "71.2 (68.0–74.1)")


def test_a_number_with_marks_is_grey_and_keeps_them() -> None:
    part = frame(number(task="vqa", value=0.5, limit=10))
    content = json.loads(badge(part, "vqa", kind="json"))
    assert content["message"].startswith("50.0†")
    assert content["color"] != json.loads(badge(ONE, "vqa", kind="json"))["color"]


def test_names_do_not_break_out_of_the_svg() -> None:
    odd = frame(number(task='a<b>&"c', value=0.5))
    assert xml.fromstring(badge(odd, 'a<b>&"c')).attrib["aria-label"].startswith('a<b>&"c accuracy')


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        ([number(task="vqa")], {"task": "vqb"}),
        ([number(task="vqa")], {"task": "vqa", "metric": "F1"}),
        ([number(task="vqa")], {"task": "vqa", "kind": "png"}),
        ([number(task="vqa"), number(task="vqa", model="other")], {"task": "vqa"}),
    ],
)
def test_what_is_not_one_number_is_refused(rows: list[dict[str, object]], settings: dict[str, str]) -> None:
    with pytest.raises(SpecError):
        badge(frame(*rows), **settings)


def test_a_run_scored_by_several_rules_has_a_badge_for_each() -> None:
    both = frame(number(task="vqa", rules="official", value=0.7), number(task="vqa", rules="lmms", value=0.6))
    with pytest.raises(SpecError, match=r"rules lmms.*--rules"):
        badge(both, "vqa")
    assert "60.0" in badge(both, "vqa", rules="lmms")
    with pytest.raises(SpecError, match="Did you mean lmms"):
        badge(both, "vqa", rules="lmm")
