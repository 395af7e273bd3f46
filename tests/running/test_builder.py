"""One builder for command line, Python and YAML file: what overrides what, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import SpecError
from evalsuite.registry import Registry
from evalsuite.running.builder import Asked, Planned, plan, read_file
from evalsuite.spec import TaskSpec
from evalsuite.task import SuiteEntry
from tests.engine.support import sums_registry


@pytest.fixture
def registry() -> Registry:
    known = sums_registry()
    known.suites["both"] = SuiteEntry(
        "both", "", (TaskSpec(name="sums", options={"count": "7"}), TaskSpec(name="sum-images")), ("adder",)
    )
    return known


def planned(registry: Registry, tmp_path: Path, text: str = "", **asked: Any) -> list[Planned]:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    asked.setdefault("out", tmp_path / "out")
    return plan(Asked(**asked), read_file(path), registry)[0]


def test_what_is_asked_overrides_an_entry_which_overrides_the_file(
    registry: Registry, tmp_path: Path
) -> None:
    text = """
models: [adder, {name: adder, device: cpu, options: {mode: a}}]
tasks: [sums, {name: sum-choices, protocol: p, options: {count: 5}}]
device: cuda
dtype: bfloat16
options: {mode: b, depth: 3, fast: true}
protocol: q
task_options: {count: 9}
seed: 4
limit: 2
"""
    first, second = planned(registry, tmp_path, text)
    assert (first.spec.model.device, second.spec.model.device) == ("cuda", "cpu")
    assert first.spec.model.options == {"mode": "b", "depth": "3", "fast": "yes"}
    assert second.spec.model.options == {"mode": "a", "depth": "3", "fast": "yes"}
    assert [task.protocol for task in first.spec.tasks] == ["q", "p"]
    assert [task.options["count"] for task in first.spec.tasks] == ["9", "5"]
    assert (first.spec.seed, first.spec.limit, first.spec.model.dtype) == (4, 2, "bfloat16")
    over = planned(
        registry, tmp_path, text, models=["adder"], device="mps", options={"mode": "c"}, protocol="r",
        task_options={"count": "1"}, seed=0, limit=8, blind=True,
    )[0].spec  # fmt: skip
    assert (over.model.device, over.model.options["mode"], over.model.blind) == ("mps", "c", True)
    assert {task.protocol for task in over.tasks} == {"r"}
    assert {task.options["count"] for task in over.tasks} == {"1"}
    assert (over.seed, over.limit) == (0, 8)


def test_one_model_or_task_may_be_written_in_the_singular(registry: Registry, tmp_path: Path) -> None:
    (run,) = planned(registry, tmp_path, "model: adder\ntask: {name: sums}\nblind: true\nplugins: my.py\n")
    assert (run.spec.model.name, run.spec.tasks[0].name, run.spec.model.blind) == ("adder", "sums", True)
    assert run.spec.plugins == (tmp_path / "my.py",)
    assert planned(registry, tmp_path, "blind: true", models=["adder"], tasks=["sums"], blind=False)[
        0
    ].spec.model.blind is False  # fmt: skip


def test_a_suites_settings_stay_and_its_models_are_the_default(registry: Registry, tmp_path: Path) -> None:
    (run,) = planned(registry, tmp_path, "suite: both\ntask_options: {count: 9}\nprotocol: q\n")
    assert run.spec.model.name == "adder"
    assert run.spec.tasks[0].options == {"count": "7"}
    assert run.spec.tasks[0].protocol == "q"


def test_paths_of_the_file_are_relative_to_it(registry: Registry, tmp_path: Path) -> None:
    text = "model: adder\ntasks: [sums, {name: sum-choices, data: own}]\ndata: d\nout: o\n"
    (run,) = planned(registry, tmp_path, text, out=None)
    assert run.out == tmp_path / "o"
    assert [task.data for task in run.spec.tasks] == [tmp_path / "d", tmp_path / "own"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modles: adder\n", r"run\.yaml: modles: there is no such field\. Did you mean models"),
        ("model: adder\nmodels: [adder]\n", "model and models both stand here"),
        ("models: [{name: adder, devic: cpu}]\n", r"models\.0\.devic: .* Did you mean device"),
        ("execution: {batchsize: 3}\n", r"execution\.batchsize: .* Did you mean batch_size"),
        ("limit: 0\n", "limit: Input should be greater than or equal to 1"),
        ("model: adder\nmodel: random\n", "line 2: 'model' stands in line 1 already"),
        ("format: 9\nmodel: adder\n", "written for a newer evalsuite"),
        ("[adder]\n", "file: Input should be a valid dictionary"),
        ("options: {size: [1, 2]}\n", "options.size: Input should be a valid string"),
    ],
)
def test_a_wrong_file_is_one_error_that_names_the_field(
    registry: Registry, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        planned(registry, tmp_path, text, models=["adder"], tasks=["sums"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"models": ["adder"]}, r"No task is given\. Name a suite or a task \(--suite, --task\)"),
        ({"tasks": ["sums"]}, r"No model is given\. Name one \(--model\)"),
        ({"models": ["adder"], "tasks": ["sums"], "limit": 0}, "--limit: Input should be greater"),
        ({"models": ["adder"], "tasks": ["sums"], "execution": {"batch_size": 0}}, "--batch-size: Input"),
        ({"models": ["adder"], "tasks": ["sums"], "execution": {"batchsize": 1}}, "no setting 'batchsize'"),
    ],
)
def test_what_is_missing_or_out_of_range_is_named_as_the_user_writes_it(
    registry: Registry, tmp_path: Path, asked: Any, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        planned(registry, tmp_path, **asked, spelling=lambda name: f"--{name.replace('_', '-')}")


def test_python_takes_every_setting_of_the_command_line_and_of_the_file() -> None:
    import inspect

    from evalsuite.api.running import RunSettings
    from evalsuite.cli.measuring import run
    from evalsuite.running.runfile import RunFile
    from evalsuite.spec import ExecutionOptions

    mine = set(RunSettings.__annotations__) | {"models", "tasks", "out"}
    assert set(ExecutionOptions.model_fields) <= mine
    assert set(RunFile.model_fields) - {"execution"} <= mine
    singular = {"model": "models", "task": "tasks", "option": "options", "task_option": "task_options",
                "plugin": "plugins"}  # fmt: skip
    assert {singular.get(name, name) for name in inspect.signature(run).parameters} <= mine
