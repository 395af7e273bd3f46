"""Answers and options that are empty or no text: scored as the official rule says, or refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.metrics.captions import score_captions
from evalsuite.metrics.choice import circular_hit, extract_choice
from evalsuite.metrics.pope import yes_or_no
from evalsuite.metrics.vqa import VQA_RULES, vqa_accuracy
from evalsuite.request import ImageResponse
from evalsuite.task import Answered
from tests.tasks.asking import answer, build, write_json
from tests.tasks.test_choice import HEADER, rows, written


@pytest.mark.parametrize("rule", VQA_RULES)
def test_an_empty_answer_to_an_open_question_is_wrong_unless_people_said_nothing(rule: str) -> None:
    assert vqa_accuracy("", ["cat"] * 10, rule) == 0
    assert vqa_accuracy("", [""] * 10, rule) == 1
    if rule != "vizwiz":  # which compares with the human answers as they are
        assert vqa_accuracy("the", ["a", "."] * 5, rule) == 1  # nothing is left of either


def test_an_empty_answer_is_a_yes_to_popes_script_and_unread_elsewhere() -> None:
    assert yes_or_no("") is True
    assert yes_or_no("", "lmms-eval") is None
    assert yes_or_no("", "vlmevalkit") is None


def test_an_empty_answer_to_a_choice_is_undecided_and_so_wrong() -> None:
    assert extract_choice("", {"A": "cat", "B": "dog"}) is None
    assert circular_hit("AB", ["A", extract_choice("", {"A": "cat", "B": "dog"})]) is None


def test_an_empty_caption_keeps_its_place_and_scores_nothing() -> None:
    scores = score_captions(["", "a cat"], [["a dog runs"], ["a cat"]])
    assert scores.cider[0] == scores.rouge[0] == 0
    assert scores.rouge[1] == 1


def test_choices_that_a_data_frame_left_as_nan_are_no_options(tmp_path: Path) -> None:
    table = [dict(zip(HEADER, row, strict=True)) for row in rows()]
    columns = {name: [row[name] for row in table] for name in HEADER}
    columns["index"] = [int(value) for value in columns["index"]]  # type: ignore[misc]
    columns["D"] = [float("nan")] * len(table)  # type: ignore[list-item]
    columns["C"] = [row["C"] or "nan" for row in table]
    columns["L2-category"] = columns.pop("l2-category")
    columns["image"] = [{"bytes": b"x", "path": None}] * len(table)  # type: ignore[list-item]
    (tmp_path / "en").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "en" / "dev-00000-of-00001.parquet")
    first, second = build("mmbench-dev-en", tmp_path).samples()
    assert list(first.record.rotations[0].options) == ["A", "B", "C"]
    assert list(second.record.rotations[0].options) == ["A", "B"]


def test_a_response_that_is_no_text_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    task = build("mmbench-dev-en", written(tmp_path, rows()))
    first, second = task.samples()
    scores = task.score([Answered(first, (ImageResponse(()),) * 3), answer(second, "A", "B")])
    assert "is a ImageResponse, not text" in scores.rows[0].failure
    assert scores.rows[1].values["circular"] == 1
    assert all(0 not in statistic.rows for statistic in scores.statistics)


@pytest.mark.parametrize(("answers", "message"), [([], "0 answers"), (["a"] * 9, "9 answers instead of 10")])
def test_another_number_of_human_answers_is_refused_with_the_question(
    answers: list[str], message: str, tmp_path: Path
) -> None:
    question = {"question_id": 7, "image_id": 7, "question": "q"}
    write_json(tmp_path / "v2_OpenEnded_mscoco_val2014_questions.json", {"questions": [question]})
    given = [{"answer": text, "answer_id": n} for n, text in enumerate(answers)]
    rows_given = {"annotations": [{**question, "answers": given}]}
    write_json(tmp_path / "v2_mscoco_val2014_annotations.json", rows_given)
    with pytest.raises(Exception, match=f"question_id 7 has {message}"):
        list(build("vqav2", tmp_path).samples())
