"""Where the golden cases lie: answers established by official code or published by others.

Order: the folder named by EVALSUITE_GOLDEN, `../shared/golden` beside the repository, `tests/golden`. Sets
whose licence forbids a copy here exist only in the first two; a test that needs one is skipped without them.
"""

from __future__ import annotations

import gzip
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


def _roots() -> list[Path]:
    named = os.environ.get("EVALSUITE_GOLDEN")
    return [
        *([Path(named)] if named else []),
        _REPOSITORY.parent / "shared" / "golden",
        _REPOSITORY / "tests" / "golden",
    ]


def golden_dir(name: str, *files: str) -> Path:
    """The folder of the golden set `name` ("oracles", "captions", …) with all `files`; skips the test where
    there is none."""
    for root in _roots():
        if (root / name).is_dir() and all((root / name / file).exists() for file in files):
            return root / name
    pytest.skip(f"golden set {name!r} is not here (set EVALSUITE_GOLDEN to the folder that holds it)")


@lru_cache(maxsize=32)
def _read(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def load_json(folder: str, file_name: str) -> Any:
    """The parsed JSON file `file_name` (gzip by suffix) of the golden set `folder`; do not modify it."""
    path = golden_dir(folder) / file_name
    if not path.exists():
        pytest.skip(f"golden file {folder}/{file_name} is not here")
    return _read(path)
