"""The recipes of docs/scale.md, as far as a machine without GPUs, Slurm and Kubernetes can try them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.running.hours import Rate

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = [body for kind, body in BLOCKS if kind == "bash"]
(SLURM,) = [body for body in SCRIPTS if "#SBATCH" in body]
(JOB,) = [yaml.safe_load(body) for kind, body in BLOCKS if kind == "yaml"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_bash(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_recipe_is_there() -> None:
    for name in ("One machine with 8 GPUs", "Slurm", "Kubernetes", "By hand", "vLLM data parallel"):
        assert re.search(rf"^### {name}", PAGE, re.MULTILINE), name


def test_the_job_of_kuberay_runs_what_it_mounts() -> None:
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    spec = JOB["spec"]
    assert spec["backoffLimit"] > 0
    entry = spec["entrypoint"].split()
    assert entry[:2] == ["evalsuite", "run"]
    assert entry[entry.index("--ray-address") + 1] == "auto"
    cluster = spec["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]["spec"]
    out, weights = entry[entry.index("--out") + 1], entry[entry.index("--model") + 1].partition(":")[2]
    assert out.startswith(_mounts(head)["runs"] + "/")
    groups = [head, *(group["template"]["spec"] for group in cluster["workerGroupSpecs"])]
    for pod in groups:
        assert weights.startswith(_mounts(pod)["weights"] + "/")
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert set(_mounts(pod)) == volumes
    for group in cluster["workerGroupSpecs"]:
        pod = group["template"]["spec"]
        assert _mounts(pod)["shm"] == "/dev/shm"
        assert "runs" not in _mounts(pod), "only the driver writes the run"
    gpus = 0
    for group in cluster["workerGroupSpecs"]:
        (container,) = group["template"]["spec"]["containers"]
        gpus += group["replicas"] * container["resources"]["limits"]["nvidia.com/gpu"]
    assert int(entry[entry.index("--workers") + 1]) * int(entry[entry.index("--gpus-per-worker") + 1]) == gpus
    images = {container["image"] for pod in groups for container in pod["containers"]}
    assert len(images) == 1


def _mounts(pod: dict[str, Any]) -> dict[str, str]:
    (container,) = pod["containers"]
    return {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}


STUBS = {
    "srun": 'while [[ $1 == --* ]]; do shift; done\necho "srun $*" >> "$CALLS"\nexec "$@"',
    "ray": 'echo "ray $*" >> "$CALLS"\n[[ $* != *--block* ]] || exec sleep 60',
    "scontrol": 'echo "scontrol $*" >> "$CALLS"',
    "evalsuite": 'echo "evalsuite $*" >> "$CALLS"\n'
    'trap \'sleep 0.5; echo "evalsuite saved" >> "$CALLS"; exit 143\' TERM\n'
    "for _ in $(seq 100); do [[ -e $ENDS ]] && exit 3; sleep 0.1; done",
}


def slurm(folder: Path, nodes: int) -> tuple[subprocess.Popen[bytes], Path]:
    """The script with programs that write down how they are called."""
    calls = folder / "calls"
    for name, body in STUBS.items():
        stub = folder / name
        stub.write_text(f"#!/bin/bash\n{body}\n")
        stub.chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls),
        "ENDS": str(folder / "ends"), "SLURM_JOB_ID": "12345", "SLURM_NNODES": str(nodes),
        "SLURMD_NODENAME": "n1",
    }  # fmt: skip
    child = subprocess.Popen(["bash", "-c", SLURM], env=environment, start_new_session=True)
    until = time.monotonic() + 60
    while time.monotonic() < until and not (calls.exists() and "evalsuite run" in calls.read_text()):
        time.sleep(0.05)
    return child, calls


@pytest.mark.slow
def test_a_preempted_slurm_job_saves_and_is_queued_again(tmp_path: Path) -> None:
    child, calls = slurm(tmp_path, nodes=4)
    try:
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 143
    finally:
        os.killpg(child.pid, signal.SIGKILL)
    told = calls.read_text()
    assert "evalsuite saved" in told
    assert told.strip().endswith("scontrol requeue 12345")
    (run,) = [line for line in told.splitlines() if line.startswith("evalsuite run")]
    (head,) = [line for line in told.splitlines() if line.startswith("ray start --head")]
    port = re.search(r"--port=(\d+)", head)
    assert port is not None
    assert f":{port.group(1)} --gpus-per-worker 1" in run
    assert any(line.startswith("ray start --address=") for line in told.splitlines())


@pytest.mark.slow
def test_a_slurm_job_that_ends_by_itself_is_not_queued_again(tmp_path: Path) -> None:
    child, calls = slurm(tmp_path, nodes=1)
    try:
        (tmp_path / "ends").touch()
        assert child.wait(60) == 3
    finally:
        os.killpg(child.pid, signal.SIGKILL)
    assert "scontrol" not in calls.read_text()
    assert "ray start --address" not in calls.read_text()


def test_the_arithmetic_of_the_coco_row_is_that_of_the_plan() -> None:
    row = r"^\| (\d+) \| (\d+) \| ([\d.]+) days \| ([\d.]+) h \| ([\d.]+) h \|"
    rows = re.findall(row, PAGE, re.MULTILINE)
    assert len(rows) == 3
    for seconds, device_hours, days, eight, many in rows:
        rate = Rate("coco-30k", "image", 2, 16, 150, (512, 512), 16 * float(seconds), 1.0)
        hours = 240_000 * rate.seconds_each / 3600
        assert float(device_hours) == pytest.approx(hours, abs=0.5)
        assert float(days) == pytest.approx(hours / 24, abs=0.06)
        assert float(eight) == pytest.approx(hours / 8, abs=0.06)
        assert float(many) == pytest.approx(hours / 64, abs=0.06)
