"""Weights & Biases offline: its own record, read back with its own messages."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.loggers import destination, log_all

wandb = pytest.importorskip("wandb", reason="the extra evalsuite[wandb] is not installed")

_BLOCK = 1 << 15


@pytest.mark.slow
def test_offline_the_numbers_and_images_are_on_disk(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    outcome = log_all(runs, destination("wandb:offline", "mine"))
    assert (outcome.error, outcome.written) == (None, 2)
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    rows = [row for row in _history(next(folder.glob("*.wandb"))) if "shapes/accuracy" in row]
    assert [(row["training step"], row["shapes/accuracy"]) for row in rows] == [(1000, 100), (2000, 100)]
    assert rows[0]["shapes/accuracy/low"] < 100
    assert len(list((folder / "files" / "media").rglob("*.png"))) == 8


def _history(file: Path) -> list[dict[str, Any]]:
    from wandb.proto import wandb_internal_pb2

    found = []
    for data in _records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            names = ["/".join(item.nested_key) or item.key for item in items]
            values = [json.loads(item.value_json) for item in items]
            found.append(dict(zip(names, values, strict=True)))
    return found


def _records(data: bytes) -> Iterator[bytes]:
    """The records of LevelDB's log format behind wandb's seven bytes: blocks of 32 KiB with pieces, each
    with checksum, length and type (1 whole, 2 first, 3 middle, 4 last)."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        rest = _BLOCK - at % _BLOCK
        if rest < 7:  # padding
            at += rest
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        piece = data[at + 7 : at + 7 + length]
        at += 7 + length
        parts = piece if kind in (1, 2) else parts + piece
        if kind in (1, 4):
            yield parts
