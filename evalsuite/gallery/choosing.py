"""Which samples a contact sheet shows."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.errors import SpecError, suggest
from evalsuite.registry import Registry
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.store import RunReader
from evalsuite.task import Sample, Task


def chosen_samples(
    readers: Sequence[RunReader], key: str, count: int, by: str, registry: Registry
) -> tuple[Task, list[Sample]]:
    """The task, and samples evenly spread over those that all runs answered.

    Args:
        count: samples at most; of each value of `by` where that is given.
        by: a label that the samples are ordered by.

    Raises SpecError where a run has no such task, or no sample such a label.
    """
    first = readers[0]
    specs = dict(zip(task_keys(first.spec), first.spec.tasks, strict=True))
    if any(key not in reader.task_keys for reader in readers):
        known = ", ".join(first.task_keys)
        raise SpecError(f"Not all of these runs have a task {key!r}.", f"The first has: {known}.")
    answered = set.intersection(*(reader.answered(key) for reader in readers))
    built = build_task(specs[key], registry)
    samples = [sample for sample in built.samples() if sample.id in answered]
    if not by:
        return built, _spread(samples, count)
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        if by in sample.labels:
            groups.setdefault(sample.labels[by], []).append(sample)
    if not groups:
        known_labels = dict.fromkeys(name for sample in samples for name in sample.labels)
        raise SpecError(f"No sample of {key} has a label {by!r}.", suggest(by, known_labels))
    return built, [sample for value in sorted(groups) for sample in _spread(groups[value], count)]


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    if len(samples) <= count:
        return list(samples)
    return [samples[i * len(samples) // count] for i in range(count)]
