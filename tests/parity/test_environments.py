"""Environments of official packages: what is installed into them, once, and what a failure leaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from evalsuite.errors import SpecError, UnavailableError
from evalsuite.parity import Environments, environments
from evalsuite.parity.packages import PACKAGES


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Arguments of each call of an installer, which makes an empty environment and installs nothing."""
    calls: list[list[str]] = []

    def run(command: list[str], _: object) -> None:
        calls.append(command)
        if "venv" in command:
            assert not Path(command[-1]).exists()
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(environments, "_run", run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return calls


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_every_package_gets_an_environment_with_what_both_sides_compute_with(
    name: str, tmp_path: Path, installed: list[list[str]]
) -> None:
    made = Environments(made_in=tmp_path)
    python = made.python(PACKAGES[name])
    assert python == str(tmp_path / name / "bin" / "python")
    (_, install) = installed
    wanted = {re.split(r"[=<>\[]", one)[0]: one for one in install[install.index(python) + 1 :]}
    assert name in wanted
    for shared in wanted.keys() & {"torch", "transformers"}:
        assert wanted[shared] == f"{shared}=={metadata.version(shared)}"  # torch in its build too
    assert ("torch" in wanted) == (name != "pycocoevalcap")
    made.python(PACKAGES[name])
    assert len(installed) == 2  # used again


def test_packages_that_call_an_old_scipy_get_one() -> None:
    old = {name for name, package in PACKAGES.items() if "scipy<1.18" in package.requirements}
    assert old == {"clean-fid", "pytorch-fid"}


def test_a_failed_install_leaves_nothing_and_names_the_command(
    tmp_path: Path, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = environments._run

    def run(command: list[str], environment: dict[str, str]) -> None:
        whole(command, environment)
        if "install" in command:
            raise subprocess.SubprocessError("no matching distribution")

    monkeypatch.setattr(environments, "_run", run)
    with pytest.raises(UnavailableError, match=r"clean-fid.*no matching distribution.*pip install torch"):
        Environments(made_in=tmp_path).python(PACKAGES["clean-fid"])
    assert [path.name for path in tmp_path.iterdir()] == [".clean-fid.lock"]


def test_a_half_made_environment_is_made_anew(
    tmp_path: Path, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a kill leaves it: nothing of ours runs after it."""
    package, made = PACKAGES["pycocoevalcap"], Environments(made_in=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(environments, "_install", lambda *_: os._exit(9))
        child = os.fork()
        if not child:
            made.python(package)
        os.waitpid(child, 0)
    assert (tmp_path / package.name / "bin" / "python").is_file()
    installed.clear()
    made.python(package)
    assert ["venv" in command for command in installed] == [True, False]
    made.python(package)
    assert len(installed) == 2


def test_other_versions_and_a_lost_interpreter_are_made_anew(
    tmp_path: Path, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    package, made = PACKAGES["lm-eval"], Environments(made_in=tmp_path)
    python = Path(made.python(package))
    python.unlink()
    assert made.python(package) == str(python)
    assert len(installed) == 4
    monkeypatch.setattr(metadata, "version", lambda name: "9.9+cpu" if name == "torch" else "8.8")
    made.python(package)
    assert {"torch==9.9+cpu", "transformers==8.8"} <= set(installed[-1])


def test_a_folder_that_evalsuite_did_not_make_is_left_alone(
    tmp_path: Path, installed: list[list[str]]
) -> None:
    file = tmp_path / "clean-fid" / "setup.py"
    file.parent.mkdir()
    file.touch()
    with pytest.raises(SpecError, match=r"clean-fid is there, and evalsuite did not make it.*--python clean"):
        Environments(made_in=tmp_path).python(PACKAGES["clean-fid"])
    assert file.is_file()
    assert installed == []
    with pytest.raises(UnavailableError, match="No environment can be made in"):
        Environments(made_in=file / "below").python(PACKAGES["clean-fid"])


@pytest.mark.parametrize(
    ("version", "pinned"),
    [
        ("2.13.0+cpu", "torch==2.13.0+cpu"), ("2.13.0+cu130", "torch==2.13.0+cu130"),
        ("2.13.0", "torch==2.13.0"), ("2.13.0+gitabc", "torch==2.13.0"),
    ],
)  # fmt: skip
def test_torch_keeps_its_build_where_there_is_one_to_install(
    version: str, pinned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert environments._pinned("torch") == pinned


@pytest.mark.parametrize("uv", ["/usr/bin/uv", None])
def test_torchs_build_comes_from_pytorchs_index_where_the_users_settings_have_it_not(
    uv: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], _: object) -> None:
        calls.append(command)
        if len(calls) % 2:
            raise subprocess.SubprocessError("no torch==2.13.0+cpu")

    monkeypatch.setattr(environments, "_run", run)
    environments._install(uv, "python", ["torch==2.13.0+cpu", "x"])
    first, second = calls
    further = (
        ["--torch-backend", "cpu"] if uv else ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
    )
    assert second == first + further
    with pytest.raises(subprocess.SubprocessError):
        environments._install(uv, "python", ["torch==2.13.0"])
    assert len(calls) == 3  # no build is pinned: nothing else to try


def test_uv_is_told_what_pip_knows_and_the_user_has_not_told_uv() -> None:
    found = environments._for_uv(
        {"PIP_FIND_LINKS": "/a /b", "PIP_EXTRA_INDEX_URL": "https://x https://y", "PIP_INDEX_URL": "https://z",
         "UV_INDEX_URL": "https://mine", "HOME": "/h"}
    )  # fmt: skip
    assert found["UV_FIND_LINKS"] == "/a,/b"
    assert found["UV_INDEX"] == "https://x https://y"
    assert "UV_DEFAULT_INDEX" not in found
    assert found["HOME"] == "/h"
