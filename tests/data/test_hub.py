"""Hub snapshots: from a cache in the hub's own layout, and what is said when there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evalsuite.data.hub import snapshot
from evalsuite.errors import UnavailableError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cache(folder: Path) -> Path:
    """A hub cache as `hf download owner/bench --repo-type dataset` leaves it: blobs, snapshots, refs."""
    root = folder / "hub" / "datasets--owner--bench"
    blob = root / "blobs" / "abc"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"rows")
    data = root / "snapshots" / COMMIT / "data"
    data.mkdir(parents=True)
    (data / "validation-00000-of-00001.parquet").symlink_to(blob)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    return folder


def ask(home: Path, revision: str, pattern: str, offline: bool = True) -> str:
    """What a fresh process says: huggingface_hub reads its environment when it is imported."""
    script = f"""
from evalsuite.data.hub import snapshot
from evalsuite.errors import EvalsuiteError
try:
    found = snapshot("owner/bench", {revision!r}, ({pattern!r},), size="6 GB")
    print(found.commit, (found.folder / "data/validation-00000-of-00001.parquet").read_text())
except EvalsuiteError as error:
    print(type(error).__name__, error)
"""
    environment = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1" if offline else "0", "PATH": "/usr/bin:/bin"}
    if not offline:
        # A closed port stands for a network that is down.
        environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("revision", ["main", COMMIT])
@pytest.mark.parametrize("offline", [True, False])
def test_what_is_in_the_cache_is_used_and_its_commit_told(
    tmp_path: Path, revision: str, offline: bool
) -> None:
    assert ask(cache(tmp_path), revision, "data/validation-*.parquet", offline) == f"{COMMIT} rows"


@pytest.mark.parametrize("offline", [True, False])
def test_what_is_not_in_the_cache_names_the_command_that_fetches_it(tmp_path: Path, offline: bool) -> None:
    said = ask(tmp_path, "main", "data/validation-*.parquet", offline)
    assert said.startswith("UnavailableError Data set owner/bench at main is not in the hub cache")
    command = (
        "`hf download owner/bench --repo-type dataset --revision main --include 'data/validation-*.parquet'`"
    )
    assert command in said
    assert "6 GB" in said
    assert ("offline, so the hub was not asked" in said) == offline  # the client: "unset HF_HUB_OFFLINE"
    assert "--data" in said


def test_other_files_of_the_same_commit_do_not_count(tmp_path: Path) -> None:
    assert "is not in the hub cache" in ask(cache(tmp_path), COMMIT, "data/test-*.parquet")


def test_a_hub_that_does_not_answer_is_asked_once_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing listens at the address; the client itself would try five times, half a minute in all."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    for name in ("owner/first", "owner/second"):
        with pytest.raises(UnavailableError, match="the hub cannot be reached"):
            snapshot(name, "main", ("data/*.parquet",))
    assert not slept
