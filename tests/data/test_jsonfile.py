"""Packed JSON files: broken ones are refused by name, whichever way they are broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from evalsuite.data.jsonfile import read_json, read_lines
from evalsuite.errors import DataError

WHOLE = gzip.compress(json.dumps({"rows": list(range(1000))}).encode())
BROKEN = {
    "cut off": WHOLE[: len(WHOLE) // 2],
    "no archive": b"{}",
    "damaged": WHOLE[:40] + bytes(byte ^ 0xFF for byte in WHOLE[40:80]) + WHOLE[80:],
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_archive_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(BROKEN[kind])
    with pytest.raises(DataError, match=r"a\.json\.gz"):
        read_json(path)
    with pytest.raises(DataError, match=r"a\.json\.gz"):
        list(read_lines(path))
