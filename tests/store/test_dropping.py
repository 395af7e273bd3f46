"""Answers of a sick worker are removed and asked again by the run's command."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.errors import StoreError
from evalsuite.leaderboards.marks import stale
from evalsuite.store import RunReader, RunWriter, verify
from evalsuite.store.manifest import WorkerRecord
from tests.cli.program import here
from tests.engine.support import run_sums, sums_spec
from tests.ray.rows import numbers, rows


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run of two tasks; worker 3 answered the first step of every fifth sample, worker 2 the rest."""
    path = tmp_path / "run"
    run_sums(sums_spec("twice-asked", "sum-images"), path)
    with RunWriter.for_scoring(path) as writer:
        writer._connection.execute("UPDATE responses SET worker = 2")
        writer._connection.execute("UPDATE responses SET worker = 3 WHERE sample GLOB '*[05]' AND step = 0")
        workers = [WorkerRecord(worker=n, node="n", host="h", gpus=("A100 (uuid)",)) for n in (2, 3)]
        writer.set_workers("ray 2", 16, workers)
    return path


def test_a_workers_answers_go_with_the_steps_that_follow_from_them_and_are_asked_again(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, numbered = rows(out), numbers(out)
    done = here(capsys, "runs", "drop", out, "--worker", "3")
    assert done.returncode == 0, done.stderr
    assert "twice-asked: answers to 4 samples removed" in done.stdout
    left = rows(out)
    gone = {key for key in before if key not in left}
    assert {(task, step) for task, _, step in gone} == {
        ("twice-asked", 0),
        ("twice-asked", 1),
        ("sum-images", 0),
    }
    assert {sample.rpartition("-")[2] for _, sample, _ in gone} == {"0", "5", "10", "15"}
    with RunReader(out) as run:
        results, counts = run.metrics(), run.counts()
        notes = [note.text for note in run.notes()]
    assert [stale(result, counts) for result in results] == [4, 4], "the scores say that they are outdated"
    assert any("answers of worker 3 to 4 samples were dropped" in note for note in notes)
    assert "after the scores" in here(capsys, "runs", "show", out).stdout
    run_sums(sums_spec("twice-asked", "sum-images"), out)
    assert rows(out) == before
    assert numbers(out) == numbered
    assert verify(out).sound


def test_a_worker_that_the_run_does_not_know_is_refused_by_those_it_knows(out: Path, tmp_path: Path) -> None:
    with RunWriter.for_scoring(out) as writer, pytest.raises(StoreError, match=r"no worker 7.*workers 2, 3"):
        writer.drop_worker(7)
    run_sums(sums_spec(), tmp_path / "one")
    with (
        RunWriter.for_scoring(tmp_path / "one") as writer,
        pytest.raises(StoreError, match="one process answered"),
    ):
        writer.drop_worker(0)


def test_workers_are_shown_with_their_answers(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "worker     3: h, A100 (uuid), 0 answers" in here(capsys, "runs", "show", out).stdout
