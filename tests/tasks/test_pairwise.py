"""LLaVA-Bench: what the judge is shown, and what its reviews come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.content import Text
from evalsuite.errors import DataError
from evalsuite.judging import Judged
from evalsuite.task import Answered, Judgement, Sample
from tests.tasks.asking import answer, build
from tests.tasks.tables import by_datasets, cell, image_files, json_lines


def files(folder: Path, caption: str = "1.jpg") -> Path:
    rows = [
        {"question_id": k, "image": "1.jpg", "category": kind, "text": f"Why {k}?"}
        for k, kind in enumerate(("conv", "complex"))
    ]
    json_lines(folder / "questions.jsonl", rows)
    json_lines(folder / "context.jsonl", [{"id": "1", "image": caption, "caption": ["A bowl.", "Red."]}])
    json_lines(folder / "answers_gpt4.jsonl", [{"question_id": k, "text": f"Because {k}."} for k in range(2)])
    image_files(folder / "images", "1.jpg")
    return folder


def reviewed(sample: Sample, *reviews: str) -> Answered:
    one = answer(sample, "So.")
    return Answered(one.sample, one.responses, tuple((Judgement(text),) for text in reviews))


def test_the_judge_sees_both_answers_and_the_captions(tmp_path: Path) -> None:
    task = build("llava-bench-in-the-wild", files(tmp_path))
    assert isinstance(task, Judged)
    first, _ = task.samples()
    chat = task.question(answer(first, "So."), ())
    assert chat is not None
    (part,) = chat.messages[-1].parts
    assert isinstance(part, Text)
    assert part.text.startswith(
        "[Context]\nA bowl.\nRed.\n\n[Question]\nWhy 0?\n\n"
        "[Assistant 1]\nBecause 0.\n\n[End of Assistant 1]\n\n"
        "[Assistant 2]\nSo.\n\n[End of Assistant 2]\n\n[System]\nWe would like"
    )
    assert task.question(answer(first, "So."), (Judgement("8 9"),)) is None


def test_the_score_is_a_share_of_the_references(tmp_path: Path) -> None:
    task = build("llava-bench-in-the-wild", files(tmp_path))
    first, second = task.samples()
    assert "evalsuite judge" in task.score([answer(first, "So.")]).missing["relative"]
    scores = task.score([reviewed(first, "8 6", "8 4"), reviewed(second, "10 10")])
    assert [row.values for row in scores.rows] == [
        {"model": 5, "reference": 8},
        {"model": 10, "reference": 10},
    ]
    import numpy as np

    found = {one.group: one for one in scores.statistics if one.metric.name == "relative"}
    assert found[""].function is not None
    assert found[""].function(np.arange(2)) == pytest.approx(0.833)
    assert set(found) == {"", "category=conv", "category=complex"}


def test_reviews_without_scores_count_as_officially_and_are_unread(tmp_path: Path) -> None:
    task = build("llava-bench-in-the-wild", files(tmp_path))
    first, second = task.samples()
    one, other = task.score([reviewed(first, "Both are good."), reviewed(second, "nan inf")]).rows
    assert (one.values, one.unread) == ({"model": -1, "reference": -1}, True)
    assert "no finite numbers" in other.failure


def test_the_hubs_table(tmp_path: Path) -> None:
    row = {"question_id": 3, "question": "Why?", "caption": "A bowl.", "gpt_answer": "So.",
           "category": "conv", "image": cell(0)}  # fmt: skip
    by_datasets(tmp_path / "data" / "train-00000-of-00001.parquet", [row])
    (sample,) = build("llava-bench-in-the-wild", tmp_path).samples()
    assert (sample.record.context, sample.record.reference) == ("A bowl.", "So.")
    assert sample.labels == {"category": "conv"}


def test_a_question_without_its_caption_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="question 0 has no caption"):
        [*build("llava-bench-in-the-wild", files(tmp_path, "2.jpg")).samples()]
