"""How large a batch may be: a number, or found out and remembered per machine and model."""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from evalsuite.engine.batching import Scope
from evalsuite.engine.remembered import Remembered
from evalsuite.model import ModelInfo
from evalsuite.request import fingerprint

START = 8
"""The first batch where nothing is remembered."""
MOST = 256
"""No larger batch is tried: more brings no speed, and a window of requests has to wait for it."""

LEASE_BATCHES = 4
"""Batches to a lease."""

_log = logging.getLogger(__name__)


def lease_size(batch_size: int | str) -> int:
    """Samples of a lease: fixed by the batch size, never by the number of workers.

    `auto` may come to need `MOST` in one batch, and no batch is larger than its lease.
    """
    return MOST if isinstance(batch_size, str) else LEASE_BATCHES * batch_size


class BatchSizes(Protocol):
    """What the executor queries before a batch is cut, and updates after it has been run."""

    def limit(self, scope: Scope) -> int: ...

    def learn(self, scope: Scope, count: int, fits: int | None) -> None:
        """A batch of `count` has been run; `fits` is what memory was found to hold, None while all fitted."""
        ...


class FixedSize:
    """What the user said."""

    def __init__(self, count: int) -> None:
        self._count = count

    def limit(self, scope: Scope) -> int:
        return self._count

    def learn(self, scope: Scope, count: int, fits: int | None) -> None: ...


class GrowingSize:
    """Doubles after every full batch until memory is short, per task, device step and decoding.

    Args:
        memory: what earlier runs found; starts there.
        room: whether twice as much may be tried; on a CPU, where running out of memory kills the process.
    """

    def __init__(self, memory: SizeMemory | None = None, room: Callable[[], bool] = lambda: True) -> None:
        self._memory = memory
        self._room = room
        self._sizes: dict[str, int] = {}
        self._settled: set[str] = set()

    def limit(self, scope: Scope) -> int:
        key = _key(scope)
        if key not in self._sizes:
            remembered = self._memory.get(key) if self._memory is not None else None
            self._sizes[key] = remembered or START
            if remembered:
                self._settled.add(key)
        return self._sizes[key]

    def learn(self, scope: Scope, count: int, fits: int | None) -> None:
        key, size = _key(scope), self.limit(scope)
        if fits is not None and fits < size:
            self._settle(key, fits)
        elif key not in self._settled and count >= size:
            if size >= MOST or not self._room():
                self._settle(key, size)
            else:
                self._sizes[key] = min(MOST, 2 * size)

    def _settle(self, key: str, size: int) -> None:
        self._sizes[key] = size
        self._settled.add(key)
        _log.info("batch size %d", size)
        if self._memory is not None:
            self._memory.put(key, size)


class SizeMemory:
    """Batch sizes that were found, in a file of the user's cache; a damaged or read-only one is no error.

    Args:
        path: the file.
        model: sizes hold for this model, on this machine and device.
    """

    def __init__(self, path: Path, model: ModelInfo) -> None:
        owner = fingerprint([_machine(model.details), model.fingerprint, model.details.get("dtype", "")])
        self._sizes = Remembered(path, owner)

    def get(self, key: str) -> int | None:
        found = self._sizes.get(key)
        return found if isinstance(found, int) and found >= 1 else None

    def put(self, key: str, size: int) -> None:
        self._sizes.put(key, size)


def sizes_for(wanted: int | str, model: ModelInfo, cache: Path) -> BatchSizes:
    """The sizes that `--batch-size` means for this model.

    Args:
        wanted: a number, or `auto`.
        cache: folder where found sizes are kept.
    """
    if isinstance(wanted, int):
        return FixedSize(wanted)
    on_cpu = not str(model.details.get("device", "cpu")).startswith("cuda")
    room = _cpu_room() if on_cpu else lambda: True
    return GrowingSize(SizeMemory(cache / "batch-sizes.json", model), room)


def _cpu_room() -> Callable[[], bool]:
    """Whether the machine has twice the memory left that the process has grown by since now."""
    import psutil

    process = psutil.Process()
    before = process.memory_info().rss

    def room() -> bool:
        grown = max(0, process.memory_info().rss - before)
        return bool(psutil.virtual_memory().available > 2 * grown)

    return room


def _key(scope: Scope) -> str:
    return f"{scope.task} {scope.method} {scope.output}"


def _machine(details: Mapping[str, Any]) -> list[str]:
    """Which machine and device: a size found on one card says nothing about another."""
    device = str(details.get("device", "cpu"))
    torch = sys.modules.get("torch")
    if torch is not None and device.startswith("cuda") and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(device)
        return [platform.node(), properties.name, str(properties.total_memory)]
    return [platform.node(), device]
