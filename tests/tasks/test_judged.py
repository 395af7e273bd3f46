"""MM-Vet: official file and hub columns ask the same, in the wording of each protocol."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from evalsuite.errors import DataError
from evalsuite.judging import Judged
from evalsuite.task import Judgement
from tests.data.image_files import encoded
from tests.tasks.asking import answer, asked, build, shown_images, wording, write_json, write_table

PHOTO = encoded("PNG")


def official_data(root: Path) -> Path:
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
    one, other = build("mm-vet", official_data(tmp_path / "a")), build("mm-vet", hub(tmp_path / "b"))
    (ours,), (theirs,) = one.samples(), other.samples()
    assert one.target(ours) == other.target(theirs) == "-1<AND>-5"
    assert ours.labels == theirs.labels == {"capabilities": "math+ocr"}
    assert wording(asked(one, ours)) == wording(asked(other, theirs)) == "<image>What is x in the equation?"
    assert shown_images(asked(one, ours)) == shown_images(asked(other, theirs)) == [PHOTO]


def test_dreamllms_wording_is_that_of_its_script(tmp_path: Path) -> None:
    task = build("mm-vet", official_data(tmp_path), protocol="dreamllm")
    assert wording(asked(task, next(task.samples()))) == (
        "This is an exam, please answer according to the image and question.<image>What is x in the equation?"
        "Please provide an accurate, detailed and comprehensive answer."
    )


def test_the_judges_question_is_the_official_one(tmp_path: Path) -> None:
    task = build("mm-vet", official_data(tmp_path))
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
    task = build(
        "mm-vet", official_data(tmp_path / "d"), options={"grades": str(grades), "judge": "gpt-4-0613"}
    )
    scores = task.score([answer(next(task.samples()), "x = -1")])
    assert scores.rows[0].values == {"score": 0.5}
    assert task.info.judge == "gpt-4-0613"


def test_an_answer_without_a_grade_is_a_failure_not_a_zero(tmp_path: Path) -> None:
    grades = write_json(tmp_path / "grades.json", {"v1_9": [0.5]})
    task = build("mm-vet", official_data(tmp_path / "d"), options={"grades": str(grades), "judge": "someone"})
    (row,) = task.score([answer(next(task.samples()), "x = -1")]).rows
    assert row.failure == "the judge has not graded this answer"


def test_where_nobody_has_judged_the_score_is_missing_with_the_command_that_would_make_it(
    tmp_path: Path,
) -> None:
    task = build("mm-vet", official_data(tmp_path))
    scores = task.score([answer(next(task.samples()), "x = -1")])
    assert "evalsuite judge RUN --task mm-vet --judge gpt-4-0613" in scores.missing["score"]
    assert [row.failure for row in scores.rows] == [""]


@pytest.mark.parametrize(
    ("replies", "checked", "official"),
    [
        (["I cannot say"] * 5, 0.0, 0.0),
        (["8/10"] * 5, None, 0.0),
        (["I cannot say"] * 4 + ["5"], None, 0.0),
        ([""] * 5, None, 0.0),
        (["80", "0.8"], 0.8, 0.8),
    ],
)
def test_five_replies_on_another_scale_or_empty_are_a_failed_judgement(
    tmp_path: Path, replies: list[str], checked: float | None, official: float
) -> None:
    data = official_data(tmp_path)
    for rules, value in (("official", checked), ("official-unchecked", official)):
        task = build("mm-vet", data, rules=rules)
        one = replace(
            answer(next(task.samples()), "x"), judgements=(tuple(Judgement(text) for text in replies),)
        )
        (row,) = task.score([one]).rows
        assert row.values == ({} if value is None else {"score": value})
        assert bool(row.failure) == (value is None)


def test_an_answer_that_the_judge_was_not_asked_about_has_no_score_and_has_not_failed(tmp_path: Path) -> None:
    task = build("mm-vet", official_data(tmp_path))
    one = answer(next(task.samples()), "x")
    said = [((Judgement("0.5"),), (Judgement("0.5"),)), ((Judgement("0.5"),), ()), ((), ())]
    scores = task.score([replace(one, judgements=runs) for runs in said])
    assert [(row.failure, row.values.get("score")) for row in scores.rows] == [
        ("", 0.5),
        ("", None),
        ("", None),
    ]
    assert not scores.missing
    assert list(scores.statistics[0].rows) == [0]


def test_malformed_questions_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "mm-vet.json", {"v1_0": {"imagename": "a.png", "question": "?"}})
    with pytest.raises(DataError, match=r"mm-vet\.json, v1_0 has no field 'answer'"):
        list(build("mm-vet", tmp_path).samples())
