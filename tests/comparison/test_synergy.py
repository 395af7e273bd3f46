"""`evalsuite synergy`: numbers of each run, own against given images, and one run against another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.comparison.synergy import synergy
from evalsuite.errors import SpecError
from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader

TASKS = ("mini-own-images", "mini-true-images")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The oracle twice, and a run that generates nothing."""
    folder = tmp_path_factory.mktemp("synergy")
    tasks = tuple(TaskSpec(name=name, options={"subset": "5"}) for name in TASKS)
    for name, asked in (("a", tasks), ("b", tasks), ("c", tasks[1:])):
        run(RunSpec(model=ModelSpec(name="oracle"), tasks=asked), folder / name)
    return folder / "a", folder / "b", folder / "c"


def test_values_gains_and_differences_of_runs(runs: tuple[Path, Path, Path]) -> None:
    with RunReader(runs[0]) as first, RunReader(runs[1]) as second:
        lines = {(line.run, line.what): line for line in synergy([first, second])}
    assert lines["oracle (a)", "mini-own-images: generated"].value == 100
    assert lines["oracle (a)", "mini-own-images: read if generated right"].n == 5
    gain = lines["oracle (b)", "mini-own-images − mini-true-images: accuracy"]
    assert (gain.value, gain.p) == (0, 1)
    between = lines["oracle (b) − oracle (a)", "mini-own-images: read"]
    assert (between.value, between.n) == (0, 5)
    with RunReader(runs[0]) as first:
        whats = [line.what for line in synergy([first])]
    assert len(set(whats)) == len(whats), "one line for each metric: breakdowns are not among them"


def test_the_command_prints_a_line_per_number(runs: tuple[Path, Path, Path]) -> None:
    result = CliRunner().invoke(app, ["synergy", str(runs[0])])
    assert result.exit_code == 0, result.output
    assert re.search(r"mini-own-images: generated +100\.0", result.output)
    assert len(re.findall("mini-own-images: generated", result.output)) == 1


def test_a_run_without_generated_images_is_refused(runs: tuple[Path, Path, Path]) -> None:
    with RunReader(runs[2]) as third, pytest.raises(SpecError, match="None of the runs has a task"):
        synergy([third])
