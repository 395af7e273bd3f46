"""The CPU step ahead of the device: building, hashing and preparing requests in threads, within bounds."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from types import TracebackType
from typing import Any

from evalsuite.content import Image
from evalsuite.engine.blind import without_images
from evalsuite.engine.hashing import describe, remembering, sample_hash
from evalsuite.engine.plan import Item, Source
from evalsuite.engine.seeds import request_seed
from evalsuite.errors import SampleError, is_interruption, reason_of
from evalsuite.model import METHODS, Model, ModelInfo, Prepared
from evalsuite.request import Request, fingerprint, require_length
from evalsuite.task import HasReferenceAnswer, Sample, Task

_MESSAGE_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Ready:
    """An item made ready for the device, or the reason why it could not be.

    Args:
        method: the adapter's device step.
        nbytes: estimate of what it holds in memory.
    """

    item: Item
    prepared: Prepared | None
    error: str
    sample_hash: str
    request_hash: str
    target_hash: str
    method: str
    nbytes: int

    @property
    def cost(self) -> float:
        return self.prepared.cost if self.prepared is not None else 0.0


def make_ready(
    task: Task, model: Model, seed: int, item: Item, *, blind: bool = False, annotated: bool = False
) -> Ready:
    """Builds, hashes and prepares one request; whatever goes wrong is recorded as this sample's failure.

    Args:
        blind: take the images out, before anything is hashed: what is recorded is what was asked.
        annotated: the model is an upper bound, which is given the task's own answer.
    """
    sample, step = item.sample, item.step
    hashes = {"sample_hash": "", "request_hash": "", "target_hash": ""}
    prepared, method, error = None, "", ""
    try:
        digest = remembering()
        hashes["sample_hash"] = sample_hash(sample, digest)
        hashes["target_hash"] = fingerprint(describe(task.target(sample), digest))
        request = item.request or task.request(sample, item.earlier)
        if request is None:
            raise SampleError("The task asks nothing about this sample.", "Its `request` returned None.")
        request = replace(request, seed=request_seed(seed, task.info.name, sample.id, step))
        request = without_images(request) if blind else request
        for message in request.messages:
            require_length(message.text, "The question")
        hashes["request_hash"] = request.fingerprint(digest)
        method = METHODS[request.output.capability]
        if not callable(getattr(model, method, None)):
            raise SampleError(f"The model has no {method}.", "Choose a model that can answer this task.")
        if annotated:
            prepared = _annotated(task, model, item, request)
        else:
            prepared = model.prepare(request)
    except BaseException as caught:  # a broken sample, task or adapter must cost this sample only
        if is_interruption(caught):
            raise
        prepared, error = None, error_text(caught)
    size = 0 if prepared is None else nbytes(prepared.payload) + images_nbytes(prepared.request)
    return Ready(item, prepared, error, **hashes, method=method, nbytes=size)


def _annotated(task: Task, model: Any, item: Item, request: Request) -> Prepared:
    answer = (
        task.reference_answer(item.sample, item.earlier) if isinstance(task, HasReferenceAnswer) else None
    )
    if answer is None:
        raise SampleError("The annotations hold no answer to this.", "Are those of this split public?")
    prepared: Prepared = model.prepare_annotated(request, answer)
    return prepared


def prepare_threads(wanted: int | str, model: ModelInfo) -> int:
    """How many threads prepare: what the user said, or for `auto` by what else needs the cores.

    Beside a GPU one per core, at most 8: the thread that feeds it mostly waits. Where the model computes on
    the CPU one: more would take cores from it.
    """
    if isinstance(wanted, int):
        return wanted
    if str(model.details.get("device", "cpu")).startswith("cpu"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8)


class Preparer:
    """Prepares ahead of the device, in order, with bounded memory.

    Args:
        prepare: the CPU step of one item.
        threads: how many run at once.
        count: maximum number of items prepared or being prepared.
        size: maximum of their bytes, approximately: estimated by the mean of those seen.
        first: how many may be begun while nothing is known of their size; None: two per thread. What is
            waiting for room is not prepared, so that `size` holds with any number.
    """

    def __init__(
        self,
        prepare: Callable[[Item], Ready],
        *,
        threads: int,
        count: int,
        size: int,
        first: int | None = None,
    ) -> None:
        self._prepare = prepare
        self._count = count
        self._size = size
        self._first = min(count, 2 * threads if first is None else first)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="evalsuite-prepare")
        self._pending: deque[Future[Ready]] = deque()
        self._seen = 0
        self._seen_bytes = 0
        self._gate = threading.Condition()
        self._submitted = 0
        self._taken = 0
        self._waiting_bytes = 0
        self._closed = False

    @property
    def pending(self) -> int:
        return len(self._pending)

    def fill(self, source: Source) -> None:
        """Starts as many as the bounds allow; always at least one if there is one."""
        while len(self._pending) < self._allowed():
            item = source.next()
            if item is None:
                return
            self._pending.append(self._pool.submit(self._prepare_within, item, self._submitted))
            self._submitted += 1

    def next(self) -> Ready:
        """The oldest item, waiting for it if need be."""
        with self._gate:
            self._taken += 1
            self._gate.notify_all()
        ready = self._pending.popleft().result()
        with self._gate:
            self._waiting_bytes -= ready.nbytes
            self._gate.notify_all()
        self._seen += 1
        self._seen_bytes += ready.nbytes
        return ready

    def _prepare_within(self, item: Item, number: int) -> Ready:
        """Prepares an item when there is room for it; the one that is needed next always proceeds.

        The mean of those seen says nothing of a row of large images after small ones.
        """
        with self._gate:
            self._gate.wait_for(
                lambda: self._waiting_bytes <= self._size or number <= self._taken or self._closed
            )
        ready = self._prepare(item)
        with self._gate:
            self._waiting_bytes += ready.nbytes
        return ready

    def _allowed(self) -> int:
        if not self._seen:
            return self._first
        fits = self._size * self._seen // self._seen_bytes if self._seen_bytes else self._count
        return max(1, min(self._count, fits))

    def close(self, *, wait: bool) -> None:
        """Ends the threads; what they have begun is waited for where `wait` says so, the rest is dropped."""
        self._pending.clear()
        with self._gate:
            self._closed = True
            self._gate.notify_all()
        self._pool.shutdown(wait=wait, cancel_futures=True)

    def __enter__(self) -> Preparer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(wait=kind is None)


def error_text(error: BaseException) -> str:
    """One line that says what went wrong; for errors not written for users, with their type."""
    return reason_of(error, _MESSAGE_LIMIT)


def images_nbytes(request: Request) -> int:
    """Bytes of the request's encoded images that are held in memory."""
    return sum(len(image.data) for image in request.images if image.data is not None)


def held_bytes(sample: Sample) -> int:
    """Bytes of encoded images that a sample holds in memory, wherever in its record they are."""
    return _held(sample.record, 4)


def _held(value: Any, depth: int) -> int:
    if isinstance(value, Image):
        return len(value.data or b"")
    if isinstance(value, str | int | float | bytes | None) or not depth:
        return 0
    if isinstance(value, Mapping):
        return sum(_held(item, depth - 1) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(_held(item, depth - 1) for item in value)
    names = getattr(value, "__dataclass_fields__", ())
    return sum(_held(getattr(value, name), depth - 1) for name in names)


def nbytes(value: Any) -> int:
    """Estimate of what a payload holds in memory: arrays, tensors, images, bytes, containers of them."""
    size = getattr(value, "nbytes", None)  # numpy arrays, torch tensors
    if isinstance(size, int):
        return size
    if isinstance(value, bytes | bytearray | str):
        return len(value)
    if isinstance(value, Image):
        return len(value.data or b"")
    if hasattr(value, "getbands") and hasattr(value, "size"):  # PIL
        bands = len(value.getbands())
        return int(value.size[0]) * int(value.size[1]) * (1 if bands == 1 else 4)  # RGB is stored as RGBX
    if isinstance(value, Mapping):
        return sum(nbytes(item) for item in value.values())
    if isinstance(value, Sequence | set | frozenset):
        return sum(nbytes(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return sum(nbytes(getattr(value, field.name)) for field in fields(value))
    return sys.getsizeof(value)
