"""Published numbers as data: the shipped files are whole, and faults in a file are named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from evalsuite.errors import SpecError
from evalsuite.published import CONFIDENCE, read_publication
from evalsuite.registry import load_registry
from tests.cli.program import here

REGISTRY = load_registry()


def test_the_papers_tables_are_there() -> None:
    assert {"dreamllm", "llava-1.5", "mini"} <= set(REGISTRY.published)
    tables = REGISTRY.published["dreamllm"].tables
    assert {f"table-{n}" for n in ("1", "2", "3", "4", "5", "6", "7", "8", "9a", "9b", "10")} <= set(tables)
    row = tables["table-1"].row("DreamLLM-7B")
    assert row is not None
    assert [cell.value for name in tables["table-1"].columns if (cell := row.cell(name))] == [
        115.4, 17.4, 56.6, 44.3, 45.8, 34.9, 49.9, 35.9,
    ]  # fmt: skip


def test_every_column_names_a_task_metric_protocol_and_rules_that_exist() -> None:
    for publication in REGISTRY.published.values():
        for name, table in publication.tables.items():
            for column in table.columns.values():
                if not column.task:
                    continue
                where = f"{publication.name}/{name}: {column}"
                for task in filter(None, (column.task, column.instead.task if column.instead else "")):
                    entry = REGISTRY.tasks[task]
                    assert column.metric in [metric.name for metric in entry.metrics], where
                    assert not column.protocol or column.protocol in entry.protocols, where
                    assert column.rules in entry.rules, where


def test_pope_rows_are_consistent_with_one_confusion_matrix_each() -> None:
    """F1 is the harmonic mean of precision and recall, within the printed digits."""
    table = REGISTRY.published["dreamllm"].tables["table-7"]
    for row in table.rows:
        for split in ("random", "popular", "adversarial"):
            found = {part: row.cell(f"{split} {part}") for part in ("Prec", "Rec", "F1")}
            precision, recall, f1 = (cell.value for cell in found.values() if cell is not None)
            assert 2 * precision * recall / (precision + recall) == pytest.approx(f1, abs=0.011)


def test_every_confidence_is_explained_and_unknown_stays_unknown() -> None:
    table = REGISTRY.published["dreamllm"].tables["table-2"]
    row = table.row("SD v2.1 fine-tuned on stage-I data")
    assert row is not None
    assert row.cell("MS-COCO") is None
    assert row.cells["MS-COCO"] == "unknown"
    for publication in REGISTRY.published.values():
        for each in publication.tables.values():
            for one in each.rows:
                cells = [cell for name in each.columns if (cell := one.cell(name))]
                assert all(cell.confidence in CONFIDENCE for cell in cells)


GOOD = {
    "name": "paper",
    "title": "A paper",
    "source": "https://example.org",
    "tables": {
        "t": {
            "title": "T",
            "columns": {"c": {"task": "vqa", "metric": "accuracy"}},
            "rows": [{"model": "m", "confidence": "printed", "cells": {"c": 1.5}}],
        }
    },
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda v: v["tables"]["t"]["rows"][0]["cells"].update(d=1), "cell 'd', which is not a column"),
        (lambda v: v["tables"]["t"]["rows"][0].update(confidence="sure"), "confidence"),
        (lambda v: v["tables"]["t"]["rows"][0]["cells"].update(c="n/a"), "'n/a' is not a number"),
        (lambda v: v["tables"]["t"]["columns"]["c"].pop("metric"), "needs a metric"),
        (lambda v: v["tables"]["t"]["columns"]["c"].pop("task"), "needs a reason"),
        (lambda v: v["tables"]["t"]["rows"].append(v["tables"]["t"]["rows"][0]), "a model occurs twice: m"),
        (lambda v: v["tables"]["t"].update(subject="x"), "subject 'x' is not a row"),
        (lambda v: v["tables"]["t"].update(rows=[]), "rows"),
    ],
)
def test_a_fault_in_a_file_is_named(change: object, told: str, tmp_path: Path) -> None:
    value = yaml.safe_load(yaml.safe_dump(GOOD))
    change(value)  # type: ignore[operator]
    path = tmp_path / "paper.yaml"
    path.write_text(yaml.safe_dump(value))
    with pytest.raises(SpecError, match=r"paper\.yaml") as caught:
        read_publication(path)
    assert told in str(caught.value)


def test_a_file_of_ones_own_is_listed_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "paper.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    done = here(capsys, "published", "list", "--published-file", path)
    assert "paper/t" in done.stdout
    assert "dreamllm/table-1" in done.stdout
    done = here(capsys, "published", "show", "paper", "--published-file", path)
    assert (done.returncode, "read in the publication itself" in done.stdout) == (0, True), done.stderr
    assert here(capsys, "published", "list", "--published-file", tmp_path / "none.yaml").returncode == 2
