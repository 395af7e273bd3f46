"""MMVP and MMMU-Pro on tables as their authors and the hub have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError
from tests.tasks.asking import answer, asked, build, shown_images, values, wording
from tests.tasks.tables import PHOTOS, by_datasets, cell, delimited, image_files, parquet
from tests.tasks.test_hub_layouts import statistics

MMVP = [("Open?", "(a) Open (b) Closed", "(a)"), ("Open?", "(a) Open (b) Closed", "(b)")]


def mmvp(folder: Path, index: str = "lndex", **changes: str) -> Path:
    rows = [
        {index: str(k + 1), "Question": q, "Options": o, "Correct Answer": a, **changes}
        for k, (q, o, a) in enumerate(MMVP)
    ]
    delimited(folder / "Questions.csv", rows, ",")
    image_files(folder / "MMVP Images", "1.jpg", "2.jpg")
    return folder


@pytest.mark.parametrize("index", ["lndex", "Index"])
def test_mmvp_in_the_authors_files(tmp_path: Path, index: str) -> None:
    task = build("mmvp", mmvp(tmp_path, index))
    first, second = task.samples()
    assert (first.id, first.labels, second.cluster) == ("1", {"pair": "0"}, "0")
    assert wording(asked(task, first)) == (
        "<image>Open?\nA. Open\nB. Closed\nAnswer with the option's letter from the given choices directly."
    )
    assert shown_images(asked(task, second)) == [PHOTOS[1]]
    official = build("mmvp", tmp_path, protocol="official")
    assert wording(asked(official, first)) == "<image>Open? (a) Open (b) Closed"
    assert statistics(task, ["A", "It is Closed"]) == {"pairs": 100, "accuracy": 100}
    assert statistics(task, ["A", "A"]) == {"pairs": 0, "accuracy": 50}


def test_mmvp_of_lmms_eval_has_the_same_pairs(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"Index": k + 1, "Question": q, "Options": o, "Correct Answer": a, "image": cell(k)}
        for k, (q, o, a) in enumerate(MMVP)
    ]
    by_datasets(tmp_path / "data" / "train-00000-of-00001.parquet", rows)
    samples = [*build("mmvp", tmp_path).samples()]
    assert [(sample.id, sample.labels["pair"], sample.cluster) for sample in samples] == [
        ("1", "0", "0"), ("2", "0", "0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"Options": "(a) Open"}, "are not two"),
        ({"Correct Answer": "(c)"}, "none of the options"),
        ({"lndex": "x"}, "not a number from 1"),
    ],
)
def test_a_damaged_mmvp_row_is_refused(tmp_path: Path, changes: dict[str, str], fault: str) -> None:
    task = build("mmvp", mmvp(tmp_path, **changes))
    with pytest.raises(DataError, match=fault):
        [*task.samples()]


def test_mmmu_pro_shows_images_where_their_marks_stand(tmp_path: Path) -> None:
    row: dict[str, Any] = {
        "id": "test_Art_1", "question": "Which of <image 1>?", "options": "['<image 2>', 'none']",
        "answer": "B", "subject": "Art", "topic_difficulty": "Easy", "img_type": "['Photo']",
        **{f"image_{k}": cell(k - 1) if k < 3 else None for k in range(1, 8)},
    }  # fmt: skip
    table = tmp_path / "standard (10 options)" / "test-00000-of-00001.parquet"
    by_datasets(table, [row], tuple(f"image_{k}" for k in range(1, 8)))
    task = build("mmmu-pro-standard", tmp_path)
    (sample,) = task.samples()
    assert wording(asked(task, sample)) == (
        "Which of <image>?\nA. <image>\nB. none\n"
        "Answer with the option letter from the given choices directly."
    )
    assert shown_images(asked(task, sample)) == PHOTOS[:2]
    (row_of,) = values(task, answer(sample, "Answer: B"))
    assert row_of["accuracy"] == 1


def test_mmmu_pro_in_the_image_alone(tmp_path: Path) -> None:
    row = {
        "id": "test_Art_1",
        "options": "['a', 'b', 'c']",
        "answer": "C",
        "subject": "Art",
        "image": cell(0),
    }
    by_datasets(tmp_path / "vision" / "test-00000-of-00001.parquet", [row])
    task = build("mmmu-pro-vision", tmp_path)
    (sample,) = task.samples()
    assert wording(asked(task, sample)).endswith("where LETTER is one of options.<image>")
    cot = build("mmmu-pro-vision", tmp_path, protocol="cot")
    assert wording(asked(cot, sample)).startswith("Write out the multiple-choice question in the image")
    (row_of,) = values(task, answer(sample, "I think so.\nAnswer: C"))
    assert row_of["accuracy"] == 1


def test_seed_bench_2_asks_what_has_answers_in_text(tmp_path: Path) -> None:
    row: dict[str, Any] = {
        "question_id": "7", "question": "Which?", "choice_a": "a", "choice_b": "b", "choice_c": "c",
        "choice_d": "d", "answer": "C", "data_type": "Multiple Images", "question_type_id": 10,
    }  # fmt: skip
    other = {**row, "question_id": "8", "data_type": "Image Generation"}
    rows = [{**one, "image": [cell(0), cell(1)]} for one in (row, other)]
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", rows)
    task = build("seed-bench-2", tmp_path)
    (sample,) = task.samples()
    assert sample.labels == {"data_type": "Multiple Images", "question_type": "10"}
    assert wording(asked(task, sample)).startswith(
        "<image><image>Which?\nA. a\nB. b\nC. c\nD. d\nAnswer with"
    )
    assert [row["accuracy"] for row in values(task, answer(sample, "C. c"), answer(sample, "c"))] == [1, 1]


def test_textcaps_from_the_hub(tmp_path: Path) -> None:
    row = {"image_id": "x1", "image": cell(0), "caption_str": ["a sign that says stop", "stop sign"]}
    by_datasets(tmp_path / "data" / "val-00000-of-00001.parquet", [row])
    task = build("textcaps-val", tmp_path)
    (sample,) = task.samples()
    assert sample.id == "x1"
    assert wording(asked(task, sample)) == "<image>Provide a one-sentence caption for the provided image."
