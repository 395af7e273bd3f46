"""MMIE and OpenING: what a judge is shown of text and images, scores, bad input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.content import Document, Image, Part, Text
from evalsuite.errors import DataError
from evalsuite.metrics.interleaved_answers import OPENING_METRICS, marked_steps, mmie_entries, opening_grades
from evalsuite.request import DocumentResponse, ImageResponse
from evalsuite.task import Answered, Judgement, Sample
from tests.goldens import case_files, read_json
from tests.tasks.asking import asked, wording, write_json
from tests.tasks.test_rubric import judged, numbers, png, shown


def written(sample: Sample, parts: Document, *runs: Sequence[str]) -> Answered:
    said = tuple(tuple(map(Judgement, run)) for run in runs)
    return Answered(sample, (DocumentResponse(parts),), said)


def document(*parts: str | None) -> Document:
    found: list[Part] = [Image(png()) if part is None else Text(part) for part in parts]
    return tuple(found)


def entries(rows: Any, files: Sequence[str]) -> list[tuple[str | None, Path | None]]:
    if isinstance(rows, str):
        return [(rows, None)]
    return [(row["text"], Path(row["image"]) if row["image"] in files else None) for row in rows]


@pytest.mark.parametrize("path", case_files("mmie_cases*.json*"), ids=lambda path: path.name)
def test_mmie_lays_questions_and_answers_out_as_officially(path: Path) -> None:
    cases = [case for case in read_json(path)["cases"] if case["kind"] == "input"]
    assert cases
    for case in cases:
        one, files = case["input"]["item"], case["input"]["files"]
        question, said = mmie_entries(entries(one["question"], files), entries(one["answer"], files))
        images = [part.name for part in (*question, *said) if isinstance(part, Path)]
        if not isinstance(case["official"], dict):
            assert len(images) > 4
            continue
        texts = [
            "".join("<image>" if isinstance(p, Path) else p for p in parts) for parts in (question, said)
        ]
        assert texts == [case["official"]["question"], case["official"]["answer"]]
        assert images == case["official"]["images"]


def mmie(folder: Path, **changes: Any) -> Path:
    row = {
        "id": "MSR-1", "question": [{"text": "Add {answer}.", "image": "images/q.png"}],
        "gt_answer": [{"text": "42", "image": None}],
    } | changes  # fmt: skip
    write_json(folder / "data.json", [row])
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images/q.png").write_bytes(png())
    texts = {"SA_SYSTEM_PROMPT": "story", "PBL_SYSTEM_PROMPT": "method", "MSR_PROMPT": "math"}
    (folder / "prompts.py").write_text(
        "".join(
            f'{name} = """Judge the {text} that a model wrote, fairly."""\n' for name, text in texts.items()
        )
    )
    return folder


def test_mmie_shows_images_where_they_stand(tmp_path: Path) -> None:
    task = judged("mmie", mmie(tmp_path))
    sample = next(iter(task.samples()))
    assert wording(asked(task, sample)) == "Add {answer}.<image>"
    chat = task.question(written(sample, document("It is", None, "42", None, "hidden")), ())
    assert shown(chat) == (
        "Judge the math that a model wrote, fairly."
        "### Question\nAdd {answer}.\nImage-0: <image>\n\n### Answer\n"
        "It is\nImage-1: <image>\n42\nImage-2: <image>\n\n### Correct Answer\n"
        "The correct answer to this question should be: 42\n### Feedback\n"
    )


def test_mmie_averages_scores_on_its_scale(tmp_path: Path) -> None:
    task = judged("mmie", mmie(tmp_path))
    sample = next(iter(task.samples()))
    answered = [
        written(sample, document("a"), [reply])
        for reply in ("### Score\n5", "### Score: 2.5", "### Score: 7", "5")
    ]
    scores = task.score(answered)
    assert [bool(row.failure) for row in scores.rows] == [False, False, True, True]
    assert numbers(scores)["score"] == 3.5


def test_what_is_no_document_is_not_judged(tmp_path: Path) -> None:
    task = judged("mmie", mmie(tmp_path))
    sample = next(iter(task.samples()))
    for answered, message in (
        (Answered(sample, (ImageResponse((Image(png()),)),), ((),)), "not a document"),
        (written(sample, (Text(" "),), ()), "nothing to grade"),
    ):
        with pytest.raises(Exception, match=message):
            task.question(answered, ())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "X-1"}, "none of SA, PBL and MSR"),
        ({"question": []}, "neither text nor image"),
        ({"question": ["text"]}, "must be an object"),
        ({"question": [{"text": 3}]}, "text"),
    ],
)
def test_mmie_data_of_another_form_are_one_error(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        list(judged("mmie", mmie(tmp_path, **changes)).samples())


# OpenING


def opening(folder: Path) -> Path:
    given = [
        {"text": "<BEGIN>Show the steps. <image>", "image": "i.jpg"},
        {"text": "In order.", "image": None},
    ]
    row = {"total_uid": "0101", "conversations": [{"input": given}, {"output": []}]}
    (folder / "OpenING-Benchmark").mkdir()
    (folder / "OpenING-Benchmark/test_data.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "OpenING-Benchmark/i.jpg").write_bytes(png())
    (folder / "prompts").mkdir()
    (folder / "prompts/detailed_score_system.txt").write_text("\nScore from 0 to 10.\n")
    return folder


def scores_of(value: Any) -> str:
    return json.dumps({"scores": {name: {"Score": value, "Justification": "x"} for name in OPENING_METRICS}})


def test_opening_marks_the_images(tmp_path: Path) -> None:
    task = judged("opening", opening(tmp_path))
    sample = next(iter(task.samples()))
    assert wording(asked(task, sample)) == "Show the steps. <image>In order."
    chat = task.question(written(sample, document("First", None, None)), ())
    assert shown(chat) == (
        "Score from 0 to 10.|INPUT: Show the steps.  <IMG_0></IMG_0><image>In order."
        "\nOUTPUT: First <IMG_1></IMG_1><image> <IMG_2></IMG_2><image>\nPlease only output the json result: "
    )


def test_opening_averages_rounded_means(tmp_path: Path) -> None:
    task = judged("opening", opening(tmp_path))
    sample = next(iter(task.samples()))
    replies = [scores_of(5), scores_of(6), scores_of(8), scores_of(None), scores_of(11), "{"]
    scores = task.score([written(sample, document("a"), [reply] * 5) for reply in replies[3:]])
    assert all("from 0 to 10" in row.failure or "JSON" in row.failure for row in scores.rows)
    scores = task.score([written(sample, document("a"), [reply]) for reply in replies[:3]])
    assert numbers(scores)["Overall"] == 6.33
    assert numbers(scores)["Correctness"] == pytest.approx(19 / 3, abs=1e-6)


@given(st.lists(st.tuples(st.none() | st.text(max_size=5), st.none() | st.integers(0, 9)), max_size=6))
def test_every_image_is_shown_once_and_numbered(rows: list[tuple[str | None, int | None]]) -> None:
    given_images = [image for _, image in rows if image is not None]
    found = marked_steps(rows, "I: ", 2)
    assert [part for part in found if not isinstance(part, str)] == given_images
    text = "".join(part for part in found if isinstance(part, str))
    assert all(f"<IMG_{n}></IMG_{n}>" in text for n in range(2, 2 + len(given_images)))
    asked_, said = mmie_entries(rows, rows)
    assert [part for part in asked_ if not isinstance(part, str)] == given_images
    assert sum(not isinstance(part, str) for part in said) == max(
        0, min(len(given_images), 3 - len(given_images))
    )


@given(st.text())
def test_no_reply_stops_the_reader(reply: str) -> None:
    for text in (reply, "{" + reply + "}", '{"Correctness": ' + reply + "}"):
        with pytest.raises(Exception, match="reply"):
            opening_grades(text)
