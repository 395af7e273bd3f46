"""MM-Vet's tables from given grades, to the printed digit."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.judge import capability_table
from tests.goldens import case_files, find_support, read_json, read_text

_NAME = re.compile(r"(?P<model>.+)_(?P<judge>[^_]+)-grade-(?P<runs>\d+runs?)\.json")
GRADES = [path for path in case_files("*-grade-*.json*") if _NAME.match(path.name)]


def _grades(value: Mapping[str, Any]) -> dict[str, list[float]]:
    """Lists of grades, or the judge script's records with `score`."""
    return {name: entry["score"] if isinstance(entry, Mapping) else entry for name, entry in value.items()}


def _row(path: Path, kind: str) -> dict[str, str] | None:
    """The official table's line for the grades in `path`: its own table, or one that lists several models."""
    found = _NAME.match(path.name)
    assert found is not None
    for table in sorted(path.parent.glob(f"*_{found['judge']}-{kind}-{found['runs']}.csv*")):
        for row in csv.DictReader(read_text(table).splitlines()):
            if row[""] == found["model"]:
                return row
    return None


@pytest.mark.parametrize("path", GRADES, ids=lambda path: path.name)
def test_tables_from_grades_equal_the_official_ones(path: Path, compared: Callable[[str, int], None]) -> None:
    questions = find_support("mmvet", "mm-vet.json")
    if questions is None:
        pytest.skip("MM-Vet's questions (mm-vet.json) are not here")
    capabilities = {key: value["capability"] for key, value in read_json(questions).items()}
    grades = _grades(read_json(path))
    table = capability_table(grades, capabilities)
    cells = 0
    scores = _row(path, "cap-score")
    if scores is not None:
        for name, value in table.capabilities.items():
            assert value == float(scores[name]), name
        assert (table.total, table.deviation) == (float(scores["total"]), float(scores["std"]))
        # Newer numpy writes "np.float64(31.2)" into the list.
        assert list(table.runs) == [float(text) for text in re.findall(r"\d+\.\d+", scores["runs"])]
        cells += len(table.capabilities) + 2 + len(table.runs)
    for names, text in (_row(path, "cap-int-score") or {}).items():
        if names not in ("", "total", "std", "runs"):
            assert table.integrations[frozenset(names.split("_"))] == float(text), names
            cells += 1
    compared("MM-Vet tables, cells", cells)
