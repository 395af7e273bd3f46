"""Encoding, saving and committing behind the device: a batch is saved while the next one is answered."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from evalsuite.content import Image, ImageEncoding, RawImage
from evalsuite.request import DocumentResponse, ImageResponse, Response
from evalsuite.store.records import Record

BEHIND = 1
"""Batches that may wait to be saved while another is answered: what a kill can cost beside that one."""

Save = Callable[[Sequence[Record]], None]


class Saver:
    """Saves batches in their order, behind the device.

    Images that an adapter handed back unencoded are encoded by a pool of threads, which also does what else
    saving needs to know of an image (`prepare`). Batches that are ready
    while an earlier one is being saved share the next commit. Nothing counts before it is on disk: `saved`
    gives the records that are, in the thread that asks.

    Args:
        save: makes records durable; called in one thread that is not the caller's, one call at a time. Not
            needed where everything goes through `call`.
        prepare: does that, once for each image of a record and before it is saved; by default, it encodes.
        encoders: threads that do.
    """

    def __init__(
        self, save: Save | None = None, *, encoders: int, prepare: Callable[[Image], object] | None = None
    ) -> None:
        self._save = save
        self._prepare = prepare or encode
        self._encoders = ThreadPoolExecutor(encoders, thread_name_prefix="evalsuite-encode")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="evalsuite-save")
        self._waiting: deque[_Batch] = deque()
        self._pending: deque[tuple[Sequence[Record], Future[None]]] = deque()
        self._failure: Exception | None = None
        self._turns_ahead = 0
        """Turns whose work an earlier one has done."""

    def add(self, records: Sequence[Record]) -> None:
        """Hands records over to be saved; their images are encoded at once, in parallel."""
        self._submit(_Batch(records, self._encode(records), None))

    def call(self, action: Callable[[], None], records: Sequence[Record] = ()) -> None:
        """Runs something else in its turn: after what was added before it, and when the images of `records`
        are encoded."""
        self._submit(_Batch((), self._encode(records), action))

    @property
    def behind(self) -> int:
        """How much has been handed over and not been reported by `saved`."""
        return len(self._pending)

    def saved(self, *, at_most_behind: int = BEHIND) -> Iterator[Sequence[Record]]:
        """Batches that have become durable, waiting until at most `at_most_behind` are not.

        Raises what saving raised.
        """
        while self._pending and (len(self._pending) > at_most_behind or self._pending[0][1].done()):
            records, future = self._pending.popleft()
            future.result()
            if records:
                yield records

    def _encode(self, records: Sequence[Record]) -> list[Future[object]]:
        images = [image for record in records for image in images_of(record.response)]
        return [self._encoders.submit(self._prepare, image) for image in images]

    def _submit(self, what: _Batch) -> None:
        self._waiting.append(what)
        self._pending.append((what.records, self._writer.submit(self._in_turn)))

    def _in_turn(self) -> None:
        """Writes what is next, unless an earlier turn has done so.

        Nothing is saved after what could not be saved: no step may stand without the one before it.
        """
        if self._failure is not None:
            raise self._failure
        if self._turns_ahead:
            self._turns_ahead -= 1
            return
        try:
            what = self._waiting.popleft()
            what.wait()
            if what.action is not None:
                what.action()
            elif self._save is not None:
                self._save(self._together(what.records))
        except Exception as error:
            self._failure = error
            raise

    def _together(self, records: Sequence[Record]) -> Sequence[Record]:
        """These records, and those of the batches after them that are ready by now."""
        while self._waiting and (after := self._waiting[0]).action is None and after.ready:
            self._waiting.popleft()
            self._turns_ahead += 1
            after.wait()
            records = [*records, *after.records]
        return records

    def __enter__(self) -> Saver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was handed over is saved even when the run breaks off."""
        self._writer.shutdown(wait=True)
        self._encoders.shutdown(wait=True)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records to be saved, or something else to be done, and the encodings that it waits for."""

    records: Sequence[Record]
    encoding: Sequence[Future[object]]
    action: Callable[[], None] | None

    @property
    def ready(self) -> bool:
        return all(future.done() for future in self.encoding)

    def wait(self) -> None:
        """Raises what encoding raised."""
        for future in self.encoding:
            future.result()


def encode(image: Image) -> None:
    """Encodes an image that is not encoded yet."""
    if isinstance(image, RawImage):
        image.read()


def images_of(response: Response | None) -> list[Image]:
    """The images of a response."""
    match response:
        case ImageResponse(images=images):
            return list(images)
        case DocumentResponse(parts=parts):
            return [part for part in parts if isinstance(part, Image)]
        case _:
            return []


def encoded_as(response: Response | None, encoding: ImageEncoding) -> Response | None:
    """The response with its unencoded images to be encoded in that way."""

    def changed(part: Any) -> Any:
        return replace(part, encoding=encoding) if isinstance(part, RawImage) else part

    match response:
        case ImageResponse():
            return replace(response, images=tuple(map(changed, response.images)))
        case DocumentResponse():
            return replace(response, parts=tuple(map(changed, response.parts)))
        case _:
            return response


def encoding_threads() -> int:
    """All cores but the one that feeds the device; at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(1, cores - 1), 8)
