"""`open-table` and `yesno-table`: single answers and lists, pairs and groups, rows without an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.data.vqav2 import Question
from evalsuite.errors import DataError, SpecError
from evalsuite.task.table_readers import YesNoQuestion, read_open, read_yes_no, yes
from tests.tasks.tables import PHOTOS, base64_of, cell, delimited, image_files, json_file, located, parquet

OPEN = {"question": "q", "answers": "a", "image": "image"}


def opened(folder: Path, answers: list[Any], **settings: Any) -> list[Question]:
    parquet(folder / "t.parquet", [{"q": "How many?", "a": answer, "image": cell(0)} for answer in answers])
    return [*read_open(located(folder, "open-table", OPEN, **settings))]


def test_one_answer_or_a_list_of_them(tmp_path: Path) -> None:
    assert [one.answers for one in opened(tmp_path, ["seven", " 7.0 "])] == [("seven",), (" 7.0 ",)]
    assert [one.answers for one in opened(tmp_path, [["a", "b"], ["c"]])] == [("a", "b"), ("c",)]
    assert [one.answers for one in opened(tmp_path, [7, 8])] == [("7",), ("8",)]
    assert [one.answers for one in opened(tmp_path, [[1, 2], [3]])] == [("1", "2"), ("3",)]
    people = [[{"answer": "a", "answer_id": 1}, {"answer": "b", "answer_id": 2}]]
    assert [one.answers for one in opened(tmp_path, people, count=2)] == [("a", "b")]


@pytest.mark.parametrize(
    ("answer", "settings", "message"),
    [
        ("", {}, "has no answer"),
        (None, {}, "has no answer"),
        ([], {}, "has 0 answers instead of one or more"),
        (["a", "b"], {"count": 10}, "has 2 answers instead of 10"),
        (["a", None], {}, "an answer is NoneType None, not a string"),
    ],
)
def test_a_row_without_its_answers_is_named(
    tmp_path: Path, answer: Any, settings: dict[str, Any], message: str
) -> None:
    json_file(tmp_path / "t.json", [{"q": "q?", "a": answer, "image": "1.png"}])
    source = located(tmp_path, "open-table", OPEN, **settings)
    with pytest.raises(DataError, match=rf"t\.json, row 0 \(id 0\).* {message}"):
        [*read_open(source)]


def test_without_a_column_of_answers_they_are_not_public(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"q": "q?", "image": cell(0)}])
    (one,) = read_open(located(tmp_path, "open-table", {"question": "q", "image": "image"}))
    assert one.answers == ()


def test_vlmevalkits_table_of_open_questions(tmp_path: Path) -> None:
    rows = [
        {
            "index": 3,
            "question": 'say "hi"',
            "answer": "['hi', 'ho']",
            "image": base64_of(1),
            "split": "a",
        },
        {"index": 4, "question": "and\nnow?", "answer": "[no]", "image": "3", "split": "b"},
    ]
    delimited(tmp_path / "t.tsv", rows)
    columns = {"id": "index", "question": "question", "answers": "answer", "image": "image"}
    with pytest.raises(
        DataError, match=r"index 3 \(id 3\): the answer .* is the text of a list\. Say `settings"
    ):
        [*read_open(located(tmp_path, "open-table", columns))]
    (one, _) = read_open(located(tmp_path, "open-table", columns, listed="one"))
    assert one.answers == ("['hi', 'ho']",)
    found = [*read_open(located(tmp_path, "open-table", columns, labels=["split"], listed="list"))]
    assert [one.answers for one in found] == [("hi", "ho"), ("[no]",)]
    assert [(one.id, one.question, one.labels) for one in found] == [
        ("3", 'say "hi"', {"split": "a"}), ("4", "and\nnow?", {"split": "b"}),
    ]  # fmt: skip
    assert [one.image.read() for one in found if not isinstance(one.image, tuple)] == [PHOTOS[1], PHOTOS[1]]


HALLUSION = [
    {"category": "VD", "subcategory": "illusion", "visual_input": "1", "set_id": "0", "figure_id": "1",
     "question_id": "0", "question": "Is it?", "gt_answer": "1", "filename": "./hallusion_bench/VD/0_1.png"},
    {"category": "VS", "subcategory": "chart", "visual_input": "0", "set_id": "0", "figure_id": "0",
     "question_id": "0", "question": "Was it?", "gt_answer": "0", "filename": None},
]  # fmt: skip


def hallusion(folder: Path, **settings: Any) -> list[YesNoQuestion]:
    json_file(folder / "HallusionBench.json", HALLUSION)
    image_files(folder / "hallusion_bench", "VD/0_1.png")
    labels = ["category", "subcategory", "set_id", "figure_id", "question_id"]
    source = located(
        folder, "yesno-table", {"question": "question", "answer": "gt_answer", "image": "filename"},
        {"table": "HallusionBench.json", "images": "."}, labels=labels,
        id="{category}/{subcategory}/{set_id}/{figure_id}/{question_id}",
        cluster=["category", "subcategory", "set_id"], **settings,
    )  # fmt: skip
    return [*read_yes_no(source)]


def test_groups_and_rows_without_an_image(tmp_path: Path) -> None:
    seen, unseen = hallusion(tmp_path, no_image="ask")
    assert (seen.id, seen.image_name, seen.label) == ("VD/illusion/0/1/0", "VD/illusion/0", True)
    assert (unseen.id, unseen.image, unseen.label, unseen.problem) == ("VS/chart/0/0/0", (), False, "")
    assert unseen.labels["figure_id"] == "0"
    assert [one.id for one in hallusion(tmp_path, where={"visual_input": ["1", "2"]})] == [
        "VD/illusion/0/1/0"
    ]
    assert "has no image" in hallusion(tmp_path)[1].problem


def test_hidden_answers_of_yes_or_no(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"q": "q?", "image": cell(0)}])
    (one,) = read_yes_no(located(tmp_path, "yesno-table", {"question": "q", "image": "image"}))
    assert one.label is None


@pytest.mark.parametrize("answer", ["maybe", "", None, "2"])
def test_an_answer_that_is_neither_yes_nor_no_is_named(tmp_path: Path, answer: Any) -> None:
    parquet(tmp_path / "t.parquet", [{"q": "q?", "a": answer, "image": cell(0)}])
    source = located(tmp_path, "yesno-table", {"question": "q", "answer": "a", "image": "image"})
    with pytest.raises(DataError, match=r"row 0 \(id 0\): the answer is .*, neither yes nor no"):
        [*read_yes_no(source)]


def test_settings_of_another_reader_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"q": "q?", "a": "yes", "image": cell(0)}])
    source = located(tmp_path, "yesno-table", {"question": "q", "answer": "a"}, options=["A", "B"])
    with pytest.raises(SpecError, match="options: Extra inputs are not permitted"):
        [*read_yes_no(source)]


words = st.sampled_from(["yes", "no", "true", "false", "y", "n"])


@given(
    words, st.sampled_from([str.lower, str.upper, str.title]), st.sampled_from(["", " ", "\n"]), st.booleans()
)
def test_yes_and_no_are_read_in_any_case_and_with_a_period(
    word: str, case: Any, space: str, period: bool
) -> None:
    said = space + case(word) + "." * period + space
    assert yes(said, "here") is (word in ("yes", "true", "y"))


@given(st.text(max_size=6) | st.integers() | st.floats() | st.none() | st.booleans())
def test_whatever_the_cell_holds_it_is_yes_no_or_an_error(value: Any) -> None:
    try:
        found = yes(value, "row 9")
    except DataError as error:
        assert "row 9" in str(error)  # noqa: PT017
    else:
        assert found == (str(value).strip(" \n\r\t\v\f.").lower() in ("yes", "y", "true", "1", "1.0"))
