"""Tables in the formats and layouts of the hub, and the source that reads one of them."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from evalsuite.task.sources import Located, Source, locate
from tests.data.image_files import encoded

PHOTOS = [encoded("PNG", seed=n) for n in range(4)]


def cell(n: int) -> dict[str, Any]:
    """An image as the hub's `Image` feature stores it."""
    return {"bytes": PHOTOS[n], "path": f"{n}.png"}


def base64_of(n: int) -> str:
    return base64.b64encode(PHOTOS[n]).decode()


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def by_datasets(path: Path, rows: list[dict[str, Any]], images: tuple[str, ...] = ("image",)) -> Path:
    """A parquet file as the library `datasets` writes it to the hub: image columns are `Image` features."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = datasets.Dataset.from_list(rows)
    for name in images:
        made = made.cast_column(name, datasets.Image())
    made.to_parquet(path)
    return path


def delimited(path: Path, rows: list[dict[str, Any]], delimiter: str = "\t") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def json_file(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def json_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def image_files(folder: Path, *names: str) -> None:
    for n, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PHOTOS[n])


def located(folder: Path, reader: str, columns: dict[str, str], files: dict[str, str] | None = None,
            **settings: Any) -> Located:  # fmt: skip
    """A source whose table is the one file in `folder`, or what `files` says."""
    found = files or {"table": next(path.name for path in folder.iterdir() if path.is_file())}
    source = Source(reader=reader, files=found, columns=columns, settings=settings)
    return locate("little", (source,), folder)
