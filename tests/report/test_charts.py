"""Where marks stand, and data as scripts."""

from __future__ import annotations

import base64
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.report.charts import Mark, Scale, histogram, polygon, spokes
from evalsuite.report.encoding import pack, plain, script, to_json
from evalsuite.report.privacy import without_folders

NUMBERS = st.floats(-1e6, 1e6)
ANY_TEXT = st.text(st.characters())  # lone surrogates included


@given(st.lists(NUMBERS, min_size=1))
def test_a_scale_holds_all_its_values(values: list[float]) -> None:
    for scale in (Scale.around(values), Scale.from_zero(values)):
        assert all(scale.low <= value <= scale.high for value in values)
        assert all(0 <= scale.place(value) <= 100 for value in values)


def test_proportions_are_drawn_against_the_whole() -> None:
    assert Scale.from_zero([0.2, 0.7, math.nan], whole=1.0) == Scale(0.0, 1.0)
    assert Scale.from_zero([0.2, 5.4], whole=1.0) == Scale(0.0, 5.4)
    assert Scale.from_zero([]).place(0.0) == 0.0


def test_a_mark_without_interval_or_value_draws_none() -> None:
    scale = Scale(0.0, 2.0)
    assert Mark.on(scale, math.nan, math.nan, math.nan) is None
    assert Mark.on(scale, 1.0, math.nan, math.nan) == Mark(50.0)
    mark = Mark.on(scale, 1.0, 0.5, 1.2)
    assert mark is not None
    assert (mark.low, mark.at, mark.width) == (25.0, 50.0, 35.0)


def test_a_radar_begins_at_the_top_and_goes_clockwise() -> None:
    assert polygon([1.0, 1.0, 0.5, 0.0]) == "0.0,-100.0 100.0,0.0 0.0,50.0 -0.0,0.0"
    assert [spoke.anchor for spoke in spokes(["a", "b", "c", "d"])] == ["middle", "start", "middle", "end"]
    assert spokes(["a_long_name_of_an_ability_that_goes_on"])[0].lines == [
        "a long name of an",
        "ability that …",
    ]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_a_histogram_counts_each_score_once(values: list[float]) -> None:
    bars = histogram(values, (0.0, 1.0))
    assert sum(bar.count for bar in bars) == len(values)
    assert max(bar.height for bar in bars) == 100.0


@pytest.mark.slow
@given(
    st.recursive(
        ANY_TEXT | st.integers() | st.floats() | st.none(),
        lambda x: st.lists(x) | st.dictionaries(ANY_TEXT, x),
    )
)
def test_any_value_is_one_harmless_line_of_script_that_gives_it_back(value: object) -> None:
    value = plain(value)
    text = script("page/index", to_json(value)).decode("ascii")
    assert text.count("\n") == 1
    assert not re.search(r"[<>&\x00-\x09\x0b-\x1f]", text)
    literal = text.removeprefix("Evalsuite.register('page/index','").removesuffix("');\n")
    assert not re.search(r"(?<!\\)(?:\\\\)*'", literal)  # no quote ends the string early
    assert json.loads(re.sub(r"\\(.)", r"\1", literal)) == value


@given(st.lists(st.none() | st.text(max_size=3)) | st.lists(st.none() | st.sampled_from([0.0, 0.3, 1.0])))
def test_a_packed_column_gives_its_values_back(values: list[object]) -> None:
    packed = pack(values)
    codes = np.frombuffer(base64.b64decode(packed["d"]), f"<u{packed['b']}")
    assert [packed["u"][code] for code in codes] == values


def test_a_column_of_many_numbers_is_floats() -> None:
    values = [i / 7 for i in range(70_000)] + [None]
    numbers = np.frombuffer(base64.b64decode(pack(values)["f"]), "<f4")
    assert np.allclose(numbers[:-1], np.array(values[:-1], float))
    assert np.isnan(numbers[-1])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dreamllm:/home/me/models/it", "dreamllm:…/it"),
        ("Image '/data/a b/1.png' is broken.", "Image '…/a b/1.png' is broken."),
        (r"C:\Users\me\1.png", "…/1.png"),
        ("https://example.org/a/b and a/b, 1/2", "https://example.org/a/b and a/b, 1/2"),
    ],
)
def test_folders_of_the_machine_are_left_out(text: str, shown: str) -> None:
    assert without_folders(text) == shown
