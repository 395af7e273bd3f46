"""ScienceQA, SEED-Bench, MMMU: official files and hub columns, wording, and each named rule's verdict."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError
from evalsuite.metrics.letters import mmmu_open_hit, read_letter
from tests.data.image_files import encoded
from tests.tasks.asking import (
    ENTRIES,
    answer,
    asked,
    build,
    shown_images,
    values,
    wording,
    write_json,
    write_table,
)

PHOTOS = [encoded("PNG", seed=n) for n in range(3)]
OPTIONS = {"A": "cat", "B": "dog", "C": "cat dog"}
PROBLEM: dict[str, Any] = {
    "question": "Which is warmer?", "choices": ["the cup", "the ice"], "answer": 0,
    "hint": "Two things are shown.",
    "subject": "natural science", "topic": "physics",
}  # fmt: skip


def cell(n: int) -> dict[str, Any]:
    return {"bytes": PHOTOS[n], "path": f"{n}.png"}


def picture(path: Path, n: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PHOTOS[n])


def scienceqa(root: Path, **changes: Any) -> Path:
    problems = {"11": {**PROBLEM, "image": "image.png", **changes}, "12": {**PROBLEM, "image": None}}
    write_json(root / "problems.json", problems)
    write_json(root / "pid_splits.json", {"train": [], "test": ["11", "12"]})
    picture(root / "images" / "test" / "11" / "image.png")
    return root


def seed(root: Path, **changes: Any) -> Path:
    row = {
        "question_id": "101669", "question": "How many towels?", "choice_a": "One", "choice_b": "Two",
        "choice_c": "Three", "choice_d": "Four", "answer": "A", "data_id": "1454426_2591111986",
        "data_type": "image", "question_type_id": 5,
    }  # fmt: skip
    video = {**row, "question_id": "2", "data_type": "video", "data_id": "v.mp4"}
    write_json(
        root / "SEED-Bench.json",
        {"question_type": {"Instances Counting": 5}, "questions": [{**row, **changes}, video]},
    )
    picture(root / "SEED-Bench-image" / "1454426_2591111986")
    return root


def seed_hub(root: Path) -> Path:
    row = {
        "question_id": "101669", "question": "How many towels?", "choice_a": "One", "choice_b": "Two",
        "choice_c": "Three", "choice_d": "Four", "answer": "A", "data_type": "image", "image": [cell(0)],
    }  # fmt: skip
    rows = [row, {**row, "question_id": "2", "data_type": "video", "image": [cell(0), cell(1)]}]
    write_table(root / "data" / "test-00000-of-00001.parquet", rows)
    return root


def mmmu(root: Path, **changes: Any) -> Path:
    row: dict[str, Any] = {
        "id": "validation_Art_Theory_12", "question": "What do <image 1> and <image 2> share?",
        "options": "['colour', \"the artist's hand\", '<image 3>']", "answer": "B",
        "question_type": "multiple-choice",
        "image_1": cell(0), "image_2": cell(1), "image_3": cell(2), "image_4": None,
    }  # fmt: skip
    rows = [{**row, **changes} | {f"image_{n}": None for n in (5, 6, 7)}]
    write_table(root / "data" / "validation-00000-of-00001.parquet", rows)
    return root


def test_scienceqa_official_files_and_hub_columns_ask_the_same(tmp_path: Path) -> None:
    write_table(
        tmp_path / "hub" / "ScienceQA-IMG" / "test-00000-of-00001.parquet", [{**PROBLEM, "image": cell(0)}]
    )
    one, other = build("scienceqa-img", scienceqa(tmp_path / "a")), build("scienceqa-img", tmp_path / "hub")
    (ours,), (theirs,) = one.samples(), other.samples()
    assert (ours.id, one.target(ours), other.target(theirs)) == ("11", ["A"], ["A"])
    assert (
        wording(asked(one, ours))
        == wording(asked(other, theirs))
        == (
            "<image>Context: Two things are shown.\nWhich is warmer?\nA. the cup\nB. the ice\n"
            "Answer with the option's letter from the given choices directly."
        )
    )
    assert shown_images(asked(one, ours)) == shown_images(asked(other, theirs)) == [PHOTOS[0]]
    assert [
        row["accuracy"] for row in values(one, *(answer(ours, text) for text in ("A. the cup", "a", "B")))
    ] == [1, 0, 0]
    lmms = build("scienceqa-img", tmp_path / "a", rules="lmms-eval")
    assert values(lmms, answer(ours, "a")) == [{"accuracy": 1.0}]


def test_seed_bench_leaves_videos_out_and_asks_the_same_from_both(tmp_path: Path) -> None:
    one, other = (
        build("seed-bench-image", seed(tmp_path / "a")),
        build("seed-bench-image", seed_hub(tmp_path / "b")),
    )
    (ours,), (theirs,) = one.samples(), other.samples()
    assert ours.id == theirs.id == "101669"
    assert ours.labels == {"question_type": "Instances Counting"}
    assert (
        wording(asked(one, ours))
        == wording(asked(other, theirs))
        == (
            "<image>\nHow many towels?\nA. One\nB. Two\nC. Three\nD. Four\n"
            "Answer with the option's letter from the given choices directly."
        )
    )
    assert shown_images(asked(one, ours)) == shown_images(asked(other, theirs)) == [PHOTOS[0]]
    assert values(one, answer(ours, "A"), answer(ours, "A.")) == [{"accuracy": 1.0}, {"accuracy": 0.0}]
    lmms = build("seed-bench-image", tmp_path / "a", rules="lmms-eval")
    assert values(lmms, answer(ours, "a. One"), answer(ours, "One")) == [{"accuracy": 1.0}, {"accuracy": 0.0}]


def test_mmmu_shows_every_image_where_its_mark_stands(tmp_path: Path) -> None:
    task = build("mmmu-val", mmmu(tmp_path))
    (sample,) = task.samples()
    request = asked(task, sample)
    assert wording(request) == (
        "What do <image> and <image> share?\n(A) colour\n(B) the artist's hand\n(C) <image>\n\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert shown_images(request) == PHOTOS
    assert sample.labels == {"discipline": "Art and Design", "subject": "Art_Theory"}
    assert values(task, answer(sample, "It is (B)."), answer(sample, "A")) == [
        {"accuracy": 1.0},
        {"accuracy": 0.0},
    ]
    strict = build("mmmu-val", tmp_path, rules="undecided-is-wrong")
    assert values(strict, answer(sample, "no idea")) == [{"accuracy": 0.0}]


@pytest.mark.parametrize("right", ["(B)", "D", "colour", "1"])
def test_an_answer_of_mmmu_that_is_none_of_the_options_names_the_row(tmp_path: Path, right: str) -> None:
    task = build("mmmu-val", mmmu(tmp_path, answer=right))
    message = (
        rf"row 0 \(validation_Art_Theory_12\): the answer '{re.escape(right)}' is none of the options A, B, C"
    )
    with pytest.raises(DataError, match=message):
        [*task.samples()]
    report = ENTRIES["mmmu-val"].inspect
    assert report is not None
    assert not report(tmp_path, True).complete


def test_answers_of_mmmu_may_be_hidden_and_open_ones_are_not_letters(tmp_path: Path) -> None:
    (hidden,) = build("mmmu-val", mmmu(tmp_path / "a", answer="?")).samples()
    (opened,) = build(
        "mmmu-val", mmmu(tmp_path / "b", answer="['7', 'seven']", question_type="open")
    ).samples()
    assert (hidden.record.answers, len(hidden.record.options)) == ((), 3)
    assert (opened.record.answers, len(opened.record.options)) == (("7", "seven"), 0)


def test_undecided_answers_of_mmmu_are_guessed_as_the_official_script_guesses(tmp_path: Path) -> None:
    task = build("mmmu-val", mmmu(tmp_path))
    (sample,) = task.samples()
    music, art = (replace(sample, id=name, labels={"subject": name}) for name in ("Music", "Art"))
    said = [answer(one, text) for one in (music, art) for text in ("no idea", "B", "?", "none")]
    # main_parse_and_eval.py --subject ALL (seed 42) drew C A A, then C B A, for Art and for Music.
    assert [row.parsed for row in task.score(said).rows] == ["C", "B", "B", "A", "C", "B", "A", "A"]


def test_an_image_as_an_option_of_mmmu_is_compared_by_its_mark(tmp_path: Path) -> None:
    task = build("mmmu-val", mmmu(tmp_path), rules="undecided-is-wrong")
    (sample,) = task.samples()
    said = [answer(sample, f"I cannot tell what these two share {more}") for more in ("", "but <image 3>.")]
    assert [row.parsed for row in task.score(said).rows] == ["?", "C"]


def test_marks_of_mmmu_beyond_its_columns_stay_text(tmp_path: Path) -> None:
    task = build("mmmu-val", mmmu(tmp_path, question="<image 1>, <image 8> or <image 30>?"))
    (sample,) = task.samples()
    assert wording(asked(task, sample)).startswith("<image>, <image 8> or <image 30>?\n(A) colour")


def test_open_questions_of_mmmu_have_their_own_wording_and_rule(tmp_path: Path) -> None:
    row = {
        "question": "How much?",
        "options": "[]",
        "answer": "['1200', 'twelve hundred']",
        "question_type": "open",
    }
    task = build("mmmu-val", mmmu(tmp_path, **row))
    (sample,) = task.samples()
    request = asked(task, sample)
    assert wording(request) == "<image>How much?\nAnswer the question using a single word or phrase."
    assert shown_images(request) == [PHOTOS[0]]
    right, wrong = values(task, answer(sample, "So the total is $1,200."), answer(sample, "120"))
    assert (right["accuracy"], wrong["accuracy"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("name", "make", "changes", "message"),
    [
        ("scienceqa-img", scienceqa, {"answer": 2}, "problem 11: the answer is 2, and there are 2 choices"),
        ("scienceqa-img", scienceqa, {"choices": "ab"}, "'choices' is str 'ab', not list"),
        ("scienceqa-img", scienceqa, {"image": "../x.png"}, "would leave the data folder"),
        ("seed-bench-image", seed, {"answer": "E"}, "question 101669: the answer is 'E', none of A to D"),
        ("mmmu-val", mmmu, {"options": "['a'"}, "is not a list"),
        ("mmmu-val", mmmu, {"question": "<image 4>?"}, "shows <image 4>, but image_4 is empty"),
    ],
)
def test_malformed_rows_are_refused_with_their_place(
    name: str, make: Any, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        list(build(name, make(tmp_path, **changes)).samples())


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("llava-scienceqa", "B", "B"),
        ("llava-scienceqa", "B. dog", "B"),
        ("llava-scienceqa", "I think The answer is C.", "C"),
        # A letter in front decides, also one that is no option here; it must be one of A to E.
        ("llava-scienceqa", "E. The answer is B.", None),
        ("llava-scienceqa", "F. The answer is B.", "B"),
        ("llava-scienceqa", "b", None),
        ("llava-scienceqa", "B.dog", None),
        ("lmms-scienceqa", "b", "B"),
        ("lmms-scienceqa", "B.dog", "B"),
        ("lmms-scienceqa", "The answer is C.", None),
        ("equal", "B ", None),
        ("first-letter", " b) dog", "B"),
        ("first-letter", "dog", None),
        # Of several letters the last one counts, brackets before bare letters, words only in longer answers.
        ("mmmu", "A or B", "B"),
        ("mmmu", "(A), not B", "A"),
        ("mmmu", "cat", None),
        ("mmmu", "I believe that it is a cat.", "A"),
        ("mmmu", "I believe that it is a cat dog.", "B"),
    ],
)
def test_each_rule_reads_letters_as_its_original_does(rule: str, text: str, expected: str | None) -> None:
    assert read_letter(text, OPTIONS, rule) == expected


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        ("x = 7.004", ["7"], True),
        ("7.01", ["7"], False),
        ("The answer is a red dog", ["dog"], True),
        ("catalogue", ["c"], False),  # a single letter must stand alone
        ("it is c ", ["c"], True),
        ("1,200,000 in total", ["1200000"], True),
        ("2e3", ["2000"], True),
        ("", ["7"], False),
    ],
)
def test_open_answers_are_read_as_mmmus_code_reads_them(
    text: str, answers: list[str], expected: bool
) -> None:
    assert mmmu_open_hit(text, answers) is expected
