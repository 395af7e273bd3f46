"""Files and folders that commands write: the old or the new one, never a part; full disks; foreign files."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalsuite import durable
from evalsuite.errors import StoreError
from evalsuite.store import RunReader, verify
from tests.cli.program import here
from tests.data.image_files import encoded
from tests.engine.support import run_sums, sums_spec
from tests.faults.conftest import Tally
from tests.faults.support import SUMS, command, environment, pope, program, run_looker


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("outputs") / "run"
    run_sums(sums_spec("sums", "sum-images", count=8), out)
    return out


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of POPE, for exports."""
    folder = tmp_path_factory.mktemp("looked")
    data = pope(folder / "pope", {f"{i}.png": encoded(seed=i) for i in range(3)})
    end = program(*run_looker(data, folder / "run"), cache=folder / "cache")
    assert end.returncode == 0, end.stderr
    return folder / "run"


def _commands(run: Path, looked: Path, out: Path) -> dict[str, tuple[list[object], Path]]:
    """Command -> its arguments, and the file or folder that it writes."""
    found: dict[str, tuple[list[object], Path]] = {
        f"leaderboard {suffix}": (
            ["leaderboard", run, "-o", out / f"table.{suffix}"],
            out / f"table.{suffix}",
        )
        for suffix in ("md", "tex", "html", "csv", "json", "parquet")
    }
    found["gallery png"] = (["gallery", run, "-o", out / "sheet.png"], out / "sheet.png")
    found["gallery webp"] = (["gallery", run, "-o", out / "sheet.webp"], out / "sheet.webp")
    for option, name in (("--junit", "a.xml"), ("--json", "a.json"), ("--markdown", "a.md")):
        found[f"compare {option}"] = (["compare", run, run, option, out / name], out / name)
    found["export"] = (
        ["export", looked, "--format", "evalai", "-o", out / "answers.json"],
        out / "answers.json",
    )
    found["export tsv"] = (
        ["export", looked, "--format", "evalai", "-o", out / "answers.tsv"],
        out / "answers.tsv",
    )
    found["report"] = (["report", run, "--out", out / "site"], out / "site")
    found["study make"] = (["study", "make", run, "--out", out / "study", "-n", 4], out / "study")
    return found


_NAMES = [
    "leaderboard md",
    "leaderboard tex",
    "leaderboard html",
    "leaderboard csv",
    "leaderboard json",
    "leaderboard parquet",
    "gallery png",
    "gallery webp",
    "compare --junit",
    "compare --json",
    "compare --markdown",
    "export",
    "export tsv",
    "report",
    "study make",
]


def _state(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in files}


@pytest.mark.slow
@pytest.mark.parametrize("name", _NAMES)
def test_every_command_may_be_repeated_and_leaves_nothing_beside(
    name: str, run: Path, looked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    arguments, target = _commands(run, looked, tmp_path)[name]
    for _ in range(2):
        end = here(capsys, *map(str, arguments))
        assert end.returncode == 0, end.stderr
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert not list(target.rglob(".tmp-*")) if target.is_dir() else True
    tally("outputs written again", "replaced")


class _FullDisk:
    """Every write of a file below a folder fails as on a full disk, after some bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sync(self, path: Path) -> None:
        if self._folder in Path(path).parents:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))


@pytest.mark.slow
@pytest.mark.parametrize("name", _NAMES)
def test_a_disk_that_is_full_leaves_the_old_output_and_no_halves(
    name: str,
    run: Path,
    looked: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments, target = _commands(run, looked, tmp_path)[name]
    assert here(capsys, *map(str, arguments)).returncode == 0
    before = _state(target)
    monkeypatch.setattr(durable, "_sync", _FullDisk(tmp_path).sync)
    end = here(capsys, *map(str, arguments))
    assert end.returncode == 2
    assert "The disk is full" in end.stderr, end.stderr
    assert _state(target) == before
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    tally("outputs on a full disk", "the old one kept, exit 2")


_FOREIGN = [name for name in _NAMES if name in ("export", "export tsv", "report", "study make")]


@pytest.mark.slow
@pytest.mark.parametrize("name", _FOREIGN)
def test_what_no_command_made_is_not_destroyed(
    name: str, run: Path, looked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    arguments, target = _commands(run, looked, tmp_path)[name]
    if target.suffix:
        target.write_text("years of work")
    else:
        target.mkdir()
        (target / "thesis.tex").write_text("years of work")
    before = _state(target)
    end = here(capsys, *map(str, arguments))
    assert end.returncode == 2
    assert _state(target) == before
    tally("outputs that are not ours", "refused, exit 2")


def test_another_study_is_not_overwritten(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    make = ("study", "make", run, "--out", tmp_path / "study", "-n", "4")
    assert here(capsys, *make).returncode == 0
    key = (tmp_path / "study/key.json").read_bytes()
    end = here(capsys, *make, "--seed", "5")
    assert end.returncode == 2
    assert "is not empty and not this study" in end.stderr
    assert (tmp_path / "study/key.json").read_bytes() == key
    tally("outputs that are not ours", "refused, exit 2")


@pytest.mark.slow
def test_a_reports_neighbours_stay_and_its_stale_pages_go(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    site = tmp_path / "site"
    assert here(capsys, "report", run, "--out", site).returncode == 0
    (site / "CNAME").write_text("example.org")
    (site / ".git").mkdir()
    (site / "tasks" / "old.html").write_text("stale")
    assert here(capsys, "report", run, "--out", site, "--no-images").returncode == 0
    assert (site / "CNAME").read_text() == "example.org"
    assert (site / ".git").is_dir()
    assert not (site / "tasks" / "old.html").exists()
    assert not (site / "images").exists()
    tally("outputs written again", "replaced")


@pytest.mark.slow
def test_a_world_may_be_written_again_but_not_over_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    world = tmp_path / "world"
    for _ in range(2):
        assert here(capsys, "mini", "make", world).returncode == 0
    end = here(capsys, "mini", "make", world, "--seed", "99")
    assert end.returncode == 2
    assert "is not empty and not this world" in end.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["world"]
    tally("outputs written again", "replaced")
    tally("outputs that are not ours", "refused, exit 2")


def test_links_permissions_and_pipes_stay_what_they_are(tmp_path: Path, tally: Tally) -> None:
    real = tmp_path / "real.md"
    real.write_text("old")
    real.chmod(0o600)
    link = tmp_path / "link.md"
    link.symlink_to(real)
    durable.write_file(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o600
    reading, writing = os.pipe()
    durable.write_file(Path(f"/dev/fd/{writing}"), "through")
    os.close(writing)
    with os.fdopen(reading) as stream:
        assert stream.read() == "through"
    durable.write_file(Path("/dev/null"), "away")
    assert not Path("/dev/null").is_file(), "the device is still one"
    tally("outputs that are links or pipes", "written through", 3)


@pytest.mark.parametrize("length", [100, 200, 240, 255])
def test_long_names_can_be_written(length: int, tmp_path: Path, tally: Tally) -> None:
    for name in ("n" * (length - 3) + ".md", "é" * ((length - 3) // 2) + ".md"):
        durable.write_file(tmp_path / name, "x")
        assert (tmp_path / name).read_text() == "x"
    with pytest.raises(StoreError, match="File name too long"):
        durable.write_file(tmp_path / ("n" * 256), "x")
    tally("outputs with long names", "written", 2)
    tally("outputs with long names", "refused")


def test_what_a_killed_command_left_does_not_stop_the_next(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in ("site", "study"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f".tmp-{dead.pid}-{name}").mkdir()
        (folder / f".tmp-{dead.pid}-{name}" / "half.html").write_text("<htm")
    assert here(capsys, "report", run, "--out", tmp_path / "site").returncode == 0
    assert here(capsys, "study", "make", run, "--out", tmp_path / "study", "-n", "4").returncode == 0
    assert not list(tmp_path.rglob(".tmp-*"))
    tally("outputs of commands that were killed", "repeated", 2)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long) for name in _NAMES])
def test_a_command_that_is_killed_leaves_the_old_output_or_the_new(
    name: str, run: Path, looked: Path, tmp_path: Path, tally: Tally, request: pytest.FixtureRequest
) -> None:
    """Killed at random moments between the first write and the end."""
    arguments, target = _commands(run, looked, tmp_path)[name]
    end = program(*arguments, cache=tmp_path / "cache")
    assert end.returncode == 0, end.stderr
    whole = _state(target)
    rng = random.Random(len(name))
    everything = "faults" in (request.config.option.markexpr or "")
    for _ in range(6 if everything else 3):
        process = subprocess.Popen(
            command(*arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(tmp_path / "cache"),
        )
        moment = time.monotonic() + rng.uniform(0.5, 4.0)
        while time.monotonic() < moment and process.poll() is None:
            if any(tmp_path.rglob(".tmp-*")) and rng.random() < 0.3:
                break
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = {key: data for key, data in _state(target).items() if ".tmp-" not in key}
        assert now.keys() == whole.keys()
        if target.is_file() and target.suffix != ".parquet":
            assert now == whole
        tally("outputs of commands that were killed", "old or new")
    assert program(*arguments, cache=tmp_path / "cache").returncode == 0
    assert not list(tmp_path.glob(f".tmp-*-{target.name}")) or target.is_file()


# ------------------------------------------------------------------ a small disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True
    ).returncode:
        pytest.skip("this machine does not let a tmpfs be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _fill(disk: Path, left: int) -> Path:
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    ballast.write_bytes(bytes(max(free - left, 0)))
    return ballast


@pytest.mark.slow
@pytest.mark.parametrize(
    "left", [0, pytest.param(20_000, marks=pytest.mark.long), pytest.param(200_000, marks=pytest.mark.long)]
)
def test_a_run_on_a_full_disk_stops_and_goes_on_when_there_is_space(
    left: int, small_disk: Path, tmp_path: Path, tally: Tally
) -> None:
    ballast = _fill(small_disk, left)
    log = tmp_path / "log"
    arguments = [
        "run",
        "--plugin",
        SUMS,
        "--model",
        "adder",
        "--task",
        "sum-images",
        "--out",
        small_disk / "run",
        "--task-option",
        "count=300",
        "--option",
        f"log={log}",
        "--batch-size",
        "4",
        "--no-self-check",
    ]
    end = program(*arguments, cache=tmp_path)
    assert end.returncode == 2
    assert "disk is full" in end.stderr or "disk may be full" in end.stderr, end.stderr
    assert "Traceback" not in end.stderr
    asked = log.read_text().splitlines() if log.exists() else []
    stored = 0
    if (small_disk / "run" / "run.json").exists() and (small_disk / "run" / "responses.sqlite").exists():
        try:
            with RunReader(small_disk / "run") as reader:
                stored = len(reader.answered("sum-images"))
        except StoreError:
            stored = 0
    assert stored >= len(asked) - 4, "an answer that was paid is lost"
    ballast.unlink()
    end = program(*arguments, "--image-shards", "100", cache=tmp_path)
    assert end.returncode == 0, end.stderr
    assert verify(small_disk / "run").sound
    tally("runs on a full disk", "stopped and resumed")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "report",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("leaderboard html", "gallery png", "compare --json", "export", "study make")
        ),
    ],
)
def test_outputs_on_a_disk_that_is_really_full(
    name: str, run: Path, looked: Path, small_disk: Path, tmp_path: Path, tally: Tally
) -> None:
    arguments, _ = _commands(run, looked, small_disk)[name]
    _fill(small_disk, 0)
    end = program(*arguments, cache=tmp_path)
    assert end.returncode == 2
    assert "disk is full" in end.stderr, end.stderr
    assert "Traceback" not in end.stderr
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]
    tally("outputs on a full disk", "none, exit 2")


@pytest.mark.slow
def test_a_trace_that_cannot_be_written_is_no_second_trouble(
    small_disk: Path, tmp_path: Path, tally: Tally
) -> None:
    _fill(small_disk, 0)
    data = pope(tmp_path / "pope", {"0.png": encoded()})
    end = program(*run_looker(data, tmp_path / "run", "--option", "trouble=bug-at-start"), cache=small_disk)
    assert end.returncode == 2
    assert "the trace could not be written" in end.stderr
    assert len(end.stderr.strip().splitlines()) <= 4
    tally("runs on a full disk", "one line, exit 2")


def test_json_of_an_export_is_whole(looked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    end = here(capsys, "export", looked, "--format", "evalai", "-o", tmp_path / "a.json")
    assert end.returncode == 0
    assert len(json.loads((tmp_path / "a.json").read_text())) == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=["full", "quota"])
def test_a_quota_is_a_full_disk(number: int, tmp_path: Path, tally: Tally) -> None:
    from evalsuite.store.layout import reporting

    for report in (reporting, durable.reporting):
        with pytest.raises(StoreError, match="disk is full"), report(tmp_path):
            raise OSError(number, "no more")
        tally("disk quotas", "refused as a full disk")
