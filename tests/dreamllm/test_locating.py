"""A checkpoint by its hub name, from a cache in the hub's own layout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evalsuite.dreamllm.locating import locate
from evalsuite.errors import CheckpointError
from tests.dreamllm.recordings import TINY

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """As `hf download owner/tiny` leaves it: files are links into blobs."""
    root = tmp_path / "hub" / "models--owner--tiny"
    for number, path in enumerate(sorted(TINY.checkpoint.rglob("*"))):
        if path.is_file():
            blob = root / "blobs" / f"{number:040x}"
            blob.parent.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(path.read_bytes())
            link = root / "snapshots" / COMMIT / path.relative_to(TINY.checkpoint)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blob)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    return tmp_path


@pytest.mark.slow
def test_hub_names_load_from_the_cache_or_name_the_command_that_fetches(home: Path) -> None:
    """In a fresh process: huggingface_hub reads its environment when it is imported."""
    names = ["owner/tiny", f"owner/tiny@{COMMIT}", "owner/large"]
    script = f"""
from evalsuite.errors import EvalsuiteError
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry
for name in {names!r}:
    try:
        entry, argument = load_registry().model("dreamllm:" + name)
        info = entry.build(ModelOptions(argument=argument, device="cpu")).info
        print(info.name, info.details["source"], info.parameters)
    except EvalsuiteError as error:
        print(type(error).__name__, error)
"""
    environment = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PATH": "/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    parameters = sum(parameter.numel() for parameter in TINY.model.parameters())
    first, second, third = done.stdout.splitlines()
    assert first == second == f"tiny owner/tiny@{COMMIT} {parameters}"
    assert third.startswith("UnavailableError Model owner/large at main is not in the hub cache")
    assert "`hf download owner/large --repo-type model --revision main`" in third


def test_a_local_folder_goes_first_and_nonsense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "owner" / "tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate("owner/tiny").source == "tiny"
    with pytest.raises(CheckpointError, match="is not a folder"):
        locate("/nowhere/at/all")
