"""What the store holds, as types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evalsuite.pickling import quick_state
from evalsuite.request import Response

Status = Literal["answered", "failed"]


@quick_state
@dataclass(frozen=True, slots=True)
class Record:
    """One answered or failed request. Primary key: task, sample, step.

    Args:
        task: key of the task in the run.
        sample: the sample's id.
        step: 0 for the first request of the sample, then 1, 2 … where a protocol asks several times.
        response: None when it failed.
        error: why it failed; empty when it was answered.
        last: nothing more is to be asked about this sample.
        sample_hash, request_hash, target_hash: sha256 of what was shown, asked and expected; a request that
            could not even be built has an empty request hash.
        seconds: device time, the batch's time divided by its size.
        batch_size: how many requests were answered together.
        created: Unix time; 0 until the store sets it.
        worker: number of the worker that answered; None where the process itself did.
    """

    task: str
    sample: str
    step: int
    response: Response | None
    error: str = ""
    last: bool = True
    sample_hash: str = ""
    request_hash: str = ""
    target_hash: str = ""
    seconds: float = 0.0
    batch_size: int = 0
    created: float = 0.0
    worker: int | None = None

    @property
    def status(self) -> Status:
        return "failed" if self.response is None else "answered"


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a task is, in samples.

    Args:
        total: samples to be asked, after `limit`.
        answered: all their steps are answered.
        failed: one of their steps failed.
    """

    total: int
    answered: int
    failed: int

    @property
    def missing(self) -> int:
        return self.total - self.answered - self.failed


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader of the results should know, e.g. that samples were asked one at a time, and why."""

    task: str
    text: str
    created: float
