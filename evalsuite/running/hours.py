"""How long a suite will take: what an earlier run measured, times what there is to do, over the devices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import DataError, EvalsuiteError, SpecError
from evalsuite.registry import Registry, load_registry
from evalsuite.request import DocumentResponse, ImageResponse, Response
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader
from evalsuite.task.entry import TaskEntry

_GAP = 60.0
"""Seconds without a record after which a run was not answering: loading, scoring, interrupted."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one task of an earlier run took.

    Args:
        task: its key in the run.
        capability: what its answer takes of a model.
        samples: answered.
        images: generated; 0 where the task generates none.
        steps: denoising steps of an image; None where nobody recorded them.
        size: width and height of the images.
        seconds: of the device, in all.
        busy: share of the workers' time that the device worked, in (0, 1].
    """

    task: str
    capability: str
    samples: int
    images: int
    steps: int | None
    size: tuple[int, int] | None
    seconds: float
    busy: float

    @property
    def unit(self) -> str:
        """What `seconds_each` is of: `image` or `sample`."""
        return "image" if self.images else "sample"

    @property
    def seconds_each(self) -> float:
        """Seconds of one worker for an image, or for a sample where none are generated; waiting included."""
        return self.seconds / self.busy / (self.images or self.samples)


@dataclass(frozen=True, slots=True)
class TaskHours:
    """What a task will take.

    Args:
        samples, images: to be asked, to be generated (0: none).
        steps: of an image; None: the model's own.
        seconds_each: of one device for an image, or for a sample.
        rate: what that was measured on.
        notes: why it is less sure than it looks.
    """

    task: str
    protocol: str
    samples: int
    images: int
    steps: int | None
    seconds_each: float
    rate: Rate
    notes: tuple[str, ...] = ()

    @property
    def device_hours(self) -> float:
        """On one device."""
        return (self.images or self.samples) * self.seconds_each / 3600


@dataclass(frozen=True, slots=True)
class HoursPlan:
    """What all tasks will take; loading the model and scoring are not in it."""

    rates_of: Path
    model: str
    devices: int
    tasks: tuple[TaskHours, ...]

    @property
    def device_hours(self) -> float:
        return math.fsum(task.device_hours for task in self.tasks)

    @property
    def hours(self) -> float:
        """With all devices at work."""
        return self.device_hours / self.devices

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; hours and seconds as floats."""
        return {
            "rates": str(self.rates_of),
            "model": self.model,
            "devices": self.devices,
            "device_hours": self.device_hours,
            "hours": self.hours,
            "tasks": [
                {
                    "task": one.task, "protocol": one.protocol, "samples": one.samples, "images": one.images,
                    "steps": one.steps, f"seconds_per_{one.rate.unit}": one.seconds_each,
                    "device_hours": one.device_hours, "hours": one.device_hours / self.devices,
                    "measured_on": one.rate.task, "measured_samples": one.rate.samples,
                    "measured_images": one.rate.images, "measured_steps": one.rate.steps,
                    "busy": one.rate.busy, "notes": list(one.notes),
                }
                for one in self.tasks
            ],
        }  # fmt: skip


def plan_hours(
    rates: Path | str,
    tasks: str | Sequence[str] = (),
    *,
    suite: str | None = None,
    devices: int = 1,
    samples: int | None = None,
    generations: int | None = None,
    steps: int | None = None,
    protocol: str | None = None,
    data: Path | str | None = None,
    registry: Registry | None = None,
) -> HoursPlan:
    """How many hours tasks take on a number of devices, from the rates of an earlier run.

    Seconds per image are scaled by steps, which is what a denoising loop costs; per sample of text they are
    those of the same task, else of all tasks of the run that take the same of a model.

    Args:
        rates: folder of a run of the same model on the same kind of device; a few samples per task are
            enough.
        tasks: names of tasks; `suite`: a named list of them.
        devices: workers that answer at the same time.
        samples: maximum samples per task; all by default.
        generations: images per prompt; the protocol's by default.
        steps: denoising steps; the protocol's by default.
        protocol: for all tasks; each task's default otherwise.
        data: folder with the benchmarks' files, where the number of samples must be counted.
        registry: None loads installed plugins and those of the run.

    Raises:
        SpecError: no task, an unknown one, or one whose like the run did not measure.
        DataError: a task without a declared number of samples whose data are missing.
        StoreError: no run, or one without answers.
    """
    with RunReader(Path(rates)) as run:
        known = registry or load_registry(run.spec.plugins)
        measured = measured_rates(run, known)
        model = run.spec.model.name
    names = [tasks] if isinstance(tasks, str) else list(tasks)
    specs = [TaskSpec(name=name) for name in names]
    if suite is not None:
        specs = [*known.suite(suite).tasks, *specs]
    if not specs:
        raise SpecError("No task is named.", "Give --task NAME or --suite NAME.")
    numbers = {"devices": devices, "samples": samples, "generations": generations, "steps": steps}
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise SpecError(f"{name}={value} is not a number of {name}.", "Give 1 or more.")
    changes = {"protocol": protocol} if protocol else {}
    if data is not None:
        changes["data"] = Path(data)  # type: ignore[assignment]
    found = tuple(
        _of_task(spec.model_copy(update=changes), known, measured, samples, generations, steps)
        for spec in specs
    )
    return HoursPlan(Path(rates), model, devices, found)


def measured_rates(run: RunReader, registry: Registry) -> list[Rate]:
    """What each task of a run took. Raises SpecError where it has no answers."""
    specs = dict(zip(task_keys(run.spec), run.spec.tasks, strict=True))
    found = []
    for key, spec in specs.items():
        entry = registry.task(spec.name)
        rate = _rate(run, key, entry, _decoding(entry, spec.protocol))
        if rate is not None:
            found.append(rate)
    if not found:
        raise SpecError(
            f"{run.path} has no answers to take rates from.", "Measure a few samples first: --limit 16."
        )
    return found


def _rate(run: RunReader, key: str, entry: TaskEntry, decoding: Mapping[str, Any]) -> Rate | None:
    seconds, images = 0.0, 0
    samples: set[str] = set()
    moments: list[tuple[float, float]] = []
    workers: set[int | None] = set()
    first: Image | None = None
    steps = _number(decoding.get("steps"))
    for record in run.records(key):
        if record.response is None:
            continue
        seconds += record.seconds
        samples.add(record.sample)
        moments.append((record.created, record.seconds * record.batch_size))
        workers.add(record.worker)
        made = _images_of(record.response)
        images += len(made)
        first = first or next(iter(made), None)
        steps = steps or _number(record.response.details.get("steps"))
    if not samples or seconds <= 0:
        return None
    return Rate(
        key, entry.capability, len(samples), images, steps, _size(first), seconds,
        _busy(seconds, moments, len(workers)),
    )  # fmt: skip


def _busy(seconds: float, moments: Iterable[tuple[float, float]], workers: int) -> float:
    """Device seconds over the time in which records came, gaps left out."""
    ordered = sorted(moments)
    span = ordered[0][1]  # the first batch began before it was recorded
    for (before, _), (after, batch) in pairwise(ordered):
        span += min(after - before, max(_GAP, 2 * batch))
    return min(1.0, seconds / (span * workers)) if span > 0 else 1.0


def _of_task(
    spec: TaskSpec,
    registry: Registry,
    rates: Sequence[Rate],
    samples: int | None,
    generations: int | None,
    steps: int | None,
) -> TaskHours:
    entry = registry.task(spec.name)
    protocol = spec.protocol or entry.protocols[0]
    decoding = _decoding(entry, spec.protocol)
    same = [rate for rate in rates if rate.task.partition("@")[0] == entry.name]
    alike = same or [rate for rate in rates if rate.capability == entry.capability]
    if not alike:
        raise SpecError(
            f"The run measured nothing that is like {entry.name} (capability {entry.capability!r}).",
            f"Measure a few samples: evalsuite run … --task {entry.name} --limit 16.",
        )
    rate = alike[0] if len(alike) == 1 else _pooled(alike)
    count = _count(spec, entry, registry)
    count = count if samples is None else min(samples, count)
    notes: list[str] = []
    if not same:
        notes.append(f"measured on {rate.task}, not on this task")
    if not rate.images:
        return TaskHours(entry.name, protocol, count, 0, None, rate.seconds_each, rate, tuple(notes))
    per_sample = generations or _number(decoding.get("count")) or 1
    wanted = steps or _number(decoding.get("steps"))
    each = rate.seconds_each
    if wanted is not None and rate.steps is not None:
        each *= wanted / rate.steps
    elif wanted is not None:
        notes.append(f"the run did not record its steps: not scaled to {wanted}")
    size = _number(decoding.get("width")), _number(decoding.get("height"))
    if None not in size and rate.size is not None and size != rate.size:
        shown = f"{rate.size[0]}x{rate.size[1]}", f"{size[0]}x{size[1]}"
        notes.append(f"measured on images of {shown[0]}, this protocol wants {shown[1]}")
    return TaskHours(
        entry.name, protocol, count, count * per_sample, wanted or rate.steps, each, rate, tuple(notes)
    )


def _pooled(rates: Sequence[Rate]) -> Rate:
    """Several tasks of one kind as one."""
    steps = {rate.steps for rate in rates}
    return Rate(
        ", ".join(rate.task for rate in rates),
        rates[0].capability,
        sum(rate.samples for rate in rates),
        sum(rate.images for rate in rates),
        steps.pop() if len(steps) == 1 else None,
        rates[0].size if len({rate.size for rate in rates}) == 1 else None,
        math.fsum(rate.seconds for rate in rates),
        math.fsum(rate.seconds for rate in rates) / math.fsum(rate.seconds / rate.busy for rate in rates),
    )


def _count(spec: TaskSpec, entry: TaskEntry, registry: Registry) -> int:
    """Samples of a task: those of its data, else as its file declares them."""
    try:
        task = build_task(spec, registry)
        names = getattr(task, "sample_ids", None)
        return sum(1 for _ in (names() if callable(names) else task.samples()))
    except EvalsuiteError as error:
        declared = entry.benchmark.count if entry.benchmark is not None else None
        if declared:
            return declared
        raise DataError(
            f"{spec.name}: its samples cannot be counted ({error.what}).",
            "Give --data FOLDER, or --samples N with data that are here.",
        ) from error


def _decoding(entry: TaskEntry, protocol: str | None) -> Mapping[str, Any]:
    """What a protocol says about its images."""
    if entry.benchmark is None:
        return {}
    found = entry.benchmark.protocols.get(protocol or entry.protocols[0])
    decoding = found.decoding if found is not None else {}
    inner = decoding.get("image")
    return inner if isinstance(inner, Mapping) else decoding


def _images_of(response: Response) -> tuple[Image, ...]:
    if isinstance(response, ImageResponse):
        return tuple(response.images)
    if isinstance(response, DocumentResponse):
        return tuple(part for part in response.parts if isinstance(part, Image))
    return ()


def _size(image: Image | None) -> tuple[int, int] | None:
    if image is None:
        return None
    from evalsuite.data.images import image_size

    try:
        return image_size(image)
    except DataError:
        return None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
