"""End to end on the miniature: the action's scripts find a damaged checkpoint, and no fault in a good one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest
import yaml

import evalsuite
from tests.cli.program import here

ROOT = Path(__file__).parent.parent.parent
CHECKPOINTS = ROOT / "baselines" / "mini" / "checkpoints"
OPTIONS = ("--option template=vicuna-without-system --option steps=10 --option guidance_scale=3.0 "
           "--option scheduler=dpm++")  # fmt: skip


def _holds(condition: str | None, inputs: dict[str, str]) -> bool:
    """A step's `if`, of the two forms that the action uses."""
    if condition is None:
        return True
    name, operator, value = re.fullmatch(r"inputs\.(\w+) (==|!=) '(.*)'", condition).groups()  # type: ignore[union-attr]
    return (inputs[name] == value) == (operator == "==")


@dataclass(frozen=True)
class Ended:
    code: int
    outputs: dict[str, str]
    summary: str
    log: str


def action(folder: Path, **given: str) -> Ended:
    """Runs the `run:` steps of action.yml as GitHub would: inputs through the environment, in bash."""
    described = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    given = {"install": "none", "cache": "false", **given}
    assert given.keys() <= described["inputs"].keys()
    inputs = {name: given.get(name, one.get("default", "")) for name, one in described["inputs"].items()}
    folder.mkdir(exist_ok=True)
    output, summary = folder / "output", folder / "summary"
    code, log = 0, ""
    for step in described["runs"]["steps"]:
        if not _holds(step.get("if"), inputs) or "uses" in step:
            continue
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        known = {f"inputs.{name}": value for name, value in inputs.items()}
        known["github.action_path"] = str(ROOT)
        environment = {
            name: known[value.removeprefix("${{ ").removesuffix(" }}")]
            for name, value in step.get("env", {}).items()
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=folder, capture_output=True, text=True, timeout=300,
            env={
                **os.environ, **environment, "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary), "OMP_NUM_THREADS": "1",
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
        )  # fmt: skip
        code, log = done.returncode, log + done.stdout + done.stderr
        if code:
            break
    said = output.read_text().splitlines() if output.exists() else []
    return Ended(
        code,
        dict(line.split("=", 1) for line in said),
        summary.read_text() if summary.exists() else "",
        log,
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "base"
    evalsuite.run("dreamllm-mini", ["mini-vqav2", "mini-coco-caption"], folder, limit=60)
    return folder


def damaged(folder: Path, noise: float) -> Path:
    """A miniature DreamLLM whose language model carries noise, in units of its weights' spread."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(CHECKPOINTS / "dreamllm", folder)
    for frozen in ("clip", "sd"):
        (folder.parent / frozen).symlink_to(CHECKPOINTS / frozen)
    file = folder / "model.safetensors"
    generator = torch.Generator().manual_seed(0)
    weights = load_file(file)
    for name, value in weights.items():
        if name.startswith("model.layers") and value.dim() == 2:
            drawn = torch.randn(value.shape, generator=generator)
            weights[name] = (value.float() + noise * value.float().std() * drawn).half()
    save_file(weights, file, metadata={"format": "pt"})
    return folder


@pytest.mark.slow
def test_the_action_measures_a_damaged_checkpoint_and_fails_with_the_reason(
    base: Path, tmp_path: Path
) -> None:
    checkpoint = damaged(tmp_path / "checkpoints" / "dreamllm", 1.0)
    gates = tmp_path / "gates.toml"
    gates.write_text("[tasks.mini-vqav2]\nmargin = 2\n[tasks.mini-coco-caption]\nmax_drop_relative = 0.2\n")
    ended = action(
        tmp_path / "work", base=str(base), candidate="runs/candidate", gates=str(gates), flips="2",
        images="true", measure=f"-m 'dreamllm:{checkpoint}' {OPTIONS} --option name=damaged "
        "-t mini-vqav2 -t mini-coco-caption --limit 60",
    )  # fmt: skip
    assert ended.code == 1, ended.log
    assert ended.outputs["passed"] == "false"
    assert "❌ evalsuite: dreamllm-mini → damaged" in ended.summary
    assert "the candidate is shown to be worse by more than 2" in ended.summary
    assert "regression: mini-vqav2 accuracy, mini-coco-caption CIDEr" in ended.log
    assert "right to wrong" in ended.summary
    assert "<img" not in ended.summary
    written = tmp_path / "work" / ended.outputs["markdown"]
    assert '<img src="images/' in written.read_text()
    assert len(list((written.parent / "images").glob("*.png"))) >= 3
    failures = xml.parse(tmp_path / "work" / ended.outputs["junit"]).getroot().attrib["failures"]
    assert failures == "3"  # both margins and the relative drop


@pytest.mark.slow
def test_two_seeds_of_a_good_checkpoint_raise_no_alarm(tmp_path: Path) -> None:
    """Text to image draws with the run's seed: other images, the same prompts."""
    subset = {"subset": "30"}
    pictures = []
    for seed in (0, 1):
        run = evalsuite.run(
            "dreamllm-mini", "mini-coco-t2i", tmp_path / str(seed), seed=seed, task_options=subset
        )
        pictures.append(run.sample("mini-coco-t2i", run.scores().index[0]).drawn[0].sha256())
    assert pictures[0] != pictures[1]
    refused = action(tmp_path / "refused", base=str(tmp_path / "0"), candidate=str(tmp_path / "1"))
    assert refused.code == 2
    assert "passed" not in refused.outputs
    assert "the comparison failed" in refused.summary
    assert "seed 0 against 1" in refused.summary
    ended = action(
        tmp_path / "work", base=str(tmp_path / "0"), candidate=str(tmp_path / "1"), options="--allow seed"
    )
    assert ended.code == 0, ended.log
    assert ended.outputs["passed"] == "true"
    assert "✅" in ended.summary
    assert "no evidence" in ended.summary


def test_the_actions_inputs_never_run_as_code(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    hostile = f"$(touch {trap}); touch {trap} `touch {trap}`"
    ended = action(tmp_path / "work", base=hostile, candidate="x", options=hostile, measure=hostile)
    assert ended.code == 2
    assert not trap.exists()


def test_the_action_documents_every_input_and_its_outputs_come_from_a_step() -> None:
    described: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert all(one["description"] for one in described["inputs"].values())
    script = next(step["run"] for step in described["runs"]["steps"] if step.get("id") == "compare")
    for name in described["outputs"]:
        assert f'"{name}=' in script


def test_the_documented_gates_and_workflow_are_true(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", text, re.S | re.M))
    assert set(blocks) == {"gates.toml", "compare.yml", "measure.yml", ".gitlab-ci.yml", "compare.sh"}
    (tmp_path / "gates.toml").write_text(blocks["gates.toml"])
    gates = evalsuite.load_gates(tmp_path / "gates.toml")
    known = evalsuite.load_registry()
    for task, gate in gates.tasks.items():
        assert gate.metrics.keys() <= {metric.name for metric in known.task(task).metrics}
    assert gates.limits("mini-vqav2", "accuracy", headline=True).margin == 2
    described = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = yaml.safe_load(blocks["compare.yml"])["jobs"]["compare"]["steps"]
    (used,) = [step["with"] for step in steps if "evalsuite@" in step.get("uses", "")]
    assert used.keys() <= described["inputs"].keys()
    table = re.findall(r"^\| (`.*?) \| ", text, re.M)
    assert {name for cell in table for name in re.findall(r"`([\w-]+)`", cell)} == set(described["inputs"])
    assert set(re.findall(r"outputs\.(\w+)", blocks["compare.yml"])) <= described["outputs"].keys()


def test_the_action_installs_itself_and_torch_for_the_machine(tmp_path: Path) -> None:
    """The step's own script, with a python that writes down what it is asked for."""
    described = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (install,) = [step for step in described["runs"]["steps"] if step.get("name") == "Install"]
    calls = tmp_path / "calls"
    fake = tmp_path / "bin" / "python"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nfor one in "$@"; do echo "$one"; done >> {calls}\n')
    fake.chmod(0o755)

    def asked(given: str) -> list[str]:
        calls.unlink(missing_ok=True)
        subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", install["run"]], check=True,
            env={"PATH": f"{fake.parent}:/usr/bin:/bin", "INSTALL": given, "ACTION": "/the action"},
        )  # fmt: skip
        return calls.read_text().splitlines()

    assert asked("")[-3:] == ["--torch-backend", "auto", "/the action"]
    assert asked("evalsuite==9; touch /x")[-1] == "evalsuite==9; touch /x", "one argument, never run"


def test_every_command_of_the_recipes_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", text, re.S | re.M))
    scripts = [
        *yaml.safe_load(blocks[".gitlab-ci.yml"])["compare"]["script"],
        *blocks["compare.sh"].splitlines(),
        *[step.get("run", "") for step in yaml.safe_load(blocks["measure.yml"])["jobs"]["measure"]["steps"]],
    ]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "measure.yml").read_text(encoding="utf-8"))
    scripts += [step.get("run", "") for step in workflow["jobs"]["measure"]["steps"]]
    commands = [line for line in scripts if line.startswith("evalsuite ")]
    assert len(commands) >= 8
    for line in commands:
        _, command, *rest = line.split(" >> ")[0].split()
        help_text = here(capsys, command, "--help").stdout
        assert all(word in help_text for word in rest if word.startswith("--"))
    done = subprocess.run(["bash", "-n"], input=blocks["compare.sh"], text=True)
    assert done.returncode == 0
