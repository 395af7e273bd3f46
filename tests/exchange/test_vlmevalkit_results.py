"""VLMEvalKit's result tables (the TSV's columns without the image, and `prediction`) for four benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evalsuite.errors import DataError
from evalsuite.exchange import import_predictions
from evalsuite.running.scoring import Scored
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader
from tests.tasks.tables import base64_of, by_datasets, cell, delimited, image_files, json_file


def results(folder: Path, rows: list[dict[str, Any]], *predictions: str, kind: str = "tsv") -> Path:
    """The table that VLMEvalKit writes beside data of these rows."""
    frame = pd.DataFrame([{**row, "prediction": text} for row, text in zip(rows, predictions, strict=True)])
    frame = frame.drop(columns="image", errors="ignore")
    path = folder / f"model_results.{kind}"
    if kind == "xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, sep="\t", index=False)
    return path


def accuracy(scored: Scored) -> float:
    assert not scored.errors, scored.errors
    (result,) = scored.results
    return next(e.value for e in result.numbers() if e.metric.name in ("accuracy", "aAcc") and not e.group)


MATHVISTA = [
    {"index": 1, "question": "Hint: Please answer …\nQuestion: How many?", "choices": "", "answer": "3",
     "question_type": "free_form", "answer_type": "integer", "task": "counting", "image": base64_of(0)},
    {"index": 2, "question": "Hint: Please choose …\nQuestion: Which?\nChoices:\n(A) x\n(B) y",
     "choices": "['x', 'y']", "answer": "y", "question_type": "multi_choice", "answer_type": "text",
     "task": "counting", "image": base64_of(1)},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["xlsx", "tsv"])
def test_mathvista_by_its_own_table_and_by_the_hubs(tmp_path: Path, kind: str) -> None:
    file = results(tmp_path, MATHVISTA, "3", "y", kind=kind)
    delimited(tmp_path / "tsv" / "MathVista_MINI.tsv", MATHVISTA)
    own = TaskSpec(name="mathvista-testmini", data=tmp_path / "tsv")
    assert accuracy(import_predictions(tmp_path / "one", own, file)) == 1
    rows = [
        {"pid": str(row["index"]), "query": row["question"], "answer": row["answer"],
         "choices": ["x", "y"] if row["choices"] else None, "question_type": row["question_type"],
         "answer_type": row["answer_type"], "precision": None, "decoded_image": cell(0),
         "metadata": dict.fromkeys(("language", "source", "category", "task", "context", "grade"), "z")
         | {"skills": ["a"]}}
        for row in MATHVISTA
    ]  # fmt: skip
    by_datasets(tmp_path / "hub" / "data" / "testmini-0.parquet", rows, ("decoded_image",))
    hub = TaskSpec(name="mathvista-testmini", data=tmp_path / "hub")
    assert accuracy(import_predictions(tmp_path / "two", hub, file)) == 1
    by_datasets(
        tmp_path / "other" / "data" / "testmini-0.parquet", [rows[0] | {"answer": "4"}, rows[1]],
        ("decoded_image",),
    )  # fmt: skip
    other = TaskSpec(name="mathvista-testmini", data=tmp_path / "other")
    with pytest.raises(DataError, match=r"the right answer to question '1' .* is \['4'\] here, and '3' in"):
        import_predictions(tmp_path / "three", other, file)


def test_hallusionbench_results_fit_the_authors_file(tmp_path: Path) -> None:
    row = {"category": "VD", "subcategory": "figure", "visual_input": "1", "set_id": "0", "figure_id": "1",
           "question_id": "2", "question": "Longer?", "gt_answer": "1", "gt_answer_details": "It is.",
           "filename": "./hallusion_bench/VD/figure/0_1.png"}  # fmt: skip
    json_file(tmp_path / "data" / "HallusionBench.json", [row])
    image_files(tmp_path / "data", "hallusion_bench/VD/figure/0_1.png")
    table = [{"index": "VD_figure_1_0_1_2", "question": "Longer?", "answer": "Yes", "category": "VD",
              "l2-category": "figure"}]  # fmt: skip
    file = results(tmp_path, table, "Yes, it is.")
    task = TaskSpec(name="hallusionbench-image", data=tmp_path / "data")
    assert accuracy(import_predictions(tmp_path / "run", task, file)) == 1
    wrong = results(tmp_path, [{**table[0], "answer": "No"}], "Yes")
    with pytest.raises(DataError, match="the right answer to question 'VD_figure_0_1_2'"):
        import_predictions(tmp_path / "again", task, wrong)


def test_ocrbench_results_in_another_order_are_seen_by_their_answers(tmp_path: Path) -> None:
    kind = "Regular Text Recognition"
    rows = [
        {"index": k, "question": "what is written in the image?", "answer": f"['{text}']", "category": kind,
         "image": base64_of(k)}
        for k, text in enumerate(("CENTRE", "STOP"))
    ]  # fmt: skip
    hub = [
        {"dataset": "IIIT5K", "question": row["question"], "question_type": kind, "answer": [text],
         "image": cell(0)}
        for row, text in zip(rows, ("CENTRE", "STOP"), strict=True)
    ]  # fmt: skip
    by_datasets(tmp_path / "hub" / "data" / "test-0.parquet", hub)
    by_datasets(tmp_path / "turned" / "data" / "test-0.parquet", hub[::-1])
    file = results(tmp_path, rows, "Centre", "go")
    task = TaskSpec(name="ocrbench", data=tmp_path / "hub")
    assert accuracy(import_predictions(tmp_path / "one", task, file)) == 0.5
    with RunReader(tmp_path / "one") as run:
        assert not any("VLMEvalKit's copy" in note.text for note in run.notes())
    turned = TaskSpec(name="ocrbench", data=tmp_path / "turned")
    with pytest.raises(DataError, match=r"the right answer to question '0' of ocrbench is \['STOP'\] here"):
        import_predictions(tmp_path / "two", turned, file)


def test_mmmu_results_hold_both_splits(tmp_path: Path) -> None:
    shared = {"A": "x", "B": "y", "C": "", "D": "", "answer": "A", "category": "Art", "image": base64_of(0)}
    rows = [
        {"index": k, "id": f"{split}_Art_1", "question": f"{split}: what is in <image 1>?", "split": split,
         **shared}
        for k, split in enumerate(("dev", "validation"))
    ]  # fmt: skip
    file = results(tmp_path, rows, "B", "A")
    delimited(tmp_path / "tsv" / "MMMU_DEV_VAL.tsv", rows)
    own = TaskSpec(name="mmmu-val", data=tmp_path / "tsv")
    with pytest.raises(DataError, match="has no question '0'"):
        import_predictions(tmp_path / "one", own, file)
    assert accuracy(import_predictions(tmp_path / "two", own, file, ignore_unknown=True)) == 1
    with RunReader(tmp_path / "two") as run:  # how its data differ stands with the run
        assert any("MMMU_DEV_VAL.tsv: VLMEvalKit's copy" in note.text for note in run.notes())
    hub: dict[str, Any] = {
        "id": "validation_Art_1", "question": "validation: what is in <image 1>?", "answer": "A",
        "options": "['x', 'y']", "question_type": "multiple-choice", "image_1": cell(0),
    }  # fmt: skip
    hub |= {f"image_{k}": None for k in range(2, 8)}
    images = tuple(f"image_{k}" for k in range(1, 8))
    by_datasets(tmp_path / "hub" / "data" / "validation-0.parquet", [hub], images)
    task = TaskSpec(name="mmmu-val", data=tmp_path / "hub")
    assert accuracy(import_predictions(tmp_path / "three", task, file, ignore_unknown=True)) == 1
