"""What two runs must have in common, whoever answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalsuite.request import DocumentResponse, ImageResponse, Response, describe_document
from evalsuite.store import RunReader


def _answer(response: Response | None) -> Any:
    match response:
        case ImageResponse(images=images):
            return [image.sha256() for image in images]
        case DocumentResponse(parts=parts):
            return describe_document(parts)
        case _:
            return repr(response)


def rows(out: Path, *, texts: bool = True) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    """Every record without what may differ: times, batch sizes, workers."""
    found: dict[tuple[str, str, int], tuple[Any, ...]] = {}
    with RunReader(out) as run:
        for key in run.task_keys:
            for r in run.records(key):
                answer = _answer(r.response)
                hashes = (r.sample_hash, r.request_hash, r.target_hash)
                found[r.task, r.sample, r.step] = (r.status, r.last, answer, r.error, hashes)
    return found


def numbers(out: Path) -> list[Any]:
    found = RunReader(out).metrics()
    return [r.model_copy(update={"cost": r.cost.model_copy(update={"seconds": 0.0})}) for r in found]


def batches(out: Path) -> dict[tuple[str, str, int], int]:
    """How many requests each one was answered with."""
    with RunReader(out) as run:
        return {(r.task, r.sample, r.step): r.batch_size for key in run.task_keys for r in run.records(key)}
