"""`evalsuite doctor --ray-address`: what the nodes of a cluster have, and one clear error where none can be
asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalsuite.ray.doctor import Answer, _of_node
from evalsuite.ray.nodes import Folder, NodeReport, describe_node, folder, weights_folder
from tests.cli.program import evalsuite
from tests.ray import clusters

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with clusters.running(2) as found:
        yield found


def test_every_node_is_looked_at_and_told_apart(tmp_path: Path, address: str) -> None:
    data, weights, plugin = tmp_path / "data", tmp_path / "weights", tmp_path / "own.py"
    for path in (data / "one.json", weights / "model.safetensors"):
        path.parent.mkdir()
        path.write_text("x" * 100)
    plugin.write_text("")
    done = evalsuite(
        "doctor", "--ray-address", address, "--data-folder", data, "--model", f"transformers:{weights}",
        "--plugin", plugin,
    )  # fmt: skip
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nodes: 2, with 2 GPUs in all" in said
    assert said.count("this machine") == 2
    assert said.count(f"weights: {weights}: 1 files") == 2
    assert said.count(f"data: {data}: 1 files") == 2
    assert said.count("ok plugin") == 2
    assert said.count("clock: within") == 2
    assert said.count("/dev/shm") >= 2
    assert said.count("ok evalsuite") == 2
    absent = evalsuite(
        "doctor", "--ray-address", address, "--data-folder", data / "no", "--model", f"dreamllm:{weights}/no"
    )
    assert absent.returncode == 1
    assert " ".join(absent.stdout.split()).count("is not there") == 4


def test_an_address_that_does_not_answer_is_one_error(tmp_path: Path) -> None:
    done = evalsuite("doctor", "--ray-address", "127.0.0.1:9")
    assert done.returncode == 2
    assert "No Ray cluster can be joined at 127.0.0.1:9 (" in " ".join(done.stderr.split())
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_ray_of_another_version_is_named_with_both_versions(address: str) -> None:
    program = (
        "import ray, sys\nray.__version__ = '2.0.0'\nfrom evalsuite.cli import main\n"
        f"sys.argv = ['evalsuite', 'doctor', '--ray-address', {address!r}]\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    said = " ".join(done.stderr.split())
    assert done.returncode == 2, done.stdout + done.stderr
    assert "ersion mismatch" in said
    assert "2.0.0" in said
    assert "Is `ray start` running there, with this version of Ray and Python?" in said


def test_a_cluster_with_a_token_that_this_machine_does_not_have_says_so(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    (theirs / ".ray").mkdir(parents=True)
    ours.mkdir()
    (theirs / ".ray" / "auth_token").write_text("a" * 64)
    with clusters.running(1, HOME=str(theirs), RAY_AUTH_MODE="token") as found:
        without = evalsuite("doctor", "--ray-address", found, HOME=str(ours))
        assert without.returncode == 2, without.stdout
        assert "token needs it in ~/.ray/auth_token" in " ".join(without.stderr.split())
        with_it = evalsuite("doctor", "--ray-address", found, HOME=str(theirs))
        assert "nodes: 1" in with_it.stdout, with_it.stderr


def report(**changes: object) -> NodeReport:
    given = {
        "host": "b", "pid": 1, "cpus": 8, "memory": 64 * 2**30, "versions": {"evalsuite": "1", "torch": "2"},
        "plugins": {}, "gpus": (), "clock": 100.0, "shm": (2**34, 2**34),
    }  # fmt: skip
    return NodeReport(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "name", "state", "said"),
    [
        ({"versions": {"evalsuite": "0", "torch": "2"}}, "evalsuite", "broken", "0, here 1"),
        ({"versions": {"evalsuite": "1", "torch": "3"}}, "torch", "missing", "3, here 2"),
        ({"plugins": {"/p.py": "bb"}}, "plugin /p.py", "broken", "differs from here"),
        ({"plugins": {"/p.py": ""}}, "plugin /p.py", "broken", "is not there"),
        ({"clock": 160.0}, "clock", "missing", "+60.0 s from here"),
        ({"shm": (2**26, 2**26)}, "/dev/shm", "missing", "falls back to disk"),
        ({"shm": None}, "/dev/shm", "missing", "there is none"),
        ({"data": Folder(1, 1, "x")}, "data", "broken", "here 2 files"),
        ({"weights": None}, "weights", "broken", "is not there"),
        ({"gpus": ("A, u1",)}, "GPUs", "broken", "told of 2"),
    ],
)
def test_what_differs_is_said(changes: dict[str, object], name: str, state: str, said: str) -> None:
    whole = Folder(2, 2, "y")
    here = report(plugins={"/p.py": "aa"}, data=whole, weights=whole)
    there = report(**{"plugins": {"/p.py": "aa"}, "data": whole, "weights": whole, **changes})
    answer = Answer("f00", "b", "10.0.0.2", 2, False, there, "", 99.9, 100.1)
    found = {one.name: one for one in _of_node(answer, here, Path("/data"), "w")}
    assert (found[name].state, said in found[name].detail) == (state, True), found[name]
    assert found[name].remedy
    others = [one for one in found.values() if one.name != name and one.state != "ok"]
    assert not others or name == "GPUs"


def test_a_node_without_evalsuite_is_a_finding_not_an_end() -> None:
    answer = Answer(
        "f00", "b", "10.0.0.2", 0, False, None, "ModuleNotFoundError: No module named 'evalsuite'", 0, 0
    )
    (found,) = _of_node(answer, report(), None, "")
    assert (found.state, found.detail) == ("broken", "ModuleNotFoundError: No module named 'evalsuite'")


def test_folders_are_compared_by_names_and_sizes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("12")
    assert folder(tmp_path / "a") == folder(tmp_path / "b")
    (tmp_path / "b" / "x").write_text("123")
    assert folder(tmp_path / "a") != folder(tmp_path / "b")
    assert folder(tmp_path / "c") is None
    assert weights_folder(str(tmp_path / "a")) == tmp_path / "a"
    assert weights_folder(str(tmp_path / "c")) is None
    assert describe_node().versions["evalsuite"]
