"""Weights & Biases offline: its own record, read back by its own reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.loggers import destination, log_all

wandb = pytest.importorskip("wandb", reason="the extra evalsuite[wandb] is not installed")


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
    from wandb.sdk.internal.datastore import DataStore

    store = DataStore()
    store.open_for_scan(str(file))
    found = []
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            names = ["/".join(item.nested_key) or item.key for item in items]
            found.append({name: json.loads(item.value_json) for name, item in zip(names, items, strict=True)})
    return found
