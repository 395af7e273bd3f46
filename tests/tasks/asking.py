"""Small helpers of the benchmark tests: build a task by name, write a hub table, answer samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import evalsuite_tasks
import pyarrow as pa
import pyarrow.parquet as pq

from evalsuite.content import Image, Text
from evalsuite.request import Request, TextResponse
from evalsuite.task import Answered, Sample, Task
from evalsuite.task.entry import TaskOptions

ENTRIES = {entry.name: entry for entry in evalsuite_tasks.tasks()}


def build(name: str, data: Path, **options: Any) -> Task:
    return ENTRIES[name].build(TaskOptions(data=data, **options))


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def asked(task: Task, sample: Sample, *earlier: str) -> Request:
    request = task.request(sample, tuple(TextResponse(text) for text in earlier))
    assert request is not None
    return request


def wording(request: Request) -> str:
    """The last turn as one string, images as <image>."""
    return "".join(part.text if isinstance(part, Text) else "<image>" for part in request.messages[-1].parts)


def shown_images(request: Request) -> list[bytes]:
    return [image.read() for image in request.images if isinstance(image, Image)]


def answer(sample: Sample, *texts: str) -> Answered:
    return Answered(sample, tuple(TextResponse(text) for text in texts))


def values(task: Task, *answers: Answered) -> list[dict[str, float]]:
    """The score columns of each answered sample; a failure fails the test."""
    rows = task.score(list(answers)).rows
    for row in rows:
        assert not row.failure, row.failure
    return [dict(row.values) for row in rows]
