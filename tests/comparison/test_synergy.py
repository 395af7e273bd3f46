"""`evalsuite synergy`: numbers of each run, own against given images, and one run against another."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.comparison.synergy import Line, synergy
from evalsuite.errors import SpecError
from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader

TASKS = ("mini-own-images", "mini-true-images", "mini-generate-first")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, Path]:
    """The oracle twice, a run that generates nothing, and one about another run's images."""
    folder = tmp_path_factory.mktemp("synergy")
    tasks = tuple(TaskSpec(name=name, options={"subset": "5"}) for name in TASKS)
    borrowed = TaskSpec(name=TASKS[0], options={"subset": "5", "images": str(folder / "a")})
    made = {"a": tasks, "b": tasks, "c": tasks[1:2], "d": (borrowed, tasks[1])}
    for name, asked in made.items():
        run(RunSpec(model=ModelSpec(name="oracle"), tasks=asked), folder / name)
    a, b, c, d = (folder / name for name in made)
    return a, b, c, d


def lines_of(*paths: Path) -> dict[tuple[str, str, str], Line]:
    with ExitStack() as stack:
        found = synergy([stack.enter_context(RunReader(path)) for path in paths])
    return {(line.run, line.what, line.task): line for line in found}


def test_each_run_says_what_it_generates_and_reads_right(runs: tuple[Path, ...]) -> None:
    lines = lines_of(runs[0])
    own, true, first = TASKS
    values = {(what, task): line.value for (_, what, task), line in lines.items()}
    assert values["generated right", own] == 100
    assert values["read right, own images", own] == 100
    assert values["read right given generated right, own images", own] == 100
    assert values["read right, true images", true] == 100
    assert values["answered as the caption says, own images", own] == 100
    gain = lines["oracle (a)", "read right, own images − true images", f"{own} − {true}"]
    assert (gain.value, gain.p, gain.n) == (0, 1, 5)
    gain = lines["oracle (a)", "gain of generating first", f"{first} − {true}"]
    assert (gain.value, gain.n) == (0, 5)
    whats = [(what, task) for _, what, task in lines]
    assert len(set(whats)) == len(whats), "one line for each metric: breakdowns are not among them"


def test_a_further_run_is_compared_with_the_first(runs: tuple[Path, ...]) -> None:
    lines = lines_of(*runs[:2])
    between = lines["oracle (b) − oracle (a)", "gain: read right, own images", TASKS[0]]
    assert (between.value, between.n) == (0, 5)
    assert lines["oracle (b) − oracle (a)", "gain: read right, true images", TASKS[1]].n == 5


def test_images_of_another_run_are_told_from_own_ones(runs: tuple[Path, ...]) -> None:
    lines = lines_of(runs[0], runs[3])
    assert lines["oracle (d)", "read right, images of oracle", TASKS[0]].value == 100
    assert (
        lines["oracle (d)", "read right, images of oracle − true images", f"{TASKS[0]} − {TASKS[1]}"].n == 5
    )
    both = "gain: read right, images of oracle − own images"
    assert lines["oracle (d) − oracle (a)", both, TASKS[0]].n == 5


def test_the_command_prints_a_line_per_number(runs: tuple[Path, ...]) -> None:
    result = CliRunner().invoke(app, ["synergy", str(runs[0])])
    assert result.exit_code == 0, result.output
    assert re.search(r"generated right +mini-own-images +100\.0", result.output)
    assert len(re.findall("gain of generating first", result.output)) == 1


def test_a_folder_stands_for_its_runs(runs: tuple[Path, ...]) -> None:
    folder = runs[0].parent
    result = CliRunner().invoke(app, ["synergy", str(folder)])
    assert result.exit_code == 0, result.output
    assert result.output == CliRunner().invoke(app, ["synergy", *map(str, runs)]).output


def test_a_run_without_generated_images_is_refused(runs: tuple[Path, ...]) -> None:
    with RunReader(runs[2]) as third, pytest.raises(SpecError, match="None of the runs has a task"):
        synergy([third])
