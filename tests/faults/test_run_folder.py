"""A run's folder that is moved, deleted, replaced, forbidden or taken over while it is written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.engine.saver import BEHIND
from evalsuite.errors import StoreError
from evalsuite.store import RunReader, RunWriter, verify
from evalsuite.store.lock import WriterLock, is_written
from tests.engine.support import run_sums, sums_spec
from tests.faults.conftest import Tally
from tests.faults.support import SUMS, command, environment, program, sums_arguments


def _sums(out: Path, log: Path, *more: object, task: str = "sum-images", count: int = 400) -> list[object]:
    return sums_arguments(task, count, out, log, "--batch-size", 4, *more)


def _wait_for_lines(log: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None and (not log.exists() or len(log.read_bytes().splitlines()) < count):
        time.sleep(0.005)


def _start(arguments: list[object], cache: Path, errors: Path) -> subprocess.Popen[bytes]:
    with errors.open("wb") as stream:
        return subprocess.Popen(
            command(*arguments), stdout=subprocess.DEVNULL, stderr=stream, env=environment(cache)
        )


def _move(out: Path) -> Path:
    return out.rename(out.with_name("elsewhere"))


def _delete(out: Path) -> Path:
    shutil.rmtree(out)
    return out.with_name("nowhere")


def _replace_by_empty(out: Path) -> Path:
    moved = out.rename(out.with_name("elsewhere"))
    out.mkdir()
    return moved


def _replace_by_copy(out: Path) -> Path:
    moved = out.rename(out.with_name("elsewhere"))
    shutil.copytree(moved, out)
    return moved


def _lose_database(out: Path) -> Path:
    for file in out.glob("responses.sqlite*"):
        file.unlink()
    return out.with_name("nowhere")


def _take_over(out: Path) -> Path:
    (out / ".tmp-run.lock-owner").write_text("process 1 on another machine, 0")
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_move),
        pytest.param(_delete, marks=pytest.mark.long),
        pytest.param(_replace_by_empty, marks=pytest.mark.long),
        pytest.param(_replace_by_copy, marks=pytest.mark.long),
        pytest.param(_lose_database, marks=pytest.mark.long),
        pytest.param(_take_over, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize(
    "shards", [pytest.param("0", id="files"), pytest.param("50", id="shards", marks=pytest.mark.long)]
)
def test_the_run_stops_at_once_and_what_was_answered_is_whole(
    change: Callable[[Path], Path], shards: str, tmp_path: Path, tally: Tally
) -> None:
    out, log, errors = tmp_path / "run", tmp_path / "log", tmp_path / "errors"
    process = _start(_sums(out, log, "--image-shards", shards), tmp_path, errors)
    _wait_for_lines(log, 40, process)
    moved = change(out)
    asked = len(log.read_text().splitlines())
    assert process.wait(60) == 2
    said = errors.read_text()
    assert "is no longer the folder" in said
    assert "Traceback" not in said
    after = len(log.read_text().splitlines()) - asked
    assert after <= 2 * 4, "it went on asking"
    if moved.exists():
        assert verify(moved).sound
        with RunReader(moved) as run:
            stored = len(run.answered("sum-images"))
        # What is being answered, and one batch that waits to be saved.
        assert asked - (1 + BEHIND) * 4 <= stored <= asked + after
    if change in (_move, _delete):
        assert not out.exists(), "a part of the run came into being again"
    if change is _move:
        with RunReader(moved) as run:
            assert run.statuses()[-1] == "killed"
    tally("run folders moved or replaced", "stopped, exit 2")


@pytest.mark.long
def test_a_moved_run_goes_on_where_it_is_put_back(tmp_path: Path, tally: Tally) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    process = _start(_sums(out, log, count=60), tmp_path, tmp_path / "errors")
    _wait_for_lines(log, 20, process)
    moved = _move(out)
    assert process.wait(60) == 2
    moved.rename(out)
    end = program(*_sums(out, log, count=60), cache=tmp_path)
    assert end.returncode == 0, end.stderr
    assert verify(out).sound
    asked = log.read_text().splitlines()
    assert len(set(asked)) == 60
    assert len(asked) <= 60 + 2 * 4
    tally("run folders moved or replaced", "resumed where it was put back")


@pytest.mark.slow
@pytest.mark.parametrize("shards", ["0", "4"])
@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
def test_answers_whose_images_are_lost_are_asked_again(
    harm: str, shards: str, tmp_path: Path, tally: Tally
) -> None:
    out = tmp_path / "run"
    spec = sums_spec("sum-images", count=10)
    run_sums(spec, out, image_shards=int(shards))
    with RunReader(out) as run:
        before = {r.sample: r.response.images[0].read() for r in run.records("sum-images")}  # type: ignore[union-attr]
    files = sorted(file for file in (out / "images").rglob("*") if file.is_file())
    victim = files[0]
    data = victim.read_bytes()
    if harm == "gone":
        victim.unlink()
    elif harm == "cut":
        victim.write_bytes(data[: len(data) // 2])
    else:
        victim.write_bytes(bytes(len(data)))
    found = verify(out)
    assert not found.sound
    assert found.lost_samples
    with RunReader(out) as run:
        assert len(run.answered("sum-images")) == 10, "they count as answered until the user decides"
    run_sums(spec, out, image_shards=int(shards), retry_failed=True)
    assert verify(out).sound
    with RunReader(out) as run:
        after = {r.sample: r.response.images[0].read() for r in run.records("sum-images")}  # type: ignore[union-attr]
        assert any("were lost" in note.text for note in run.notes())
    assert after == before, "the same seeds give the same images"
    tally("lost images", "asked again")


@pytest.mark.long
def test_verify_names_the_option_that_helps(tmp_path: Path, tally: Tally) -> None:
    out = tmp_path / "run"
    run_sums(sums_spec("sum-images", count=4), out)
    next((out / "images").glob("??/*")).unlink()
    end = program("runs", "verify", out, cache=tmp_path)
    assert end.returncode == 1
    assert "1 answered samples have lost images" in end.stdout
    assert "--retry-failed" in end.stdout
    tally("lost images", "told by verify")


@pytest.mark.slow
def test_a_session_that_was_killed_never_says_running(tmp_path: Path, tally: Tally) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    process = _start(_sums(out, log), tmp_path, tmp_path / "errors")
    _wait_for_lines(log, 8, process)
    assert is_written(out)
    assert "running, begun" in program("runs", "list", out, cache=tmp_path).stdout
    process.kill()
    process.wait()
    assert not is_written(out)
    listed = program("runs", "list", out, cache=tmp_path).stdout
    assert "killed, begun" in listed
    assert "running" not in listed
    assert " killed, " in program("runs", "show", out, cache=tmp_path).stdout
    tally("sessions that were killed", "shown as killed")


def test_a_second_writer_is_refused_and_looking_disturbs_nobody(tmp_path: Path, tally: Tally) -> None:
    out = tmp_path / "run"
    run_sums(sums_spec(count=4), out)
    lock = WriterLock(out)
    try:
        for _ in range(50):
            assert is_written(out)
        with pytest.raises(StoreError, match="is being written by another process"):
            RunWriter.for_scoring(out)
    finally:
        lock.release()
    assert not is_written(out)
    tally("two writers", "the second refused")


def test_a_writer_on_a_machine_without_our_locks_stops_the_first_not_the_answers(
    tmp_path: Path, tally: Tally
) -> None:
    """Two machines on a shared folder whose locks do not reach each other: the later one goes on."""
    out = tmp_path / "run"
    run_sums(sums_spec(count=4), out)
    first = WriterLock(out)
    first.check()
    # What the other machine does: it is not held by our lock, and puts its mark.
    (out / ".tmp-run.lock-owner").write_text("process 7 on elsewhere, abc")
    with pytest.raises(StoreError, match="another process has taken it over"):
        first.check()
    first.release()
    assert (out / ".tmp-run.lock-owner").exists(), "the other's mark is not ours to remove"
    tally("two writers", "the first stopped")


def _without_privileges() -> list[str]:
    """In front of a command: root without the right to pass over permissions; nothing for other users."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("to root nothing is forbidden, and setpriv is not here")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "arguments", "code"),
    [
        (
            "a forbidden folder",
            ["run", "--plugin", SUMS, "--model", "adder", "--task", "sums", "--out", "new"],
            2,
        ),
        ("a run that is read-only", ["score", "run"], 2),
        ("a run that is read-only and looked at", ["runs", "show", "run"], 0),
        ("an output's folder", ["leaderboard", "run", "-o", "table.md"], 2),
        ("a report's folder", ["report", "run", "--out", "site"], 2),
    ],
)
def test_folders_without_rights_are_refused_in_a_line(
    what: str, arguments: list[object], code: int, tmp_path: Path, tally: Tally
) -> None:
    folder = tmp_path / "runs"
    run_sums(sums_spec(count=4), folder / "run")
    for path in (folder / "run", folder):
        path.chmod(0o555)
    try:
        end = subprocess.run(
            [*_without_privileges(), *command(*arguments)],
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment(tmp_path / "cache"),
            timeout=240,
        )
    finally:
        for path in (folder, folder / "run"):
            path.chmod(0o755)
    assert "Traceback" not in end.stderr
    assert "This is a bug" not in end.stderr, end.stderr
    assert end.returncode == code, end.stderr
    tally("forbidden and read-only folders", "refused, exit 2" if code else f"read: {what}"[:4])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "SIGTERM",
        pytest.param("SIGHUP", marks=pytest.mark.long),
        pytest.param("SIGINT", marks=pytest.mark.long),
    ],
)
def test_signals_end_a_run_as_ctrl_c_does(name: str, tmp_path: Path, tally: Tally) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    process = _start(_sums(out, log), tmp_path, tmp_path / "errors")
    _wait_for_lines(log, 12, process)
    process.send_signal(getattr(signal, name))
    code = process.wait(60)
    assert code == {"SIGTERM": 143, "SIGHUP": 129, "SIGINT": 130}[name]
    said = (tmp_path / "errors").read_text()
    assert "interrupted; run the same command again to resume" in said
    assert "Traceback" not in said
    with RunReader(out) as run:
        assert run.statuses()[-1] == "interrupted"
    assert verify(out).sound
    tally("signals", f"interrupted, exit {code}")


@pytest.mark.long
def test_a_run_that_must_outlive_its_terminal_does(tmp_path: Path, tally: Tally) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    process = subprocess.Popen(
        ["nohup", *command(*_sums(out, log, count=40))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(tmp_path),
    )
    _wait_for_lines(log, 8, process)
    process.send_signal(signal.SIGHUP)
    assert process.wait(120) == 0
    tally("signals", "ignored under nohup")
