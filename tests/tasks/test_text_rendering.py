"""Text in images: readers, what a judge is asked to read, files of readings, pooled columns, bad input."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError, SpecError
from tests.goldens import case_files, read_json
from tests.tasks.asking import asked, build, wording, write_json
from tests.tasks.test_qa_alignment import drawn, judged, numbers, square, words

SCRIPT = """
class {name}:
    PROMPT = ("Write the text that stands in the image, "
              "and write nothing else.")
"""
ASK = "Write the text that stands in the image, and write nothing else."


def longtext(folder: Path, *texts: list[str], script: str = SCRIPT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"prompt_id": place, "prompt": f"p{place}", "text": list(text), "category": "sign", "length": "short"}
        for place, text in enumerate(texts)
    ]
    (folder / "text_prompts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "evaluate_text_reward.py").write_text(script.format(name="ImageEvaluator"))
    return folder


def readings(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    first, *rest = rows
    path.write_text("\n".join(map(json.dumps, [{"model": "PaddleOCR", **first}, *rest])))
    return path


def test_longtext_asks_once_per_image_in_the_scripts_words(tmp_path: Path) -> None:
    task = judged("longtext-bench-en", longtext(tmp_path, ["Fresh Bread"]))
    (sample,) = task.samples()
    assert wording(asked(task, sample)) == "p0"
    chat = task.question(drawn(sample, 4, []), ())
    assert words(chat) == f"<image>{ASK}"
    assert chat is not None
    assert chat.max_tokens == 1024
    from evalsuite.task import Judgement

    assert task.question(drawn(sample, 4), [Judgement("a")] * 4) is None


def test_longtext_pools_words_over_all_images(tmp_path: Path) -> None:
    task = judged("longtext-bench-en", longtext(tmp_path, ["Fresh Bread"], ["Open", "every day now"]))
    one, two = task.samples()
    scores = task.score(
        [
            drawn(one, 4, ["bread FRESH", "bread", "No text recognized.", ""]),
            drawn(two, 4, ["open every day now"] * 4),
        ]
    )
    assert numbers(scores)["text_accuracy"] == pytest.approx((2 + 1 + 16) / (8 + 16), abs=1e-6)
    assert numbers(scores)["text_accuracy category=sign"] == pytest.approx(19 / 24, abs=1e-6)
    assert scores.rows[0].values["text_accuracy"] == 3 / 8
    assert scores.rows[0].parsed.startswith("bread FRESH | bread")


def test_half_read_and_failed_readings_are_failures(tmp_path: Path) -> None:
    task = judged("longtext-bench-en", longtext(tmp_path, ["Fresh"], ["Bread"]))
    one, two = task.samples()
    scores = task.score([drawn(one, 4, ["Fresh"]), drawn(two, 4, ["Bread"] * 4)])
    assert scores.rows[0].failure == "the judge has read 1 of 4 images"
    assert numbers(scores)["text_accuracy"] == 1.0
    bare = task.score([drawn(one, 4)])
    assert "no judge has been asked" in bare.missing["text_accuracy"]


def oneig(folder: Path, *texts: str) -> Path:
    path = folder / "scripts/text/text_content.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["", "id", "prompt_en", "text_content"])
        for place, text in enumerate(texts):
            table.writerow([place, f"{place:03}", f"prompt {place}", text])
    script = folder / "scripts/utils/inference.py"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT.format(name="Qwen2_5VLBatchInferencer"))
    return folder


def test_oneig_reads_what_is_not_black_and_combines_three_numbers(tmp_path: Path) -> None:
    task = judged("oneig-text-en", oneig(tmp_path, "OPEN now", " ".join(["word"] * 61)))
    one, two = task.samples()
    black = [square("black"), square(), square("black"), square()]
    answered = drawn(one, 4, ["OPEN now", "OPEN"], images=black)
    assert task.question(answered, ()) is not None
    scores = task.score([answered])
    assert numbers(scores) == {
        "text score": round(1 - 2.0 * 0.5 * 0.25 / 100, 6), "ED": 2.0, "CR": 0.5, "WAC": 0.75,
    }  # fmt: skip
    tokens = [chat.max_tokens for s in (one, two) if (chat := task.question(drawn(s, 4), ())) is not None]
    assert tokens == [128, 256]
    (row,) = task.score([drawn(one, 4, [], images=[square("black")] * 4)]).rows
    assert "every image is wholly black" in row.failure


@pytest.mark.parametrize("path", case_files("oneig_cases*.json*"), ids=lambda path: path.name)
def test_oneig_runs_agree_with_the_official_script(path: Path, tmp_path: Path) -> None:
    cases = [case for case in read_json(path)["cases"] if case["kind"] == "text-run"]
    assert cases
    for place, case in enumerate(cases):
        given, official = case["input"], case["official"]
        if given["mode"] != "EN" or any(len(texts) != 4 for texts in given["read"].values()):
            continue
        task = judged("oneig-text-en", oneig(tmp_path / str(place), *given["truth"].values()))
        read = list(given["read"].values())
        scores = task.score([drawn(s, 4, texts) for s, texts in zip(task.samples(), read, strict=True)])
        found = numbers(scores)
        for name in ("text score", "ED", "CR", "WAC"):
            assert found[name] == pytest.approx(official[name], abs=1e-6)


def cvtg(folder: Path, *prompts: str) -> Path:
    rows = [{"index": place, "prompt": prompt} for place, prompt in enumerate(prompts, start=1)]
    write_json(folder / "CVTG/2.json", {"data_list": rows})
    write_json(folder / "CVTG-Style/5_combined.json", {"data_list": rows})
    return folder


def test_cvtg_takes_an_ocr_engines_lines_from_a_file(tmp_path: Path) -> None:
    folder = cvtg(tmp_path / "data", "signs 'Grand Opening' and 'a'")
    rows = [
        {"id": "CVTG/2/1", "image": 0, "lines": ["GRAND opening", "b"]},
        {"id": "CVTG-Style/5_combined/1", "image": 0, "lines": []},
    ]
    readings(folder / "readings.jsonl", rows)
    task = judged("cvtg-2k", folder)
    assert task.info.judge == "PaddleOCR"
    samples = {sample.id: sample for sample in task.samples()}
    scores = task.score([drawn(sample, 1) for sample in samples.values()])
    found = numbers(scores)
    assert found["word_accuracy type=CVTG"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["word_accuracy"] == pytest.approx(2 / 6, abs=1e-6)
    assert found["NED areas=5_combined"] == pytest.approx(0.0, abs=1e-4)


def tiif(folder: Path, **changes: Any) -> Path:
    row = {"type": "text", "short_description": "short", "long_description": "long"}
    questions = ["Is the text 'Tea' in the image?", "Is the text 'it's' in the image?"]
    asked_ = {"type": "text", "yn_question_list": questions, "yn_answer_list": ["Yes", "Yes"]} | changes
    for name, one in (("prompts", row), ("eval_prompts", asked_)):
        path = folder / f"data/testmini_{name}/text_{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(one) + "\n")
    return folder


def test_tiif_reads_the_words_that_its_questions_ask_for(tmp_path: Path) -> None:
    task = judged("tiif-text", tiif(tmp_path))
    short, long = task.samples()
    assert short.record.texts == ("Tea", "it's")
    found = numbers(task.score([drawn(short, 1, ["TEA it's"]), drawn(long, 1, ["nothing"])]))
    assert (found["GNED length=short"], found["recall length=short"]) == (0.0, 1.0)
    assert found["recall"] == 0.5


def test_data_of_another_form_are_one_error(tmp_path: Path) -> None:
    for name, folder, message in (
        ("tiif-text", tiif(tmp_path / "a", yn_question_list=["Is it blue?"]), "asks for no text in quotes"),
        ("tiif-text", tiif(tmp_path / "b", yn_question_list=[]), "no text that the image should show"),
        ("longtext-bench-en", longtext(tmp_path / "c", []), "no text that the image should show"),
        ("oneig-text-en", oneig(tmp_path / "d", ""), "row 1 has no text_content"),
        ("cvtg-2k", cvtg(tmp_path / "e"), ""),
    ):
        if message:
            with pytest.raises(DataError, match=message):
                list(judged(name, folder).samples())
    write_json(tmp_path / "e/CVTG/2.json", {"rows": []})
    with pytest.raises(DataError, match="data_list"):
        list(judged("cvtg-2k", tmp_path / "e").samples())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "CVTG/2/1", "image": 0, "text": "a"}] * 2, "occurs twice"),
        ([{"id": "CVTG/2/1", "image": 0, "lines": [1]}], "lines must be texts"),
        ([{"id": "CVTG/2/1", "image": "0", "text": "a"}], "image"),
    ],
)
def test_a_file_of_readings_of_another_form_is_one_error(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    folder = cvtg(tmp_path, "'a'")
    options = {"readings": str(readings(tmp_path / "r.jsonl", rows)), "judge": "ocr"}
    task = judged("cvtg-2k", folder, options=options)
    with pytest.raises(DataError, match=message):
        task.score([drawn(sample, 1) for sample in task.samples()])


def test_a_reading_that_is_missing_costs_its_image_only(tmp_path: Path) -> None:
    folder = cvtg(tmp_path, "'a'")
    path = readings(tmp_path / "r.jsonl", [{"id": "CVTG/2/1", "image": 0, "text": "a"}])
    task = judged("cvtg-2k", folder, options={"readings": str(path), "judge": "ocr"})
    scores = task.score([drawn(sample, 1) for sample in task.samples()])
    assert [row.failure for row in scores.rows if row.failure] == ["the file of readings has none of image 1"]
    assert numbers(scores)["word_accuracy"] == 1.0


def test_readings_of_another_benchmark_are_one_error(tmp_path: Path) -> None:
    folder = cvtg(tmp_path, "'a'")
    path = readings(tmp_path / "r.jsonl", [{"id": "CVTG/9/1", "image": 0, "text": "a"}])
    task = judged("cvtg-2k", folder, options={"readings": str(path), "judge": "ocr"})
    with pytest.raises(DataError, match="1 ids match no prompt"):
        task.score([drawn(sample, 1) for sample in task.samples()])


def test_readings_without_a_readers_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="readings and judge belong together"):
        build("cvtg-2k", cvtg(tmp_path, "'a'"), options={"readings": "x"})
