"""A number taken apart: each part has the effect that it must have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evalsuite.explaining import Explanation, Part, explain_number
from evalsuite.registry import Registry, load_registry
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from tests.cli.program import here
from tests.reproduction.image_files import PLUGIN, write_colours

CELL = "paper/main/colours-7B/clipped"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of 40 questions: plain, clipped, and plain with one image missing."""
    root = tmp_path_factory.mktemp("explaining")
    data = write_colours(root / "data")
    for name, protocol in (("plain", "plain"), ("clipped", "clipped"), ("broken", "plain")):
        if name == "broken":
            (data / "0.png").rename(data / "gone.png")
        task = TaskSpec(name="colours", protocol=protocol, data=data)
        spec = RunSpec(model=ModelSpec(name="colours"), tasks=(task,), plugins=(PLUGIN,))
        run(spec, root / name, ExecutionOptions(max_failures=1))
    (data / "gone.png").rename(data / "0.png")
    return root


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry([PLUGIN])


def _explained(runs: Path, registry: Registry, name: str = "plain", *others: Path) -> Explanation:
    return explain_number(
        runs / name, "colours", registry, cell=CELL, publications=registry.published, others=others
    )


def _parts(found: Explanation) -> dict[str, Part]:
    return {part.name: part for part in found.parts}


@pytest.mark.slow
def test_rules_and_clean_up_are_measured_on_the_stored_answers(runs: Path, registry: Registry) -> None:
    found = _explained(runs, registry)
    parts = _parts(found)
    assert found.value == pytest.approx(50.0)  # "red" and "red." of four forms
    assert parts["rules verbatim"].effect == pytest.approx(-25.0)
    assert parts["postprocessing"].effect == pytest.approx(25.0)
    assert "dreamllm-clip" in parts["postprocessing"].text
    assert parts["sampling"].spread == pytest.approx(max(found.high - 50, 50 - found.low))


def test_what_the_published_protocol_asks_otherwise_is_listed(runs: Path, registry: Registry) -> None:
    parts = _parts(_explained(runs, registry))
    assert "One word." in parts["prompt"].text
    assert "'It is'" in parts["prefill"].text
    assert parts["decoding"].text == "num_beams 1, in clipped 5"
    assert {parts[name].how for name in ("prompt", "prefill", "decoding")} == {"listed"}


def test_another_run_of_the_same_weights_measures_it(runs: Path, registry: Registry) -> None:
    found = _explained(runs, registry, "plain", runs)
    others = [part for part in found.parts if part.name == "another run" and "clipped" in part.text]
    assert [part.effect for part in others] == [pytest.approx(25.0)]
    assert "protocol clipped instead of plain" in others[0].text


def test_files_beside_the_weights_that_differ_are_told(
    runs: Path, registry: Registry, tmp_path: Path
) -> None:
    shutil.copytree(runs / "plain", tmp_path / "changed")
    file = tmp_path / "changed" / "run.json"
    manifest = json.loads(file.read_text())
    manifest["model"]["details"] |= {"configuration": "b", "device": "elsewhere"}
    file.write_text(json.dumps(manifest))
    found = _explained(runs, registry, "plain", tmp_path)
    (other,) = [part for part in found.parts if part.name == "another run"]
    assert other.text.endswith(": configuration b instead of none")


def test_cut_off_answers_and_failures_have_their_effect(runs: Path, registry: Registry) -> None:
    assert _parts(_explained(runs, registry))["cut-off answers"].effect == pytest.approx(100 * 20 / 30 - 50)
    broken = _explained(runs, registry, "broken")
    assert broken.value == pytest.approx(100 * 19 / 39)
    assert _parts(broken)["failed samples"].effect == pytest.approx(100 * 19 / 40 - 100 * 19 / 39)
    assert broken.comparison is not None
    assert broken.comparison.verdict == "not comparable"


def test_the_headline_names_the_part_that_fits_the_difference_best(runs: Path, registry: Registry) -> None:
    lines = _explained(runs, registry).headline()
    assert lines[0].endswith("published 30.0, difference +20.0")
    assert lines[-1] == "to be accounted for: -20.0; nearest measured part: rules verbatim -25.0"


def test_the_command_shows_the_parts_and_writes_them(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments: list[str | Path] = ["explain", runs / "plain", "--task", "colours", "--plugin", PLUGIN]
    done = here(capsys, *arguments, "--published", CELL, "--write", tmp_path / "e.json")
    assert done.returncode == 0, done.stderr
    assert "rules verbatim" in done.stdout
    assert json.loads((tmp_path / "e.json").read_text())["difference"] == pytest.approx(20.0)
    # Without --plugin those are used that the run was measured with, as by `score`.
    assert here(capsys, *arguments[:4], "--write", tmp_path / "e.md").returncode == 0
    assert "| postprocessing | measured | +25.0 |" in (tmp_path / "e.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--task", "sums"), "The run has no task 'sums'"),
        (("--task", "colours", "--metric", "F1"), "colours has no metric 'F1'"),
        (("--task", "colours", "--published", "paper/main"), "Write PUBLICATION/TABLE/ROW/COLUMN"),
        (("--task", "colours", "--published", "paper/main/colours-7B/latency"), "is measured by no task"),
        (("--task", "colours", "--published", "paper/main/nobody/plain"), "has no row 'nobody'"),
        (("--task", "colours", "--published", "paper/main/colours-7B/plane"), "has no column 'plane'"),
    ],
)
def test_what_cannot_be_explained_is_one_clear_error(
    more: tuple[str, ...], told: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "explain", runs / "plain", "--plugin", PLUGIN, *more)
    assert done.returncode == 2
    assert told in done.stderr
