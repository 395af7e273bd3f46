"""What the tests of captioning, drawing and editing share: a small written world, images, answers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import evalsuite_tasks
import numpy as np
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.mini.write import Sizes, write_world
from evalsuite.request import ImageResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered, Sample, Scores, Task
from evalsuite.task.entry import TaskOptions

ENTRIES = {entry.name: entry for entry in evalsuite_tasks.tasks()}


def build(name: str, data: Path, protocol: str | None = None, **options: str) -> Task:
    return ENTRIES[name].build(TaskOptions(protocol=protocol, data=data, options=options))


def world(folder: Path, captioned: int = 24, edits: int = 20, stories: int = 1) -> Path:
    sizes = Sizes(vqa_images=4, choices=2, captioned=captioned, edits=edits, stories=stories, subjects=4)
    write_world(folder, 5, sizes)
    return folder


def png(picture: pil.Image, kind: str = "PNG") -> Image:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return Image(buffer.getvalue(), name="made")


def flat(value: int = 128, size: tuple[int, int] = (64, 64)) -> Image:
    return png(pil.fromarray(np.full((size[1], size[0], 3), value, dtype=np.uint8)))


def drawn(sample: Sample, *images: Image) -> Answered:
    return Answered(sample, (ImageResponse(images),))


def values(scores: Scores) -> dict[str, float]:
    """Metric (and group) to value."""
    return {f"{e.metric.name} {e.group}".strip(): e.value for e in estimate(scores, resamples=20)}


def failures(scores: Scores) -> dict[str, str]:
    return {row.id: row.failure for row in scores.rows if row.failure}


def score(task: Task, answered: Sequence[Answered]) -> Any:
    return task.score(answered)
