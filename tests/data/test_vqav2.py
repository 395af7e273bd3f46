"""VQAv2's official files: real ones, the miniature's, and all the ways in which they can be wrong."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.data.vqav2 import Question, human_answers, read_questions
from evalsuite.errors import DataError
from tests.goldens import golden_dir

QUESTIONS = {
    "questions": [
        {"question_id": 1000, "image_id": 1, "question": "what is it?"},
        {"question_id": 1001, "image_id": 1, "question": "is it red?"},
    ]
}
ANNOTATIONS = {
    "annotations": [
        {
            "question_id": number,
            "image_id": 1,
            "question_type": "what is",
            "answer_type": "other",
            "answers": [
                {"answer": "a cat", "answer_id": i, "answer_confidence": "yes"} for i in range(1, 11)
            ],
        }
        for number in (1001, 1000)
    ]
}


def read(
    folder: Path, questions: Any = QUESTIONS, annotations: Any = ANNOTATIONS, **more: Any
) -> list[Question]:
    (folder / "q.json").write_text(json.dumps(questions), encoding="utf-8")
    (folder / "a.json").write_text(json.dumps(annotations), encoding="utf-8")
    return list(read_questions(folder / "q.json", folder / "a.json", image, **more))


def image(image_id: int) -> Image:
    return Image(path=Path(f"{image_id}.jpg"))


def test_the_real_fragment_loads_with_its_photograph() -> None:
    folder = golden_dir("vqa")
    found = list(
        read_questions(
            folder / "v2_train2014_fragment_questions.json",
            folder / "v2_train2014_fragment_annotations.json",
            lambda image_id: Image(path=folder / f"COCO_train2014_{image_id:012d}.jpg"),
        )
    )
    assert [(one.id, one.image_id) for one in found] == [(f"45875200{k}", "458752") for k in range(3)]
    assert found[0].question == "What is this photo taken looking through?"
    assert len(found[0].answers) == 10
    assert found[0].answers[:4] == ("net", "net", "net", "netting")
    if not (folder / "COCO_train2014_000000458752.jpg").exists():
        pytest.skip("the photograph is not in the repository (golden set vqa)")
    photograph = found[0].image
    assert isinstance(photograph, Image)
    assert decode(photograph).mode == "RGB"


def test_questions_keep_their_order_and_get_their_annotations(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert [one.id for one in found] == ["1000", "1001"]
    assert found[0].answers == ("a cat",) * 10
    assert (found[0].question_type, found[0].answer_type) == ("what is", "other")


def test_test_splits_have_no_answers(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text(json.dumps(QUESTIONS))
    assert [one.answers for one in read_questions(tmp_path / "q.json", None, image)] == [(), ()]


def _drop(value: Any, *path: Any) -> Any:
    made = copy.deepcopy(value)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return made


def _set(value: Any, new: Any, *path: Any) -> Any:
    made = copy.deepcopy(value)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return made


Q, A = "questions", "annotations"


@pytest.mark.parametrize(
    ("questions", "annotations", "message"),
    [
        ({"questions": []}, ANNOTATIONS, r"q\.json holds no questions"),
        ([], ANNOTATIONS, r"q\.json has no field 'questions'"),
        (_set(QUESTIONS, 1001, Q, 0, "question_id"), ANNOTATIONS, r"question_id 1001 occurs twice"),
        (QUESTIONS, _set(ANNOTATIONS, 1000, A, 0, "question_id"), r"a\.json, question_id 1000 occurs twice"),
        (QUESTIONS, _drop(ANNOTATIONS, A, 0), r"q\.json, question_id 1001 has no annotation in .*a\.json"),
        (_drop(QUESTIONS, Q, 1), ANNOTATIONS, r"a\.json, question_id 1001 has no question"),
        (_drop(QUESTIONS, Q, 0, "image_id"), ANNOTATIONS, r"question_id 1000 has no field 'image_id'"),
        (_set(QUESTIONS, "7", Q, 0, "image_id"), ANNOTATIONS, r"'image_id' is str '7', not int"),
        (_set(QUESTIONS, None, Q, 0, "question"), ANNOTATIONS, r"'question' is NoneType None, not str"),
        (_set(QUESTIONS, 2, Q, 0, "image_id"), ANNOTATIONS, r"is about image 2, but its annotation about 1"),
        (QUESTIONS, _drop(ANNOTATIONS, A, 1, "answers", 0), r"question_id 1000 has 9 answers instead of 10"),
        (QUESTIONS, _set(ANNOTATIONS, 5, A, 1, "answers", 0, "answer"), r"an answer is int 5, not a string"),
        (QUESTIONS, _set(ANNOTATIONS, "cat", A, 1, "answers"), r"'answers' is str 'cat', not list"),
    ],
)  # fmt: skip
def test_malformed_files_are_refused_with_the_place(
    tmp_path: Path, questions: Any, annotations: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, questions, annotations)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), r"q\.json cannot be read \(No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), r"q\.json is not valid JSON: .* line 1"),
        (lambda path: path.write_bytes(b'{"questions": "\xe9"}'), r"q\.json is not UTF-8 \(byte 0xe9"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, spoil: Callable[[Path], Any], message: str) -> None:
    (tmp_path / "q.json").write_text(json.dumps(QUESTIONS))
    spoil(tmp_path / "q.json")
    with pytest.raises(DataError, match=message):
        list(read_questions(tmp_path / "q.json", None, image))


def test_gzipped_files_are_read_and_damaged_ones_named(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(QUESTIONS).encode())
    (tmp_path / "q.json.gz").write_bytes(packed)
    assert len(list(read_questions(tmp_path / "q.json.gz", None, image))) == 2
    (tmp_path / "q.json.gz").write_bytes(packed[:-20])
    with pytest.raises(DataError, match=r"q\.json\.gz cannot be read"):
        list(read_questions(tmp_path / "q.json.gz", None, image))


def test_another_number_of_answers_can_be_declared(tmp_path: Path) -> None:
    five = _set(ANNOTATIONS, [{"answer": "x"}] * 5, A, 1, "answers")
    assert read(tmp_path, annotations=five, answers=None)[0].answers == ("x",) * 5
    with pytest.raises(DataError, match="has 0 answers instead of one or more"):
        read(tmp_path, annotations=_set(ANNOTATIONS, [], A, 1, "answers"), answers=None)


@settings(max_examples=40)
@given(texts=st.lists(st.text(), min_size=10, max_size=10), as_objects=st.booleans())
def test_answers_come_back_unchanged_from_strings_and_objects(texts: list[str], as_objects: bool) -> None:
    given_ = [{"answer": text, "answer_id": i} for i, text in enumerate(texts)] if as_objects else texts
    assert human_answers(given_, "here") == tuple(texts)
