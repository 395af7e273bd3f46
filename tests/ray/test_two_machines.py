"""Two machines, played by two network namespaces: own address, own shared memory, other files.

The cable between them is cut in the middle of a run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalsuite.errors import EvalsuiteError
from evalsuite.registry import Registry
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader, verify
from tests.ray.rows import rows

pytest.importorskip("ray")
SEEING = Path(__file__).parent / "seeing_plugin.py"
COUNT = 120


def _hindrance() -> str:
    """Why this machine cannot play two; empty where it can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    if missing := [name for name in ("ip", "unshare") if shutil.which(name) is None]:
        return f"there is no program {missing[0]}"
    made = subprocess.run(
        ["ip", "netns", "add", "evalsuite-try"], capture_output=True, text=True, check=False
    )
    subprocess.run(["ip", "netns", "del", "evalsuite-try"], capture_output=True, check=False)
    return "" if made.returncode == 0 else f"no network namespace can be made: {made.stderr.strip()}"


pytestmark = pytest.mark.slow


@dataclass
class Machines:
    """A head at 10.99.7.1 and a second machine at 10.99.7.2, which sees another `hidden` folder."""

    hidden: Path
    logs: Path
    sockets: Path
    started: list[subprocess.Popen[bytes]]

    def on(self, name: str, script: str) -> subprocess.Popen[bytes]:
        """A process on one of them, in a mount namespace of its own."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        with (self.logs / f"{name}-{len(self.started)}").open("wb") as log:
            child = subprocess.Popen(
                ["ip", "netns", "exec", name, "bash", "-c", script],
                env={**environment, "HOME": str(self.logs), "OMP_NUM_THREADS": "1"},
                stdout=log, stderr=log,
            )  # fmt: skip
        self.started.append(child)
        return child

    def cut(self) -> None:
        subprocess.run(["ip", "netns", "exec", "evB", "ip", "link", "set", "vB", "down"], check=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    if reason := _hindrance():
        pytest.skip(reason)
    hidden, logs = tmp_path / "hidden", tmp_path / "logs"
    hidden.mkdir()
    logs.mkdir()
    sockets = Path(tempfile.mkdtemp(prefix="ev"))  # a socket's whole path has at most 107 letters
    made = Machines(hidden, logs, sockets, [])
    try:
        for name in ("evA", "evB"):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("link", "add", "vA", "netns", "evA", "type", "veth", "peer", "name", "vB", "netns", "evB")
        for name, device, address in (("evA", "vA", "10.99.7.1/24"), ("evB", "vB", "10.99.7.2/24")):
            _ip("-n", name, "addr", "add", address, "dev", device)
            _ip("-n", name, "link", "set", device, "up")
        yield made
    finally:
        for name in ("evA", "evB"):
            found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
            for pid in found.stdout.split():  # whatever was started in there, and nothing else
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        for child in made.started:
            child.wait()
        for name in ("evA", "evB"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        shutil.rmtree(sockets, ignore_errors=True)


def _wait(condition: Callable[[], bool], seconds: float, *watched: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        if any(child.poll() is not None for child in watched):
            return False
        time.sleep(0.3)
    return False


def _workers(out: Path) -> dict[int, int]:
    """Answers of each worker so far."""
    found: dict[int, int] = {}
    try:
        with RunReader(out) as reader:
            for record in reader.records("seen"):
                if record.worker is not None:
                    found[record.worker] = found.get(record.worker, 0) + 1
    except EvalsuiteError:
        pass
    return found


def test_a_cut_cable_costs_a_lease_and_no_answer(machines: Machines, tmp_path: Path) -> None:
    image = machines.hidden / "image.png"
    image.write_bytes(b"what only the first machine has")
    python, out, sockets = sys.executable, tmp_path / "run", machines.sockets
    start = f"{python} -m ray.scripts.scripts start --num-cpus=1 --disable-usage-stats --block"
    head = machines.on(
        "evA",
        f"{start} --head --node-ip-address=10.99.7.1 --port=6399 --include-dashboard=false "
        f"--temp-dir={sockets}",
    )
    log = machines.logs / "evA-0"
    assert _wait(lambda: b"Ray runtime started" in log.read_bytes(), 240, head), log.read_text()[-2000:]
    # A machine of its own has its own shared memory and folder for sockets; this one lacks the images.
    apart = f"mount -t tmpfs none /dev/shm; mount -t tmpfs none {sockets}; "
    apart += f"mount -t tmpfs none {machines.hidden}; "
    join = f"exec {start} --address=10.99.7.1:6399 --node-ip-address=10.99.7.2"
    second = machines.on("evB", f"exec unshare -m bash -c '{apart}{join}'")
    log = machines.logs / "evB-1"
    assert _wait(lambda: b"Ray runtime started" in log.read_bytes(), 240, second), log.read_text()[-2000:]
    command = (
        f"exec {python} -m evalsuite run --plugin {SEEING} --model digester --option delay=1 --task seen "
        f"--task-option image={image} --task-option count={COUNT} --batch-size 2 --workers 2 "
        f"--ray-address 10.99.7.1:6399 --worker-timeout 8 --out {out}"
    )
    driver = machines.on("evA", command)
    both = _wait(lambda: len(_workers(out)) == 2 and sum(_workers(out).values()) >= 12, 400, driver)
    assert both, (machines.logs / "evA-2").read_text()[-2000:]
    assert sum(_workers(out).values()) < COUNT - 16, "the cable is to be cut in the middle"
    machines.cut()
    assert driver.wait(400) == 0, (machines.logs / "evA-2").read_text()[-2000:]
    registry = Registry()
    registry.add_file(SEEING)
    task = TaskSpec(name="seen", options={"image": str(image), "count": str(COUNT)})
    spec = RunSpec(model=ModelSpec(name="digester", options={"delay": "0"}), tasks=(task,), plugins=(SEEING,))
    run(spec, tmp_path / "one", ExecutionOptions(batch_size=32), registry)
    assert rows(out) == rows(tmp_path / "one")
    assert verify(out).sound
    with RunReader(out) as reader:
        notes = [note.text for note in reader.notes()]
        [session] = reader.manifest.sessions
    assert len({worker.node for worker in session.workers}) == 2
    assert any("does not see the images of seen; it is sent their bytes" in note for note in notes)
    assert any("is silent for" in note or "died" in note for note in notes), notes
