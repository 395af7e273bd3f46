"""What all trackers share: what is logged, once, and that a tracker's trouble is none of the run's."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from evalsuite import loggers
from evalsuite.errors import SpecError, UnavailableError
from evalsuite.loggers import Destination, Entry, destination, entry_of, log_all
from evalsuite.store import RunReader
from tests.cli.program import here


class Recorder:
    """A tracker that keeps what it is given, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.entries: list[Entry] = []
        self.closed = 0
        self.fails = fails

    def write(self, entry: Entry) -> None:
        if self.fails:
            raise OSError("the disk of the server is full")
        self.entries.append(entry)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(Destination, "open", lambda _: found)
    return found


def test_an_entry_has_numbers_intervals_counts_images_and_the_step(runs: list[Path]) -> None:
    with RunReader(runs[0]) as reader:
        entry = entry_of(reader)
        (result,) = [r for r in reader.metrics() if r.task == "shapes"]
    assert (entry.series, entry.step) == ("base", 1000)
    assert entry.scalars["shapes/accuracy"] == 100.0
    assert entry.scalars["shapes/accuracy/low"] == pytest.approx(result.headline().low * 100)
    assert entry.scalars["shapes/n"] == 24
    assert entry.scalars["edits/failures"] == 0
    assert not any("colour=" in name for name in entry.scalars)
    assert len(entry.images) == loggers.entries.IMAGES
    assert all(one.key.startswith("edits/sample ") for one in entry.images)
    assert entry.parameters["model"] == "exact"


def test_every_run_is_logged_once_in_the_order_of_steps(runs: list[Path], recorder: Recorder) -> None:
    to = Destination("tensorboard", "logs")
    assert log_all(runs[::-1], to).written == 2
    assert [entry.step for entry in recorder.entries] == [1000, 2000]
    assert (log_all(runs, to).written, recorder.closed) == (0, 1)
    assert log_all(runs, Destination("tensorboard", "elsewhere")).written == 2
    loggers.forget(runs[:1], to)
    assert log_all(runs, to).written == 1


def test_new_numbers_are_logged_again(runs: list[Path], recorder: Recorder) -> None:
    to = Destination("tensorboard", "logs")
    log_all(runs, to)
    metrics = json.loads((runs[0] / "metrics.json").read_text())
    metrics["results"][0]["estimates"][0]["value"] = 0.25
    (runs[0] / "metrics.json").write_text(json.dumps(metrics))
    assert log_all(runs, to).written == 1
    assert recorder.entries[-1].scalars["shapes/accuracy"] == 25.0


def test_a_tracker_that_fails_is_told_once_and_gets_the_runs_later(
    runs: list[Path], recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.fails = True
    done = here(capsys, "score", *runs, "--log-to", "tensorboard:logs")
    assert done.returncode == 0
    assert done.stderr.count("the disk of the server is full") == 1
    assert f"evalsuite log {runs[0]} {runs[1]} --to tensorboard" in done.stderr
    assert here(capsys, "log", *runs, "--to", "tensorboard:logs").returncode == 2
    recorder.fails = False
    done = here(capsys, "log", runs[0].parent, "--to", "tensorboard:logs")
    assert (done.returncode, len(recorder.entries)) == (0, 2)
    assert "nothing is new" in here(capsys, "log", *runs, "--to", "tensorboard:logs").stderr


def test_a_damaged_record_of_what_was_logged_logs_again(runs: list[Path], recorder: Recorder) -> None:
    to = Destination("tensorboard", "logs")
    log_all(runs, to)
    (runs[0] / "logged.json").write_text("[half")
    assert log_all(runs, to).written == 1


def test_a_server_that_is_not_there_costs_seconds_not_minutes(runs: list[Path], monkeypatch: Any) -> None:
    pytest.importorskip("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    outcome = log_all(runs, Destination("mlflow", f"http://127.0.0.1:{port}"))
    assert outcome.waiting == tuple(runs)
    assert "cannot be reached" in str(outcome.error)


def test_unknown_and_absent_trackers_are_errors_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SpecError, match=r"tensorbord.*tensorboard"):
        destination("tensorbord:logs")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UnavailableError, match=r"evalsuite\[wandb\]"):
        destination("wandb")
    monkeypatch.undo()
    done = here(capsys, "run", "-m", "random", "-t", "mini-vqav2", "-o", tmp_path / "x", "--log-to", "nix")
    assert done.returncode == 2
    assert not (tmp_path / "x").exists()
