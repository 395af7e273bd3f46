"""Before a task: can the model do what it needs? A fault of every sample is not to be paid for on each."""

from __future__ import annotations

from collections.abc import Iterable

from evalsuite.engine.blind import without_images
from evalsuite.errors import UnavailableError
from evalsuite.model import Model
from evalsuite.task import Sample, Task


def probe(model: Model, key: str, task: Task, samples: Iterable[Sample], *, blind: bool = False) -> list[str]:
    """Lets an adapter that can (`probe(request)`) find out with the first request of a task.

    Args:
        key: the task in the run.
        samples: what is missing of it; the first is taken.
        blind: the model is shown no images.

    Returns notes for readers of the results.
    Raises UnavailableError where the model cannot do it, naming the task.
    """
    ask = getattr(model, "probe", None)
    sample = next(iter(samples), None) if ask is not None else None
    if ask is None or sample is None:
        return []
    try:
        request = task.request(sample)
    except Exception:  # that sample's failure, which its own turn records
        return []
    if request is None:
        return []
    try:
        return list(ask(without_images(request) if blind else request))
    except UnavailableError as error:
        raise UnavailableError(f"{key}: {error.what}", error.remedy) from error
