"""Published predictions of the authors become runs with the published numbers on the leaderboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.errors import DataError
from evalsuite.exchange.predictions import read_predictions, recognize
from tests.goldens import load_json
from tests.tasks.asking import write_json
from tests.tasks.tables import PHOTOS, by_datasets, delimited, parquet

IMAGE = {"bytes": PHOTOS[0], "path": "0.png"}


def imported(folder: Path, task: str, predictions: Path, *more: str) -> str:
    """What the leaderboard shows of an import with `--data folder`."""
    run = CliRunner().invoke
    out = str(folder.parent / "run")
    asked = ["import", out, "--task", task, "--predictions", str(predictions), "--data", str(folder), *more]
    done = run(app, asked)
    assert done.exit_code == 0, done.output
    shown = run(app, ["leaderboard", out, "--format", "csv", "--all-metrics"])
    assert shown.exit_code == 0, shown.output
    table = run(app, ["leaderboard", out, "--format", "md"])
    return table.output


def mathvista(folder: Path, found: dict[str, Any]) -> None:
    keys = ("source", "category", "task", "context", "grade", "skills")
    rows = [
        {
            **{name: one[name] for name in ("pid", "choices", "answer", "question_type", "answer_type")},
            "precision": None if one["precision"] is None else float(one["precision"]),
            "query": f"Question {one['pid']}",
            "decoded_image": IMAGE,
            "metadata": {"language": "english", **{key: one[key] for key in keys}},
        }
        for one in found["meta"]["ground_truth"]
    ]
    parquet(folder / "data" / "testmini-0.parquet", rows)


def test_mathvistas_extractions_give_bards_published_accuracy(tmp_path: Path) -> None:
    found = load_json("comprehension", "mathvista_cases.json.gz")
    data = tmp_path / "data"
    mathvista(data, found)
    run = next(one for one in found["published_runs"] if one["model"] == "bard")
    pids = [one["pid"] for one in found["meta"]["ground_truth"]]
    output = {
        pid: {"pid": pid, "query": f"Question {pid}", "response": f"I say {said}.", "extraction": said}
        for pid, said in zip(pids, run["extractions"], strict=True)
    }
    given = write_json(tmp_path / "output_bard.json", output)
    assert recognize(given) == "mathvista-extractions"
    assert "34.8" in imported(data, "mathvista-testmini", given, "--rules", "extracted", "--model", "bard")


def test_blinks_saved_predictions_give_gpt4os_published_total(tmp_path: Path) -> None:
    found = load_json("comprehension", "blink_cases.json.gz")
    run = next(one for one in found["published_runs"] if one["model"] == "GPT4o")
    ids = found["meta"]["ids_in_order"]
    answers = next(value for key, value in found["meta"].items() if key.startswith("answers"))
    rows = [
        {
            "idx": name, "sub_task": name.removeprefix("val_").rpartition("_")[0], "question": "?",
            "prompt": "?", "choices": ["a", "b", "c", "d"], "answer": right, "image_1": IMAGE,
            **dict.fromkeys(("image_2", "image_3", "image_4")),
        }
        for name, right in zip(ids, answers, strict=True)
    ]  # fmt: skip
    data = tmp_path / "data"
    for kind in dict.fromkeys(row["sub_task"] for row in rows):
        by_datasets(
            data / kind / "val-00000-of-00001.parquet",
            [row for row in rows if row["sub_task"] == kind],
            ("image_1", "image_2", "image_3", "image_4"),
        )
    given = write_json(tmp_path / "GPT4o.json", dict(zip(ids, run["predictions"], strict=True)))
    assert "60.0" in imported(data, "blink-val", given, "--model", "GPT-4o")


def test_mmmu_pros_lines_give_gpt4os_published_accuracy_but_for_guesses(tmp_path: Path) -> None:
    found = load_json("comprehension", "mmmu_pro_cases.json.gz")
    run = next(one for one in found["published_runs"] if one["complete"])
    kind = "vision" if "vision" in run["file"] else "standard"
    folder = "vision" if kind == "vision" else "standard (10 options)"
    images = ("image",) if kind == "vision" else tuple(f"image_{k}" for k in range(1, 8))
    rows = [
        {
            "id": one["id"], "question": f"Question {one['id']}", "options": repr(one["options"]),
            "answer": one["answer"], "subject": one["id"].split("_", 1)[1].rpartition("_")[0],
            "topic_difficulty": "Easy", **dict.fromkeys(images), images[0]: IMAGE,
        }
        for one in run["rows"]
    ]  # fmt: skip
    data = tmp_path / "data"
    by_datasets(data / folder / "test-0.parquet", rows, images)
    given = tmp_path / run["file"]
    lines = (json.dumps({"id": one["id"], "response": one["response"]}) for one in run["rows"])
    given.write_text("\n".join(lines))
    decided = [one["rule"] == one["answer"] for one in run["rows"]]
    table = imported(data, f"mmmu-pro-{kind}", given, "--model", "GPT-4o")
    assert f"{100 * sum(decided) / len(decided):.1f}" in table


def test_mmstars_table_gives_llava_nexts_published_score(tmp_path: Path) -> None:
    rows = load_json("comprehension", "mmstar_cases.json.gz")["meta"]["published_run"]["rows"]
    data = tmp_path / "data"
    table = [
        {"index": k, "question": f"Q{k}\nOptions: A: a, B: b, C: c, D: d", "answer": right, "image": IMAGE,
         "category": category, "l2_category": finer}
        for k, (_, right, category, finer) in enumerate(rows)
    ]  # fmt: skip
    by_datasets(data / "mmstar.parquet", table)
    given = delimited(
        tmp_path / "llava_next_yi_34b_MMStar.tsv",
        [{"index": k, "prediction": said} for k, (said, *_) in enumerate(rows)],
    )
    assert "52.1" in imported(data, "mmstar", given)


@pytest.mark.parametrize(
    ("content", "form", "fault"),
    [
        ([1], "mathvista", "must be an object of problems"),
        ({"1": {"query": "?", "response": "x"}}, "mathvista-extractions", "has no extraction"),
        ({"1": {"query": "?", "response": ["x"]}}, "mathvista", "has no response that is a text"),
        ([{"idx": "val_1"}], "blink", "full_prediction"),
    ],
)
def test_outputs_of_another_form_are_refused(content: Any, form: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=fault):
        read_predictions(write_json(tmp_path / "x.json", content), form)


def test_formats_of_the_authors_are_recognised(tmp_path: Path) -> None:
    def of(value: Any) -> str:
        return recognize(write_json(tmp_path / "x.json", value))

    assert of({"1": {"query": "?", "response": "x"}}) == "mathvista"
    assert of([{"idx": "val_1", "full_prediction": "(A)", "prediction": "(A)"}]) == "blink"
    assert [one.text for one in read_predictions(tmp_path / "x.json")] == ["(A)"]
