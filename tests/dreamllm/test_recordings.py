"""Whatever recordings a folder holds are found whole, or it is an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dreamllm.recordings import OWN, discover


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The same recordings under two names."""
    for part in ("model-a", "cases/a", "images", "index-a.json"):
        for name in (part, part.replace("a.json", "zz.json").removesuffix("a") + "zz" * part.endswith("a")):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            if not (tmp_path / name).exists():
                (tmp_path / name).symlink_to(OWN / part)
    return tmp_path


def test_every_index_is_a_variant(two: Path) -> None:
    assert [variant.name for variant in discover(two)] == ["a", "zz"]
    assert all(variant.processor.num_dream_queries == 8 for variant in discover(two))


@pytest.mark.parametrize("part", ["model-zz", "cases/zz"])
def test_a_variant_that_lacks_a_part_is_an_error(two: Path, part: str) -> None:
    (two / part).unlink()
    with pytest.raises(FileNotFoundError, match="zz"):
        discover(two)


def test_an_empty_folder_is_an_error_of_the_whole_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no recordings"):
        discover(tmp_path)


def parity(place: Path, chosen: str) -> subprocess.CompletedProcess[str]:
    """The command on the recordings of a folder, a few of its tests."""
    command = [sys.executable, "-m", "pytest", "tests/dreamllm/test_parity_text.py", "-q", "-k", chosen]
    return subprocess.run(
        command,
        cwd=OWN.parents[2],
        env={**os.environ, "EVALSUITE_DREAMLLM_GOLDEN": str(place)},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_command_checks_each_variant_and_counts(two: Path) -> None:
    done = parity(two, "special_ids")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "variants a, zz): 2 values compared" in done.stdout


@pytest.mark.slow
def test_what_was_not_recorded_is_skipped_and_what_is_not_known_fails(two: Path) -> None:
    """One variant without a section; the other's cases have names that no test knows."""
    index = json.loads((two / "index-a.json").read_text())
    for name, cases in (("a", None), ("zz", {"of another kind": {}})):
        sections = {key: value for key, value in index["sections"].items() if key != "templates"}
        sections |= {"templates": cases} if cases else {}
        (two / f"index-{name}.json").unlink()
        (two / f"index-{name}.json").write_text(json.dumps({**index, "sections": sections}))
    done = parity(two, "test_templates")
    assert done.stdout.startswith("sF"), done.stdout + done.stderr
    assert "test_templates[variant-zz]" in done.stdout
    assert "Nothing was compared" in done.stdout
