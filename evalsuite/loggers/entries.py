"""What of a run is logged."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalsuite.content import Image
from evalsuite.request import DocumentResponse, ImageResponse
from evalsuite.store import RunReader, TaskResult
from evalsuite.tracking import place_of_run

IMAGES = 4
"""Generated images of each task, those of its first samples: the same at every step."""


@dataclass(frozen=True, slots=True)
class LoggedImage:
    """A generated image.

    Args:
        key: its place among all, such as `mini-t2i/sample 7`, the same at every step.
        image: encoded.
    """

    key: str
    image: Image


@dataclass(frozen=True, slots=True)
class Entry:
    """A run as trackers get it.

    Args:
        series: the training, with its seed where there is one; the model's name where nothing says.
        step: of the training; 0 where nothing says.
        run: folder of the run.
        scalars: by name, in display units: `task/metric`, `task/metric/low`, `…/high`, `task/n`.
        parameters: what decides the numbers, flat, all texts.
    """

    series: str
    step: int
    run: str
    scalars: Mapping[str, float]
    parameters: Mapping[str, str]
    images: tuple[LoggedImage, ...] = field(default=(), repr=False)

    @property
    def digest(self) -> str:
        """Of all that is logged, images by their names."""
        told = [self.series, self.step, dict(self.scalars), dict(self.parameters)]
        told.append([one.key for one in self.images])
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def entry_of(run: RunReader, *, images: int = IMAGES, groups: bool = False) -> Entry:
    """What of an open run is logged: headlines and all other metrics by the rules of its own specification.

    Args:
        images: of each task that generates some.
        groups: breakdowns too.
    """
    place = place_of_run(run)
    series = place.series or run.model_name
    if place.seed is not None:
        series = f"{series}-seed{place.seed}"
    own = {(record.key, record.info.rules) for record in run.manifest.tasks}
    results = [result for result in run.metrics() if (result.task, result.rules) in own]
    scalars: dict[str, float] = {}
    for result in results:
        scalars.update(_scalars(result, groups))
    logged = [p for result in results for p in _logged_images(run, result, images)] if images else []
    return Entry(series, place.step or 0, str(run.path), scalars, _parameters(run, results), tuple(logged))


def _scalars(result: TaskResult, groups: bool) -> Iterator[tuple[str, float]]:
    task = f"{result.task}/{result.judge}" if result.judge else result.task
    for one in result.estimates:
        if one.group and not groups:
            continue
        name = "/".join(filter(None, (task, one.metric.name, one.group)))
        for part, value in (("", one.value), ("/low", one.low), ("/high", one.high)):
            if math.isfinite(value):
                yield f"{name}{part}", value * one.metric.scale
    yield f"{task}/n", float(result.n)
    yield f"{task}/failures", float(result.failures)


def _parameters(run: RunReader, results: list[TaskResult]) -> dict[str, str]:
    spec, model = run.spec, run.manifest.model
    told: dict[str, Any] = {
        "model": spec.model.name,
        "model fingerprint": model.fingerprint if model else "",
        "evalsuite": run.manifest.evalsuite,
        "seed": spec.seed,
        "limit": spec.limit if spec.limit is not None else "",
    }
    told |= {f"option {name}": value for name, value in spec.model.options.items()}
    for result in results:
        info = result.info
        told[f"{result.task} protocol"] = f"{info.protocol}, rules {info.rules}, version {info.version}"
        told[f"{result.task} data"] = result.data_fingerprint[:16]
    return {name: str(value) for name, value in told.items()}


def _logged_images(run: RunReader, result: TaskResult, most: int) -> Iterator[LoggedImage]:
    if not result.cost.images:
        return
    found = 0
    for record in run.records(result.task):
        match record.response:
            case ImageResponse(images=images):
                made: tuple[Image, ...] = images
            case DocumentResponse(parts=parts):
                made = tuple(part for part in parts if isinstance(part, Image))
            case _:
                continue
        if made:
            yield LoggedImage(f"{result.task}/sample {record.sample}", made[0])
            found += 1
        if found == most:
            return
