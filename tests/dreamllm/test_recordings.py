"""Whatever recordings a folder holds are found whole, or it is an error."""

from __future__ import annotations

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


def test_the_command_checks_each_variant_and_counts(two: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/dreamllm/test_parity_text.py",
        "-q",
        "-k",
        "special_ids",
    ]
    done = subprocess.run(
        command,
        cwd=OWN.parents[2],
        env={**os.environ, "EVALSUITE_DREAMLLM_GOLDEN": str(two)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "variants a, zz): 2 values compared" in done.stdout
