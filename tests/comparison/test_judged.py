"""Tasks that a judge scored: compared by one judge, and never by two without saying so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import evalsuite
from evalsuite.comparison import compare
from evalsuite.errors import SpecError
from tests.endpoint.server import serving
from tests.judging.data import answered
from tests.judging.test_judging import GRADE, judged


def test_judged_runs_are_compared_by_their_judge_and_not_by_two(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "a")
    for name in ("b", "c"):
        shutil.copytree(tmp_path / "a", tmp_path / name)
    with serving(tmp_path, GRADE) as local:
        judged(tmp_path / "a", local)
        judged(tmp_path / "b", local)
        judged(tmp_path / "c", local, "another")
    found = compare(tmp_path / "a", tmp_path / "b")
    (row,) = (row for row in found.rows if row.headline)
    assert (row.task, row.difference.value, row.difference.n) == ("mm-vet", 0, 6)
    with pytest.raises(SpecError, match="judge judge-2026-01-01 against another"):
        compare(tmp_path / "a", tmp_path / "c")
    assert compare(tmp_path / "a", tmp_path / "c", allow=["judge"]).passed
    run = evalsuite.load_run(tmp_path / "a")
    assert len(run.scores("mm-vet")) == 6
    assert run.samples("mm-vet", limit=1)[0].scores


def test_of_several_judges_one_that_both_sides_have_is_taken_and_told(tmp_path: Path) -> None:
    answered(tmp_path / "data", tmp_path / "a")
    with serving(tmp_path, GRADE) as local:
        judged(tmp_path / "a", local, "another")
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        judged(tmp_path / "a", local)
    found = compare(tmp_path / "a", tmp_path / "b")
    assert "mm-vet: judged by another-2026-01-01." in found.notes
    assert found.flips() == []
    run = evalsuite.load_run(tmp_path / "a")
    with pytest.raises(SpecError, match="several judges"):
        run.scores("mm-vet")
    assert len(run.scores("mm-vet", judge="another-2026-01-01")) == 6
