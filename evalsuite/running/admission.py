"""Which workers get work: those with the code, the weights and, where asked for, the GPUs of the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from evalsuite.engine.pool import WorkerInfo
from evalsuite.errors import CheckpointError, SpecError
from evalsuite.store.environment import collect
from evalsuite.store.manifest import Environment


@dataclass
class Gate:
    """Compares each worker with the driver's code and with the first worker's model.

    Args:
        plugins: files that driver and workers must have alike.
        same_gpus: refuse workers with another kind of GPU than the first; otherwise they are noted.
        on_first: called with the first worker; what it raises refuses that worker.
    """

    plugins: Sequence[Path]
    same_gpus: bool
    on_first: Callable[[WorkerInfo], None]
    _first: WorkerInfo | None = None
    _gpus: frozenset[str] = frozenset()

    @cached_property
    def _driver(self) -> Environment:
        """Looked at once: with many workers it would cost more than their first answers."""
        return collect(self.plugins)

    def admit(self, info: WorkerInfo) -> list[str]:
        """Notes on the worker.

        Raises CheckpointError or SpecError, with what differs, for a worker that gets no work.
        """
        here = self._driver
        if info.versions.get("evalsuite") != here.packages.get("evalsuite"):
            raise SpecError(
                f"It has evalsuite {info.versions.get('evalsuite')}, "
                f"the driver {here.packages.get('evalsuite')}.",
                "Install the same version on all machines.",
            )
        changed = [name for name, digest in here.plugins.items() if info.plugins.get(name) != digest]
        if changed:
            raise SpecError(f"Its plugin {changed[0]} differs from the driver's.", "Copy the driver's there.")
        if self._first is None:
            self.on_first(info)
            self._first = info
        if info.model.fingerprint != self._first.model.fingerprint:
            raise CheckpointError(
                f"It loaded other weights (fingerprint {info.model.fingerprint[:12]}…, worker "
                f"{self._first.worker} has {self._first.model.fingerprint[:12]}…).",
                "Give all machines the same checkpoint.",
            )
        notes = []
        if self._gpus and info.gpu_kinds and info.gpu_kinds != self._gpus:
            kinds = sorted(info.gpu_kinds | self._gpus)
            if self.same_gpus:
                raise SpecError(
                    f"Its GPU is of another kind ({', '.join(sorted(info.gpu_kinds))}).",
                    "Leave out --same-gpus.",
                )
            notes.append(f"answers come from several kinds of GPU: {', '.join(kinds)}")
        self._gpus |= info.gpu_kinds
        return notes
