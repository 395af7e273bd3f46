"""UniG2U's answers as lmms-eval reads them: cases of each branch, and what holds for every text."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.metrics.unig2u import (
    crossing_times,
    final_answer,
    judged_flag,
    last_part,
    mmsi,
    route,
    visual_puzzles,
)

TEXTS = {"A": "cat", "B": "Dog", "C": "two dogs", "D": "7"}
WORDS = st.text(st.characters(exclude_characters="`{}\\", exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        ("``B``", "B"),
        ("Not `A`, not `B`.", "A"),
        ("{C} or `D`", "D"),  # backticks come first, wherever they stand
        ("`{D}`", "D"),
        ("A `` ``", None),
        ("`b`", None),
        ("A is right", None),
        ("A: it is", "A"),
        ("Option D\nBecause", None),  # a line's end with a word behind it, too
        ("E", None),
    ],
)
def test_mmsi(said: str, letter: str | None) -> None:
    assert mmsi(said, {}) == letter


@given(WORDS, st.sampled_from("ABCD"))
def test_mmsi_reads_the_letter_between_the_only_backticks(words: str, letter: str) -> None:
    assert mmsi(f"{words}``{letter}``{words}", {}) == letter


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        ("Answer: (E), Answer: (B), Answer: (Z)", "B"),
        ("Answer: B. Final Answer: A", "B"),
        ("Final Answer: both", "B"),
        ("(A) first, then c)", "A"),
        ("a) no, c) yes", "C"),
        ("{d}", "D"),
        ("$X$A$ B.", "B"),
        ("I take c. Or d.", "D"),
        ("  b ", "B"),
        ("so, b", None),
        ("answer: cat, though two dogs", "A"),
        ("answer: Dog, 7", "D"),  # the text behind it is compared in small letters
        ("cat and Dog", "B"),
        ("nothing", None),
    ],
)
def test_visual_puzzles(said: str, letter: str | None) -> None:
    assert visual_puzzles(said, TEXTS) == letter


def test_visual_puzzles_whose_options_are_in_the_image_have_no_texts_to_look_for() -> None:
    assert visual_puzzles("two dogs", dict.fromkeys("ABCD", "")) is None
    assert visual_puzzles("two dogs (a)", dict.fromkeys("ABCD", "")) == "A"


@given(st.text(max_size=40), st.sampled_from("ABCDabcd"))
def test_the_last_letter_in_parentheses_behind_answer_decides(words: str, letter: str) -> None:
    assert visual_puzzles(f"{words}Answer: ({letter})", TEXTS) == letter.upper()


@pytest.mark.parametrize(
    ("said", "sums"),
    [
        ("North: 9\n<Output>\n1. South: 1\n2. West 2", (-1, -2)),
        ("East: 9 Path:\n1. north 2", (2, 0)),
        ("Path: north 2, east 1", (0, 1)),  # and with them the first letter here
        ("OutputEast: 3", None),  # seven characters are left out, whatever they are
        ("north: 1, north: 5, south: 2", (-1, 0)),
        ("North: 1.5", (15, 0)),
        ('"West": 3', (0, -3)),
        ("North by 2", None),
        (f"North: 2\nEast: {'9' * 5000}\nNorth: 1", (2, 0)),
    ],
)
def test_route(said: str, sums: tuple[int, int] | None) -> None:
    assert route(said) == sums


@given(st.lists(st.tuples(st.sampled_from(["North", "South", "East", "West"]), st.integers(0, 99))))
def test_a_route_in_the_form_that_is_asked_for_sums_up(moves: list[tuple[str, int]]) -> None:
    lines = [f"{k}. {name}: {steps}" for k, (name, steps) in enumerate(moves, start=1)]
    total = dict.fromkeys(("North", "South", "East", "West"), 0)
    for name, steps in moves:
        total[name] += steps
    sums = (total["North"] - total["South"], total["East"] - total["West"])
    assert route("\n".join(["<Output>", *lines])) == (sums if moves else None)


@pytest.mark.parametrize(
    ("said", "times"),
    [
        ("Car: 2.0\nPerson: 4", {"Car": 2.0, "Person": 4.0}),
        ("CAR:.5 car: 3.", {"Car": 3.0}),
        ("Car : 2", {}),
        ("Person: -2", {}),
    ],
)
def test_crossing_times(said: str, times: dict[str, float]) -> None:
    assert crossing_times(said) == times


@pytest.mark.parametrize(
    ("said", "letters", "shown"),
    [
        (r"\boxed{A} then \boxed{ \frac{1}{2} }", "A-D", r"\frac{1}{2}"),
        (r"\boxed{} `B`", "", ""),
        ("`A` or `B`, C", "A-D", "B"),
        ("F, then B", "A-D", "B"),
        ("F, then B", "A-Z", "F"),
        (" " + "x" * 300, "", "x" * 200),
        (r"\boxed{A", "A-D", "A"),
    ],
)
def test_final_answer(said: str, letters: str, shown: str) -> None:
    assert final_answer(said, letters) == shown


OFFICIAL = re.compile(r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{.*\})*\})*)\}")


@given(st.lists(st.sampled_from([r"\boxed{", "{", "}", "}", "a", "\n"]), max_size=14).map("".join))
def test_boxes_are_those_of_the_official_expression(text: str) -> None:
    found = OFFICIAL.findall(text)
    assert final_answer(text) == (found[-1] if found else text).strip()


def test_a_long_box_that_is_cut_off_takes_no_time() -> None:
    # The official expression would take longer than any test may run: its time doubles with every root.
    said = "C: " + r"\boxed{" + r"\sqrt{\frac{a}{b}}+" * 100
    assert final_answer(said, "A-D") == "C"


@pytest.mark.parametrize(
    ("reply", "flag"),
    [
        ('```json\n{"ok": 1, "reason": "a } in quotes"}\n```', True),
        ('{"ok": 0}', False),
        ('{"ok": true}', True),
        ('{"ok": 1.9}', True),
        ('{"ok": 2}', False),
        ("{}", False),
        ("no object", False),
        ('{"ok": 1', False),  # it never ends: there is no object
        ('{"ok": null}', None),
        ('{"ok": "yes"}', None),
        ('{"ok": Infinity}', None),
        ('{x} {"ok": 1}', None),  # the first object counts
    ],
)
def test_judged_flag(reply: str, flag: bool | None) -> None:
    assert judged_flag(reply, "ok") is flag


@given(WORDS.filter(lambda words: '"' not in words), st.text(max_size=30), st.integers(-3, 3))
def test_a_flag_is_read_whatever_its_reason_holds(words: str, reason: str, value: int) -> None:
    reply = json.dumps({"reason": reason, "ok": value})
    assert judged_flag(words + reply + words, "ok") is (value == 1)


def test_only_longer_answers_are_cut() -> None:
    assert last_part("a" * 50_000) == "a" * 50_000
    assert last_part("b" + "a" * 50_000) == "...[truncated]...\n" + "a" * 50_000
