"""Workers that answer at once, for what the driver itself costs; the bare loop that saving is held to."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.engine import NullProgress
from evalsuite.engine.driver import Driver
from evalsuite.engine.findings import Findings
from evalsuite.engine.leases import Lease, cut
from evalsuite.engine.ledger import Ledger
from evalsuite.engine.pool import Begun, Event, Finished, Ready, Saved, WorkerInfo
from evalsuite.engine.prepare import held_bytes
from evalsuite.engine.sizing import lease_size
from evalsuite.model import ModelInfo
from evalsuite.request import ImageResponse, Response, TextResponse
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunWriter, TaskRecord
from evalsuite.store.records import Record
from evalsuite.task import Metric, Sample, TaskInfo


class PlayedPool:
    """`workers` that answer every lease at once, in batches.

    Args:
        answer: what a sample is answered with.
    """

    kind, starting = "played", 0

    def __init__(self, workers: int, batch: int, answer: Any) -> None:
        model = ModelInfo("played", "1")
        self._ready: list[Event] = [
            Ready(WorkerInfo(i, "here", "here", 1, (), {}, {}, model)) for i in range(workers)
        ]
        self._batch, self._answer = batch, answer
        self._leases: dict[int, deque[Lease]] = {i: deque() for i in range(workers)}

    def send(self, worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        self._leases[worker].append(lease)

    def replace(self, avoid: frozenset[str]) -> bool:
        return False

    def events(self, timeout: float) -> Sequence[Event]:
        found, self._ready = self._ready, []
        for worker, leases in self._leases.items():
            if leases:
                lease = leases.popleft()
                for start in range(0, len(lease.samples), self._batch):
                    part = lease.samples[start : start + self._batch]
                    found.append(Saved(worker, lease.ticket, tuple(map(self._record, part))))
                found.append(Finished(worker, lease.ticket))
        return found

    def close(self, grace: float) -> Iterable[Event]:
        return ()

    def _record(self, sample: Sample) -> Record:
        response: Response = self._answer(int(sample.id))
        return Record("t", sample.id, 0, response, "", True, "a" * 64, "b" * 64, "c" * 64, 0.01, self._batch)


def drive_text(workers: int, samples: int, batch: int) -> None:
    """Short texts into a run in a folder for temporary files."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        answer = TextResponse("yes", tokens=1)
        _drive(Path(folder) / "run", PlayedPool(workers, batch, lambda i: answer), samples, batch, workers)


def drive_images(out: Path, count: int, batch: int, size: int, workers: int = 4) -> float:
    """Images that are not compressible into the shards of a run; returns the seconds."""
    pool = PlayedPool(workers, batch, lambda i: ImageResponse((Image(_image(i, size)),)))
    started = time.perf_counter()
    _drive(out, pool, count, batch, workers, image_shards=1000)
    return time.perf_counter() - started


def write_bare(file: Path, count: int, batch: int, size: int) -> float:
    """The same bytes into one file, synced after each batch; returns the seconds."""
    started = time.perf_counter()
    with file.open("wb", buffering=0) as stream:
        for start in range(0, count, batch):
            for i in range(start, min(start + batch, count)):
                stream.write(_image(i, size))
            os.fsync(stream.fileno())
    return time.perf_counter() - started


_NOISE = os.urandom(2**20)


def _image(i: int, size: int) -> bytes:
    """Bytes of a PNG's size, others for every number; nothing here decodes them."""
    return b"\x89PNG\r\n\x1a\n" + i.to_bytes(8, "big") + _NOISE[: size - 16]


def _drive(
    out: Path, pool: PlayedPool, count: int, batch: int, workers: int, image_shards: int | None = None
) -> None:
    metric = Metric("accuracy", headline=True)
    info = TaskInfo("t", "1", "image", "test", "plain", "official", (metric,))
    record = TaskRecord(key="t", info=info, data_fingerprint="x", total=count, available=count)
    spec = RunSpec(model=ModelSpec(name="played"), tasks=(TaskSpec(name="t"),))
    options = ExecutionOptions(batch_size=batch, image_shards=image_shards)
    samples = (Sample(str(i), None) for i in range(count))
    with RunWriter.open(out, spec, [record], options) as writer:
        ledger = Ledger(cut("t", samples, lease_size(batch), weigh=held_bytes, most=2**26))
        behind = min(16, workers)
        Driver(
            pool, ledger, writer, NullProgress(), lambda worker: (), {"t": set()}, behind=behind,
            prepare=writer.prepare,
        ).run()  # fmt: skip
