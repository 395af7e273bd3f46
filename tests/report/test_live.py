"""A report of runs that go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evalsuite.report import Written, follow_runs
from evalsuite.store import RunReader
from tests.report.support import PLUGIN, measure, read_data


def test_nothing_goes_on_so_an_ordinary_report_is_written_once(tmp_path: Path) -> None:
    run = measure(tmp_path / "run", "exact", "shapes")
    modes = []

    def write(*, live: bool) -> Written:
        modes.append(live)
        return Written(1, 1, 0, 0)

    follow_runs([run], write, wait=lambda seconds: pytest.fail("waited for nothing"))
    assert modes == [False]


def test_it_waits_for_a_run_and_an_interruption_leaves_an_ordinary_report(tmp_path: Path) -> None:
    told: list[str] = []
    modes: list[bool] = []

    def wait(seconds: float) -> None:
        if told.count("waiting for a run") == 1:
            measure(tmp_path / "runs" / "one", "exact", "shapes", limit=2)
        else:
            raise KeyboardInterrupt

    def write(*, live: bool) -> Written:
        modes.append(live)
        return Written(1, 1, 0, 0)

    (tmp_path / "runs").mkdir()
    follow_runs([tmp_path / "runs"], write, told=told.append, wait=wait)
    assert modes == [False]
    assert told == ["waiting for a run"]


def evalsuite(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "evalsuite", *map(str, arguments), "--plugin", str(PLUGIN)]
    environment = {**os.environ, "REPORT_PLUGIN_PAUSE": "0.4", "PYTHONPATH": str(PLUGIN.parents[2])}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def until(found: object, process: subprocess.Popen[str]) -> None:
    assert callable(found)
    for _ in range(1200):
        if found():
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    pytest.fail("nothing came")


@pytest.mark.slow
def test_a_report_of_a_real_run_grows_with_it_and_ends_with_it(tmp_path: Path) -> None:
    runs, site = tmp_path / "runs", tmp_path / "site"
    run = evalsuite("run", "--model", "exact", "--task", "shapes", "--out", runs / "one", "--batch-size", "1")
    report = evalsuite("report", runs, "--out", site, "--live", "--interval", "1")
    try:
        until(lambda: (site / "data/live/stamp.js").exists(), report)
        first = read_data(site, "live/stamp")
        assert "live.js" in (site / "index.html").read_text()
        partial = read_data(site, "shapes/index")["count"] if (site / "data/shapes").exists() else 0
        assert partial < 24
        until(lambda: not (site / "data/live").exists() or read_data(site, "live/stamp") != first, report)
        said = report.communicate(timeout=120)[0]
        assert report.returncode == 0, said
        assert run.wait(timeout=60) == 0
    finally:
        for process in (run, report):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
    assert "live.js" not in (site / "index.html").read_text()  # the last one is an ordinary report
    assert not (site / "data/live").exists()
    assert read_data(site, "shapes/index")["count"] == 24
    with RunReader(runs / "one") as reader:
        assert reader.counts()["shapes"].answered == 24
