"""`evalsuite doctor`: every optional extra has a line, which says what it is for and what of it is absent."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from evalsuite.doctor import Finding, examine

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def extras() -> dict[str, Finding]:
    return {one.name: one for one in examine(data=False) if one.area == "optional extras"}


@pytest.mark.slow
def test_every_extra_has_a_line_with_its_purpose() -> None:
    declared = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    found = extras()
    assert found.keys() == declared.keys()
    assert all(" (" in one.detail for one in found.values())


@pytest.mark.slow
def test_a_package_that_is_absent_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def without_ray(name: str) -> str:
        if name == "ray":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_ray)
    found = extras()
    assert (found["ray"].state, found["ray"].remedy) == ("missing", "pip install 'evalsuite[ray]'")
    assert found["ray"].detail.startswith("without ray (")
    assert (found["test"].state, found["api"].state) == ("missing", "ok")
