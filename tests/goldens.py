"""Where the golden cases lie: answers established by official code or published by others.

The folder named by EVALSUITE_GOLDEN, else `../shared/golden` beside the repository, else `tests/golden`. Sets
whose licence forbids a copy here exist only in the first two; a test that needs one is skipped without them.
What the named folder lacks (question files, inputs made from seeds) is taken from the others.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent
_COPIES = _REPOSITORY / "tests" / "golden"
OWN_RUNNER = frozenset({"dreamllm"})
"""Folders that other tests read (tests/dreamllm)."""
_CASES: set[Path] = set()


def _named() -> Path | None:
    named = os.environ.get("EVALSUITE_GOLDEN")
    return Path(named).expanduser().resolve() if named else None


def _roots() -> list[Path]:
    named = _named()
    return [*([named] if named else []), _REPOSITORY.parent / "shared" / "golden", _COPIES]


def golden_root() -> Path:
    """The folder whose cases `pytest tests/golden` checks. A named folder that is not there is an error."""
    named = _named()
    if named is not None and not named.is_dir():
        raise pytest.UsageError(f"EVALSUITE_GOLDEN={named} is not a folder")
    return next(root for root in _roots() if root.is_dir())


def case_files(*patterns: str) -> list[Path]:
    """All files of the golden root that match one of the patterns, wherever they lie in it, sorted."""
    root = golden_root()
    found = {path for pattern in patterns for path in root.rglob(pattern) if path.is_file()}
    cases = sorted(path for path in found if not OWN_RUNNER & set(path.relative_to(root).parts))
    _CASES.update(cases)
    return cases


def cases_read() -> frozenset[Path]:
    """What `case_files` gave to the test modules that are imported by now."""
    return frozenset(_CASES)


def is_object(path: Path) -> bool:
    """Whether the file is JSON with an object at its top: folders hold files of forms not known here."""
    try:
        return isinstance(read_json(path), dict)
    except (OSError, ValueError):
        return False


def golden_dir(name: str, *files: str) -> Path:
    """The folder of the golden set `name` ("oracles", "captions", …) with all `files`; skips the test where
    there is none."""
    for root in _roots():
        if (root / name).is_dir() and all((root / name / file).exists() for file in files):
            return root / name
    pytest.skip(f"golden set {name!r} is not here (set EVALSUITE_GOLDEN to the folder that holds it)")


def find_support(folder: str, *names: str) -> Path | None:
    """A file that cases need, from the first golden folder that has it under one of the names; "x" also
    stands for "x.gz"."""
    for root in _roots():
        for name in names:
            for path in (root / folder / name, root / folder / f"{name}.gz"):
                if path.is_file():
                    return path
    return None


def read_text(path: Path) -> str:
    """A text file, gzip by suffix."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")


def read_lines(path: Path) -> list[Any]:
    """The values of a JSON-lines file, gzip by suffix."""
    return [json.loads(line) for line in read_text(path).splitlines() if line.strip()]


@lru_cache(maxsize=32)
def read_json(path: Path) -> Any:
    """The parsed JSON file, gzip by suffix; do not modify it."""
    return json.loads(read_text(path))


def load_json(folder: str, file_name: str) -> Any:
    """The parsed JSON file `file_name` (gzip by suffix) of the golden set `folder`; do not modify it."""
    path = golden_dir(folder) / file_name
    if not path.exists():
        pytest.skip(f"golden file {folder}/{file_name} is not here")
    return read_json(path)


@lru_cache(maxsize=1)
def generators() -> ModuleType:
    """The module that makes the inputs which some cases describe by seeds."""
    spec = importlib.util.spec_from_file_location(
        "generators", golden_dir("oracles", "generators.py") / "generators.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
