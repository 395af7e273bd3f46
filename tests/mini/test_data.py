"""The standard world is made once, complete or not at all, and repaired when damaged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evalsuite.cache import cache_folder
from evalsuite.errors import DataError
from evalsuite.mini import data
from evalsuite.mini.write import MANIFEST, Sizes, read_manifest

TINY = Sizes(vqa_images=4, choices=6, captioned=3, edits=8, stories=2)


@pytest.mark.slow
def test_the_standard_world_is_the_published_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = data.ensure_world(cache=tmp_path)
    assert read_manifest(folder).content == data.CONTENT
    assert not caplog.records
    questions = json.loads((folder / "vqav2/v2_OpenEnded_mscoco_val2014_questions.json").read_text())[
        "questions"
    ]
    assert len(questions) == 1000
    assert len(list((folder / "val2014").iterdir())) == 450


def test_a_world_is_written_once(tmp_path: Path) -> None:
    folder = data.ensure_world(1, TINY, tmp_path)
    before = (folder / MANIFEST).stat().st_mtime_ns
    assert data.ensure_world(1, TINY, tmp_path) == folder
    assert (folder / MANIFEST).stat().st_mtime_ns == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [folder.name, f"{folder.name}.lock"]


def test_other_seeds_and_sizes_are_other_folders(tmp_path: Path) -> None:
    folders = {
        data.ensure_world(seed, sizes, tmp_path) for seed in (1, 2) for sizes in (TINY, Sizes(5, 6, 3, 8, 2))
    }
    assert len(folders) == 4


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["change", "remove", "manifest", "everything"])
def test_a_damaged_world_is_written_again(tmp_path: Path, harm: str) -> None:
    folder = data.ensure_world(1, TINY, tmp_path)
    whole = read_manifest(folder)
    victim = next((folder / "val2014").iterdir())
    if harm == "change":
        victim.write_bytes(victim.read_bytes()[:-1])
    elif harm == "remove":
        victim.unlink()
    elif harm == "manifest":
        (folder / MANIFEST).write_text("{")
    else:
        for path in folder.rglob("*.json*"):
            path.unlink()
    assert data.damage(folder)
    assert data.ensure_world(1, TINY, tmp_path) == folder
    assert data.damage(folder) is None
    assert read_manifest(folder) == whole


@pytest.mark.slow
def test_two_processes_at_once_end_up_with_one_whole_world(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from evalsuite.mini import data; from evalsuite.mini.write import Sizes\n"
        "print(data.ensure_world(1, Sizes(40, 6, 30, 8, 2), pathlib.Path(sys.argv[1])))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    printed = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(printed) == 1
    folder = tmp_path / printed.pop().strip().rsplit("/", 1)[-1]
    assert data.damage(folder) is None
    assert sorted(p.name for p in tmp_path.iterdir()) == [folder.name, f"{folder.name}.lock"]


def test_the_cache_can_be_moved_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"
    monkeypatch.delenv("EVALSUITE_CACHE")
    assert cache_folder().name == "evalsuite"


def test_a_cache_that_cannot_be_used_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="EVALSUITE_CACHE"):
        data.ensure_world(1, TINY, tmp_path / "file")


def test_making_a_world_needs_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from evalsuite.mini import data; from evalsuite.mini.write import Sizes\n"
        "data.ensure_world(1, Sizes(2, 2, 2, 2, 1), pathlib.Path(sys.argv[1]))\n"
        "print([m for m in ('torch', 'transformers', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
