"""Predictions from elsewhere give the published numbers; exports are what servers take, and complete."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError, EvalsuiteError, SpecError, StoreError
from evalsuite.exchange import EXPORTS, FORMATS, export_predictions, import_predictions, recognize
from evalsuite.exchange.predictions import read_predictions
from evalsuite.registry import load_registry
from evalsuite.running.resolving import build_task
from evalsuite.running.scoring import Scored, score_run
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader
from tests.data.image_files import encoded
from tests.goldens import golden_dir
from tests.tasks.asking import write_json, write_table


def unpacked(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.decompress(source.read_bytes()))
    return target


def numbers(scored: Scored) -> dict[str, float]:
    assert not scored.errors, scored.errors
    (result,) = scored.results
    return {f"{e.metric.name} {e.group}".strip(): e.value for e in result.numbers()}


def test_pope_answers_of_llava_give_the_logged_table(tmp_path: Path) -> None:
    folder = golden_dir("pope", "answers_llava-v1.5-7b_partial.jsonl.gz")
    unpacked(
        folder / "official_coco_pope_adversarial.json.gz", tmp_path / "data" / "coco_pope_adversarial.json"
    )
    answers = unpacked(folder / "answers_llava-v1.5-7b_partial.jsonl.gz", tmp_path / "answers.jsonl")
    task = TaskSpec(name="pope-adversarial", data=tmp_path / "data", protocol="llava-1.5")
    scored = import_predictions(
        tmp_path / "run", task, answers, "llava", model="llava-1.5-7b", ignore_unknown=True
    )
    found = numbers(scored)
    logged = (folder / "POPE_results_7b_logged.txt").read_text().splitlines()
    names = ("accuracy", "precision", "recall", "F1", "yes ratio")
    expected = [float(line.split(": ")[1]) for line in logged[2:7]]
    assert [found[name] for name in names] == pytest.approx(expected, abs=1e-12)
    with RunReader(tmp_path / "run") as run:
        assert run.model_name == "llava-1.5-7b"
        assert run.counts()["pope-adversarial"].answered == 3000
        assert "imported from answers.jsonl (llava)" in run.notes()[0].text
    again = score_run(tmp_path / "run", rules="lmms-eval")
    assert numbers(again)["accuracy"] == pytest.approx(found["accuracy"])


@pytest.mark.parametrize(
    ("judge", "grades", "table", "total"),
    [
        ("gpt-4", "gpt-4-grade-3runs", "gpt-4-cap-score-3runs", 31.1),
        ("gpt-4", "gpt-4-grade-1runs", "gpt-4-cap-score-1runs", 31.2),
        ("gpt-4-0613", "gpt-4-0613-grade-1runs", "gpt-4-0613-cap-score-1runs", 30.7),
    ],
)
def test_mmvet_answers_and_grades_give_the_official_table(
    judge: str, grades: str, table: str, total: float, tmp_path: Path
) -> None:
    folder = golden_dir("mmvet")
    unpacked(folder / "mm-vet.json.gz", tmp_path / "data" / "mm-vet.json")
    answers = unpacked(folder / "answers_llava-v1.5-7b.json.gz", tmp_path / "answers.json")
    grade_file = unpacked(folder / f"llava-v1.5-7b_{grades}.json.gz", tmp_path / "grades.json")
    task = TaskSpec(
        name="mm-vet", data=tmp_path / "data", options={"grades": str(grade_file), "judge": judge}
    )
    scored = import_predictions(tmp_path / "run", task, answers, "mmvet", model="llava-1.5-7b")
    found = numbers(scored)
    rows = list(csv.DictReader((folder / f"llava-v1.5-7b_{table}.csv").read_text().splitlines()))
    official = next(row for row in rows if row[""] == "llava-v1.5-7b")
    assert round(100 * found["score"], 1) == float(official["total"]) == total
    for name in ("rec", "ocr", "know", "gen", "spat", "math"):
        assert round(100 * found[f"score capability={name}"], 1) == float(official[name])
    assert scored.results[0].judge == judge


def test_mmvet_sets_of_capabilities_are_the_official_ones(tmp_path: Path) -> None:
    folder = golden_dir("mmvet")
    unpacked(folder / "mm-vet.json.gz", tmp_path / "data" / "mm-vet.json")
    answers = unpacked(folder / "answers_llava-v1.5-7b.json.gz", tmp_path / "answers.json")
    grades = unpacked(folder / "llava-v1.5-7b_gpt-4-grade-1runs.json.gz", tmp_path / "grades.json")
    task = TaskSpec(name="mm-vet", data=tmp_path / "data", options={"grades": str(grades), "judge": "gpt-4"})
    found = numbers(import_predictions(tmp_path / "run", task, answers, "mmvet", model="llava-1.5-7b"))
    path = folder / "llava-v1.5-7b_gpt-4-cap-int-score-1runs.csv"
    row = next(r for r in csv.DictReader(path.read_text().splitlines()) if r[""] == "llava-v1.5-7b")
    sets = {name: value for name, value in row.items() if name not in ("", "total", "std", "runs")}
    assert len(sets) == 16
    for name, value in sets.items():
        key = "score capabilities=" + "+".join(sorted(name.split("_")))
        assert round(100 * found[key], 1) == float(value), name


def test_mmvet_without_grades_says_what_is_missing(tmp_path: Path) -> None:
    folder = golden_dir("mmvet")
    unpacked(folder / "mm-vet.json.gz", tmp_path / "data" / "mm-vet.json")
    answers = unpacked(folder / "answers_llava-v1.5-7b.json.gz", tmp_path / "answers.json")
    task = TaskSpec(name="mm-vet", data=tmp_path / "data")
    import_predictions(tmp_path / "run", task, answers, "mmvet", model="m")
    out = tmp_path / "for-the-judge.json"
    assert export_predictions(tmp_path / "run", "mm-vet", "mmvet", out) == 218
    raw = json.loads(answers.read_text())
    assert json.loads(out.read_text()) == {name: text.strip() for name, text in raw.items()}
    with pytest.raises(SpecError, match="grades and judge belong together"):
        import_predictions(
            tmp_path / "other",
            task.model_copy(update={"options": {"judge": "gpt-4"}}),
            answers,
            "mmvet",
            model="m",
        )


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        ({"v1_0": [2]}, "numbers from 0 to 1"),
        ([], "object of grades"),
        ({"v1_0": [0.5], "v1_1": [0.5, 1]}, "more grades than others"),
    ],
)
def test_malformed_grades_are_refused(grades: Any, message: str, tmp_path: Path) -> None:
    from evalsuite_tasks.judged.scoring import read_grades

    with pytest.raises(DataError, match=message):
        read_grades(write_json(tmp_path / "g.json", grades))


def vqa(root: Path) -> TaskSpec:
    source = golden_dir("vqa")
    root.mkdir(parents=True, exist_ok=True)
    for kind, name in (
        ("questions", "v2_OpenEnded_mscoco_val2014_questions"),
        ("annotations", "v2_mscoco_val2014_annotations"),
    ):
        shutil.copy(source / f"v2_train2014_fragment_{kind}.json", root / f"{name}.json")
    return TaskSpec(name="vqav2", data=root)


IDS = (458752000, 458752001, 458752002)


def answers(root: Path, value: Any) -> Path:
    return write_json(root / "answers.json", value)


def test_vqa_results_are_scored_and_come_out_as_they_went_in(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"question_id": number, "answer": "net"} for number in reversed(IDS)]
    scored = import_predictions(
        tmp_path / "run", vqa(tmp_path / "data"), answers(tmp_path, rows), "vqa", model="m"
    )
    assert numbers(scored)["accuracy"] == pytest.approx(1 / 3)
    assert export_predictions(tmp_path / "run", "vqav2", "evalai", tmp_path / "out.json") == 3
    out = json.loads((tmp_path / "out.json").read_text())
    assert sorted(out, key=lambda row: row["question_id"]) == sorted(rows, key=lambda row: row["question_id"])
    assert export_predictions(tmp_path / "run", "vqav2", "evalai", tmp_path / "out.json") == 3, "once more"
    (tmp_path / "notes.json").write_text('{"years": "of work"}')
    with pytest.raises(StoreError, match=r"notes\.json exists and is no earlier export"):
        export_predictions(tmp_path / "run", "vqav2", "evalai", tmp_path / "notes.json")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "holds no predictions"),
        ({}, {}, "must be a list of results"),
        ([{"question_id": IDS[0]}], {}, "entry 0 has no field 'answer'"),
        ([{"question_id": IDS[0], "answer": 3}], {}, "'answer' is int 3, not str"),
        ([{"question_id": IDS[0], "answer": "a"}] * 2, {}, "458752000 was answered before, at .*entry 0"),
        ([{"question_id": 7, "answer": "a"}], {}, "vqav2 has no question '7'"),
        ([{"question_id": 7, "answer": "a"}], {}, "--ignore-unknown leaves out answers to other benchmarks"),
        ([{"question_id": "²", "answer": "a"}], {}, "vqav2 has no question '²'"),
        ([{"question_id": 7, "answer": "a"}], {"ignore_unknown": True}, "answers no question of vqav2"),
        (
            [{"question_id": IDS[0], "answer": "a"}],
            {},
            r"no answer to question '458752001' of vqav2 \(2 such\)",
        ),
    ],
)
def test_bad_prediction_files_are_refused_with_file_and_place(
    rows: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        import_predictions(
            tmp_path / "run", vqa(tmp_path / "data"), answers(tmp_path, rows), "vqa", model="m", **options
        )
    assert not (tmp_path / "run").exists()


def test_a_partial_file_is_scored_on_what_it_has_and_not_exported(tmp_path: Path) -> None:
    rows = [{"question_id": IDS[0], "answer": "net"}]
    scored = import_predictions(
        tmp_path / "run", vqa(tmp_path / "data"), answers(tmp_path, rows), "vqa", model="m", partial=True
    )
    assert (scored.results[0].answered, scored.results[0].total) == (1, 3)
    with pytest.raises(StoreError, match=r"no answer to question '458752001' of vqav2 \(2 such\)"):
        export_predictions(tmp_path / "run", "vqav2", "evalai", tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_a_question_that_is_answered_by_its_id_and_by_its_position_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    lines: list[dict[str, Any]] = [{"doc_id": 5, "doc": {"question_id": IDS[0]}}, {"doc_id": 0}]
    log.write_text("\n".join(json.dumps({**line, "filtered_resps": ["a"]}) for line in lines))
    with pytest.raises(DataError, match="line 2: question '458752000' of vqav2 was answered before"):
        import_predictions(tmp_path / "run", vqa(tmp_path / "data"), log, "lmms-eval", partial=True)


def test_sample_logs_of_lmms_eval_are_read_by_the_questions_own_id_or_by_position(tmp_path: Path) -> None:
    task = vqa(tmp_path / "data")
    for name, doc in (("ids", True), ("positions", False)):
        lines = [
            {
                "doc_id": place,
                "resps": [["raw"]],
                "filtered_resps": ["net" if place == 0 else "x"],
                "target": "net",
            }
            | ({"doc": {"question_id": number}} if doc else {})
            for place, number in enumerate(IDS)
        ]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in reversed(lines)))
        found = numbers(import_predictions(tmp_path / name, task, path, "lmms-eval", model="m"))
        assert found["accuracy"] == pytest.approx(1 / 3)


def mmbench(root: Path) -> TaskSpec:
    photo = base64.b64encode(encoded("JPEG")).decode()
    rows = [
        ["index", "question", "hint", "A", "B", "answer", "category", "image", "l2-category", "split"],
        ["7", "What?", "", "red", "blue", "B", "style", photo, "coarse_perception", "dev"],
        ["1000007", "What?", "", "blue", "red", "A", "style", "7", "coarse_perception", "dev"],
    ]
    root.mkdir()
    (root / "MMBench_DEV_EN.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n")
    return TaskSpec(name="mmbench-dev-en", data=root)


def test_vlmevalkits_and_mmbenchs_tables_carry_every_rotation(tmp_path: Path) -> None:
    task = mmbench(tmp_path / "data")
    path = tmp_path / "result.tsv"
    path.write_text("index\tquestion\tprediction\n1000007\tWhat?\tA\n7\tWhat?\tThe answer is B.\n")
    found = numbers(import_predictions(tmp_path / "run", task, path, "vlmevalkit", model="m"))
    assert found["circular"] == found["vanilla"] == 1.0
    out = tmp_path / "upload.tsv"
    assert export_predictions(tmp_path / "run", "mmbench-dev-en", "mmbench", out) == 2
    rows = list(csv.DictReader(out.read_text().splitlines(), delimiter="\t"))
    assert [(row["index"], row["A"], row["prediction"]) for row in rows] == [
        ("7", "red", "The answer is B."),
        ("1000007", "blue", "A"),
    ]
    again = numbers(import_predictions(tmp_path / "again", task, out, "mmbench", model="m"))
    assert again == found
    path.write_text("index\tprediction\n7\tB\n")
    with pytest.raises(DataError, match="answers 1 of 2 rotations of question '7'"):
        import_predictions(tmp_path / "third", task, path, "mmbench", model="m")


def test_a_protocol_that_asks_in_two_steps_takes_no_final_answers(tmp_path: Path) -> None:
    task = mmbench(tmp_path / "data").model_copy(update={"protocol": "dreamllm-upstream-quirks"})
    path = tmp_path / "result.tsv"
    path.write_text("index\tprediction\n1000007\tA\n7\tB\n")
    with pytest.raises(SpecError, match="first question that decides about the second"):
        import_predictions(tmp_path / "run", task, path, "mmbench", model="m")
    assert not (tmp_path / "run").exists()


def test_popes_own_answer_file_goes_by_order(tmp_path: Path) -> None:
    questions = [
        {"question_id": n, "image": "a.jpg", "text": "Is there a cat in the image?", "label": label}
        for n, label in ((1, "yes"), (2, "no"))
    ]
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "coco_pope_random.json"
    path.write_text("\n".join(json.dumps(row) for row in questions))
    given = tmp_path / "a.json"
    asked = "Is there a cat in the image?"
    given.write_text(
        "".join(json.dumps({"question": asked, "answer": said}) + "\n" for said in ("Yes.", "No."))
    )
    task = TaskSpec(name="pope-random", data=tmp_path / "data")
    assert numbers(import_predictions(tmp_path / "run", task, given, "pope", model="m"))["F1"] == 1.0


def test_caption_results_come_out_as_they_went_in(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in (3, 4)]
    notes = [{"id": n, "image_id": n, "caption": f"a dog number {n} runs"} for n in (3, 4)]
    write_json(
        tmp_path / "data" / "annotations" / "captions_val2014.json", {"images": images, "annotations": notes}
    )
    rows = [{"image_id": n, "caption": f"a dog number {n} runs"} for n in (3, 4)]
    task = TaskSpec(
        name="coco-caption-2014-val",
        data=tmp_path / "data",
        protocol="llava-1.5",
        options={"metrics": "CIDEr,BLEU-4"},
    )
    found = numbers(import_predictions(tmp_path / "run", task, answers(tmp_path, rows), "coco", model="m"))
    assert found["BLEU-4"] == pytest.approx(1.0, abs=1e-6)
    export_predictions(tmp_path / "run", "coco-caption-2014-val", "coco", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == rows


def test_unknown_formats_and_unfit_benchmarks_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no prediction format 'vqa2'\. Did you mean vqa"):
        read_predictions(tmp_path / "x", "vqa2")
    with pytest.raises(SpecError, match=r"no export format 'evalia'\. Did you mean evalai"):
        export_predictions(tmp_path, "x", "evalia", tmp_path / "y")
    with pytest.raises(EvalsuiteError, match="takes 'choices' answers"):
        import_predictions(tmp_path / "r", TaskSpec(name="piqa"), tmp_path / "x", "vqa", model="m")
    assert set(EXPORTS) == {"evalai", "coco", "mmvet", "mmbench"}
    assert {"vqa", "vizwiz", "mmbench", "pope", "coco", "mmvet", "lmms-eval", "vlmevalkit"} <= set(FORMATS)


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("a.json", [{"question_id": 1, "answer": "x"}], "vqa"),
        ("a.json", [{"image": "a.jpg", "answer": "x"}], "vizwiz"),
        ("a.json", [{"image_id": 1, "caption": "x"}], "coco"),
        ("a.json", [{"questionId": "1", "prediction": "x"}], "gqa"),
        ("a.json", [{"questionId": 1, "answer": "x"}], "docvqa"),
        ("a.json", [{"index": 1, "prediction": "x"}], "vlmevalkit"),
        ("a.json", {"v1_0": "x"}, "mmvet"),
        ("a.json", {"args": {}, "logs": [{"resps": "x"}]}, "lmms-eval"),
        ("a.jsonl", {"question_id": 1, "text": "x"}, "llava"),
        ("a.jsonl", {"doc_id": 1, "filtered_resps": "x"}, "lmms-eval"),
        ("a.json", {"question": "q", "answer": "x"}, "pope"),
    ],
)
def test_formats_are_recognised_by_their_first_entry(
    name: str, content: Any, form: str, tmp_path: Path
) -> None:
    assert recognize(write_json(tmp_path / name, content)) == form


def test_tables_and_two_lines_in_a_json_file_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"question": "q", "answer": "x"}\n{"question": "q", "answer": "y"}\n')
    assert recognize(tmp_path / "a.json") == "pope"
    assert recognize(tmp_path / "a.tsv") == recognize(tmp_path / "a.xlsx") == "vlmevalkit"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "entries with NoneType are of no known format"),
        ({}, "entries with nothing are of no known format"),
        ([{"a": 1, "b": 2}], "entries with a, b are of no known format"),
        ([3], "entries with int are of no known format"),
        ({"a": [1]}, "entries with a are of no known format"),
    ],
)
def test_files_of_no_known_form_are_refused(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        recognize(write_json(tmp_path / "a.json", content))


def test_a_log_that_goes_by_position_is_checked_by_the_questions_it_asked(tmp_path: Path) -> None:
    task = vqa(tmp_path / "data")
    texts = [sample.record.question for sample in build_task(task, load_registry()).samples()]
    assert len(set(texts)) == 3

    def log(order: list[str]) -> Path:
        rows = [
            {"doc_id": n, "input": f"{text.upper()}\nOne word.", "filtered_resps": "net"}
            for n, text in enumerate(order)
        ]
        path = tmp_path / "log.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    found = numbers(import_predictions(tmp_path / "run", task, log(texts), model="m"))
    assert found["accuracy"] == pytest.approx(1 / 3)
    with pytest.raises(DataError, match=r"line 1: position 0 of vqav2 is .* and the file asked"):
        import_predictions(tmp_path / "other", task, log(texts[::-1]), model="m")


def test_positions_in_exams_are_checked_and_mmmu_goes_by_its_ids(tmp_path: Path) -> None:
    def log(*rows: dict[str, Any]) -> Path:
        path = tmp_path / "log.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    photo = {"bytes": encoded("PNG"), "path": "x.png"}
    texts = ("Which is warmer?", "Which is larger?")
    problems = [
        {
            "question": text,
            "image": photo,
            "choices": ["a", "b"],
            "answer": 0,
            "hint": "",
            "subject": "",
            "topic": "",
        }
        for text in texts
    ]
    write_table(tmp_path / "science" / "ScienceQA-IMG" / "test-0.parquet", problems)
    science = TaskSpec(name="scienceqa-img", data=tmp_path / "science")
    said = [{"doc_id": n, "input": f"{text}\nA. a", "filtered_resps": "A"} for n, text in enumerate(texts)]
    assert numbers(import_predictions(tmp_path / "run", science, log(*said), model="m"))["accuracy"] == 1.0
    swapped = [row | {"doc_id": 1 - n} for n, row in enumerate(said)]
    with pytest.raises(DataError, match="position 1 of scienceqa-img is 'Which is larger\\?' here"):
        import_predictions(tmp_path / "other", science, log(*swapped), model="m")

    names = ("validation_Art_1", "validation_Art_2")
    questions = [
        {"id": name, "question": f"<image 1> What is {name}?", "options": "['a', 'b']", "answer": right}
        | {"question_type": "multiple-choice", "image_1": photo}
        | {f"image_{n}": None for n in range(2, 8)}
        for name, right in zip(names, "AB", strict=True)
    ]
    write_table(tmp_path / "mmmu" / "data" / "validation-0.parquet", questions)
    mmmu = TaskSpec(name="mmmu-val", data=tmp_path / "mmmu")
    said = [
        {
            "doc_id": n,
            "input": f"<image> What is {name}?\nA.",
            "filtered_resps": right,
            "mmmu_acc": {"id": name},
        }
        for n, (name, right) in enumerate(zip(reversed(names), "BA", strict=True))
    ]
    assert numbers(import_predictions(tmp_path / "mmmu-run", mmmu, log(*said), model="m"))["accuracy"] == 1.0


def test_an_empty_answer_in_a_log_is_an_answer(tmp_path: Path) -> None:
    # lmms-eval leaves `resps` out where it says the same as `filtered_resps`.
    rows = [
        {"doc_id": n, "filtered_resps": said, "submission": {"question_id": number}}
        for n, (number, said) in enumerate(zip(IDS, ("net", "", "net"), strict=True))
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [one.text for one in read_predictions(path)] == ["net", "", "net"]


def test_a_table_of_another_numbering_is_refused_by_its_questions(tmp_path: Path) -> None:
    # VLMEvalKit numbers the questions of most benchmarks anew, and keeps their texts.
    task = mmbench(tmp_path / "data")
    path = tmp_path / "result.tsv"
    path.write_text("index\tquestion\tprediction\n7\tWhat?\tB\n1000007\tWhere?\tA\n")
    with pytest.raises(
        DataError, match=r"row 1: question '7' of mmbench-dev-en is 'What\?' here, .* 'Where\?'"
    ):
        import_predictions(tmp_path / "run", task, path, model="m")


def test_llavas_answers_to_textvqa_are_found_by_image_and_question(tmp_path: Path) -> None:
    asked = (("a1", "What brand?"), ("a1", "What brand? And year?"), ("b2", "What brand?"))
    rows = [
        {"question_id": n, "image_id": image, "question": text, "answers": [f"right {n}"] * 10}
        for n, (image, text) in enumerate(asked)
    ]
    write_json(tmp_path / "data" / "TextVQA_0.5.1_val.json", {"data": rows})
    given = [
        {"question_id": image, "prompt": f"{text}\nReference OCR token: x\nAnswer.", "text": f"right {n}"}
        for n, (image, text) in reversed(list(enumerate(asked)))
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    task = TaskSpec(name="textvqa", data=tmp_path / "data")
    assert numbers(import_predictions(tmp_path / "run", task, path, model="m"))["accuracy"] == 1.0


def test_ids_that_lmms_evals_tasks_keep_for_their_metrics_go_before_positions(tmp_path: Path) -> None:
    rows = [
        {"doc_id": 0, "resps": [["x"]], "filtered_resps": "net", "submission": {"question_id": number}}
        for number in reversed(IDS)
    ]
    path = write_json(tmp_path / "vqav2_val.json", {"args": {}, "logs": rows})
    found = import_predictions(tmp_path / "run", vqa(tmp_path / "data"), path)
    assert numbers(found)["accuracy"] == pytest.approx(1 / 3)
    with RunReader(tmp_path / "run") as run:
        assert run.model_name == "vqav2_val"
