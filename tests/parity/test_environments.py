"""Environments of official packages: what is installed into them, once, and what a failure leaves."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from evalsuite.errors import UnavailableError
from evalsuite.parity import Environments, environments
from evalsuite.parity.packages import PACKAGES


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Arguments of each call of an installer, which makes an empty environment and installs nothing."""
    calls: list[list[str]] = []

    def run(command: list[str], _: object) -> None:
        calls.append(command)
        if "venv" in command:
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
        assert wanted[shared] == f"{shared}=={metadata.version(shared).partition('+')[0]}"
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
    assert list(tmp_path.iterdir()) == []
