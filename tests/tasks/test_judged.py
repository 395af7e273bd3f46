"""MM-Vet: official file and hub columns ask the same, in the wording of each protocol."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from evalsuite.errors import DataError
from evalsuite.judging import Judged
from tests.data.image_files import encoded
from tests.tasks.asking import answer, asked, build, pictures, wording, write_json, write_table

PHOTO = encoded("PNG")


def official(root: Path) -> Path:
    write_json(root / "mm-vet.json", {"v1_0": {
        "imagename": "v1_0.png", "question": "What is x in the equation?", "answer": "-1<AND>-5",
        "capability": ["ocr", "math"], "imagesource": "web"}})  # fmt: skip
    (root / "images").mkdir()
    (root / "images" / "v1_0.png").write_bytes(PHOTO)
    return root


def hub(root: Path) -> Path:
    write_table(root / "data" / "test-00000-of-00001.parquet", [{
        "question_id": "v1_0",
        "image": {"bytes": PHOTO, "path": None}, "question": "What is x in the equation?",
        "answer": "-1<AND>-5", "capability": "ocr,math"}])  # fmt: skip
    return root


def test_official_file_and_hub_columns_ask_the_same(tmp_path: Path) -> None:
    one, other = build("mm-vet", official(tmp_path / "a")), build("mm-vet", hub(tmp_path / "b"))
    (ours,), (theirs,) = one.samples(), other.samples()
    assert one.target(ours) == other.target(theirs) == "-1<AND>-5"
    assert ours.labels == theirs.labels == {"capabilities": "math+ocr"}
    assert wording(asked(one, ours)) == wording(asked(other, theirs)) == "<image>What is x in the equation?"
    assert pictures(asked(one, ours)) == pictures(asked(other, theirs)) == [PHOTO]


def test_dreamllms_wording_is_that_of_its_script(tmp_path: Path) -> None:
    task = build("mm-vet", official(tmp_path), protocol="dreamllm")
    assert wording(asked(task, next(task.samples()))) == (
        "This is an exam, please answer according to the image and question.<image>What is x in the equation?"
        "Please provide an accurate, detailed and comprehensive answer."
    )


def test_the_judges_question_is_the_official_one(tmp_path: Path) -> None:
    task = build("mm-vet", official(tmp_path))
    assert isinstance(task, Judged)
    chat = task.question(answer(next(task.samples()), "x = -1\n"), ())
    assert chat is not None
    (message,) = chat.messages
    prompt, _, asked_about = message.text.rpartition("\n")
    # Of the string `prompt` in yuweihao/MM-Vet mm-vet_evaluator.py.
    assert hashlib.sha256(prompt.encode()).hexdigest() == (
        "d1b3e0a5b4e72c888b77164489d705bba4dd149934fff564dfba6443d81afe3f"
    )
    assert asked_about == "What is x in the equation? | -1 <AND> -5 | x = -1 | "
    assert (chat.max_tokens, chat.temperature) == (3, 0.0)


def test_the_official_scripts_own_grade_file_is_read(tmp_path: Path) -> None:
    graded = {"v1_0": {"model": ["gpt-4-0613"], "content": ["0.5"], "score": [0.5]}}
    grades = write_json(tmp_path / "grades.json", graded)
    task = build("mm-vet", official(tmp_path / "d"), options={"grades": str(grades), "judge": "gpt-4-0613"})
    scores = task.score([answer(next(task.samples()), "x = -1")])
    assert scores.rows[0].values == {"score": 0.5}
    assert task.info.judge == "gpt-4-0613"


def test_an_answer_without_a_grade_is_a_failure_not_a_zero(tmp_path: Path) -> None:
    grades = write_json(tmp_path / "grades.json", {"v1_9": [0.5]})
    task = build("mm-vet", official(tmp_path / "d"), options={"grades": str(grades), "judge": "someone"})
    (row,) = task.score([answer(next(task.samples()), "x = -1")]).rows
    assert row.failure == "the judge has not graded this answer"


def test_where_nobody_has_judged_the_score_is_missing_with_the_command_that_would_make_it(
    tmp_path: Path,
) -> None:
    task = build("mm-vet", official(tmp_path))
    scores = task.score([answer(next(task.samples()), "x = -1")])
    assert "evalsuite judge RUN --task mm-vet --judge gpt-4-0613" in scores.missing["score"]
    assert [row.failure for row in scores.rows] == [""]


def test_malformed_questions_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "mm-vet.json", {"v1_0": {"imagename": "a.png", "question": "?"}})
    with pytest.raises(DataError, match=r"mm-vet\.json, v1_0 has no field 'answer'"):
        list(build("mm-vet", tmp_path).samples())
