"""Nothing in the golden folder is passed over in silence: what no test reads is told in the closing table.

A folder may hold sets whose form is not known here: they are no error. A set that is known and empty is one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from tests.goldens import OWN_RUNNER, cases_read, golden_root

ELSEWHERE = {
    "dreamllm": ("tests/dreamllm", "index-*.json"),
    "geneval": ("tests/golden/test_geneval.py", "evaluation_metadata.jsonl*"),
    "language": ("tests/tasks/test_language.py", "*_*.jsonl*"),
    "mmvet": ("tests/exchange", "mm-vet.json*"),
    "pope": ("tests/tasks/test_yesno.py", "official_coco_pope_*.json*"),
    "vqa": ("tests/tasks/test_vqa.py", "v2_*_questions.json"),
}
"""Set -> who reads files of it that are no cases of the tests in this folder, and which files."""
KNOWN = frozenset({"oracles", "captions", "comprehension", "creation", "nlgeval", "mmbench", *ELSEWHERE})


def _folders(root: Path) -> list[Path]:
    folders = (path for path in sorted(root.iterdir()) if path.is_dir())
    return [path for path in folders if not path.name.startswith((".", "__"))]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _told(root: Path, read: frozenset[Path]) -> tuple[list[str], list[str]]:
    """What no test reads, and what other tests do: folders, and case files of another name in folders that
    are read."""
    unread: list[str] = []
    elsewhere: list[str] = []
    for folder in _folders(root):
        files = _files(folder)
        tests, pattern = ELSEWHERE.get(folder.name, ("", ""))
        if any(path in read for path in files):
            others = (path for path in files if path not in read and "_cases" in path.name)
            unread += [path.relative_to(root).as_posix() for path in others]
        elif tests and any(fnmatch(path.name, pattern) for path in files):
            elsewhere.append(f"{folder.name} ({tests})")
        else:
            unread.append(folder.name)
    return unread, elsewhere


@pytest.fixture
def read() -> frozenset[Path]:
    for path in Path(__file__).parent.glob("test_*.py"):
        import_module(f"{__package__}.{path.stem}")
    return cases_read()


@pytest.mark.parametrize(
    "folder",
    [path for path in _folders(golden_root()) if path.name in KNOWN - OWN_RUNNER],
    ids=lambda path: path.name,
)
def test_a_known_set_is_not_empty(folder: Path) -> None:
    assert _files(folder), f"{folder} is empty"


def test_what_no_test_reads_is_told(read: frozenset[Path], request: pytest.FixtureRequest) -> None:
    for kind, names in zip(("unread", "elsewhere"), _told(golden_root(), read), strict=True):
        request.node.user_properties.append((kind, names))


def test_the_golden_folder_holds_cases(read: frozenset[Path]) -> None:
    assert read, f"{golden_root()} has no cases that a test reads"


def test_a_set_without_cases_is_an_error(tmp_path: Path) -> None:
    """Files of every set whose groups are empty: no test may pass."""
    folder = tmp_path / "comprehension"
    folder.mkdir()
    names = "answers runs ueg replies summaries sets texts maze_moves drift blink_letters"
    groups: dict[str, list[str]] = {name: [] for name in names.split()}
    for name in ("ueval", "uni_mmmu_jigsaw", "mme_unify", "realunify", "unified_small", "unieval"):
        (folder / f"{name}_cases.json").write_text(json.dumps({"meta": {}, **groups}))
    (folder / "uni_bench.json").write_text("[]")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/golden/test_unified.py"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "EVALSUITE_GOLDEN": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 1, ended.stdout
    assert not re.search("cases  equal", ended.stdout), ended.stdout
    assert ended.stdout.count("DIFFERENT: ") == 9, ended.stdout
    assert ended.stdout.count("is empty: nothing was compared") >= 9, ended.stdout


def test_a_set_of_an_unknown_form_is_unread_and_no_error(tmp_path: Path) -> None:
    for name in (
        "oracles/a_cases.json",
        "oracles/b_cases.json",
        "viescore/check.py",
        "vqa/v2_x_questions.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "nlgeval").mkdir()
    unread, elsewhere = _told(tmp_path, frozenset({tmp_path / "oracles" / "a_cases.json"}))
    assert unread == ["nlgeval", "oracles/b_cases.json", "viescore"]
    assert elsewhere == ["vqa (tests/tasks/test_vqa.py)"]
