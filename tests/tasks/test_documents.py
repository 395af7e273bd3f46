"""DocVQA and InfographicVQA: official files and hub columns ask the same; ANLS is the competition's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import DataError, SampleError
from evalsuite.metrics.anls import anls, levenshtein
from tests.data.image_files import encoded
from tests.tasks.asking import answer, asked, build, shown_images, values, wording, write_json, write_table

PHOTO = encoded("PNG")
ROW = {"questionId": 49153, "question": "What is the total?", "answers": ["$1,234", "1,234 dollars"]}


def official(name: str, root: Path) -> Path:
    if name == "docvqa-val":
        write_json(root / "val_v1.0.json", {"data": [{**ROW, "image": "documents/pybv0228_81.png"}]})
        path = root / "documents" / "pybv0228_81.png"
    else:
        row = {**ROW, "image_local_name": "20471.jpeg", "image_url": "https://example.org/a.png"}
        write_json(root / "infographicVQA_val_v1.0.json", {"data": [row]})
        path = root / "infographicVQA_val_v1.0_images" / "20471.jpeg"
    path.parent.mkdir(parents=True)
    path.write_bytes(PHOTO)
    return root


@pytest.mark.parametrize(
    ("name", "config"), [("docvqa-val", "DocVQA"), ("infographicvqa-val", "InfographicVQA")]
)
def test_official_files_and_hub_columns_ask_the_same(name: str, config: str, tmp_path: Path) -> None:
    row: dict[str, Any] = {**ROW, "questionId": "49153", "image": {"bytes": PHOTO, "path": None}}
    write_table(tmp_path / "hub" / config / "validation-00000-of-00001.parquet", [row])
    one, other = build(name, official(name, tmp_path / "a")), build(name, tmp_path / "hub")
    (ours,), (theirs,) = one.samples(), other.samples()
    assert (ours.id, one.target(ours)) == (theirs.id, other.target(theirs)) == ("49153", ROW["answers"])
    assert wording(asked(one, ours)) == wording(asked(other, theirs)) == "<image>What is the total?"
    assert shown_images(asked(one, ours)) == shown_images(asked(other, theirs)) == [PHOTO]
    right, near, far = values(one, answer(ours, "$1,234"), answer(ours, " $1,284\n"), answer(ours, "nothing"))
    assert [right["ANLS"], near["ANLS"], far["ANLS"]] == pytest.approx([1.0, 5 / 6, 0.0])


def test_a_question_without_its_image_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "val_v1.0.json", {"data": [ROW]})
    with pytest.raises(DataError, match="questionId 49153 has no field 'image'"):
        list(build("docvqa-val", tmp_path).samples())


@pytest.mark.parametrize(
    ("prediction", "answers", "expected"),
    [
        ("", [""], 1.0),
        ("A  B", ["a b"], 1.0),  # white space does not count in the distance
        ("ab", ["abcd"], 0.5),  # exactly the threshold stays
        ("ab", ["abcde"], 0.0),
        ("cat", ["dog", "cats"], 0.75),
        ("straße", ["strasse"], 1 - 2 / 7),  # lengths are taken in upper case
    ],
)
def test_anls_is_the_competitions(prediction: str, answers: list[str], expected: float) -> None:
    assert anls(prediction, answers) == pytest.approx(expected)


def test_anls_without_answers_is_refused() -> None:
    with pytest.raises(SampleError, match="at least one human answer"):
        anls("x", [])


_SHORT = st.text("abc", max_size=6)


@given(a=_SHORT, b=_SHORT, c=_SHORT)
def test_levenshtein_is_a_metric_bounded_by_the_lengths(a: str, b: str, c: str) -> None:
    distance = levenshtein(a, b)
    assert (distance == 0) == (a == b)
    assert distance == levenshtein(b, a)
    assert abs(len(a) - len(b)) <= distance <= max(len(a), len(b))
    assert levenshtein(a, c) <= distance + levenshtein(b, c)
