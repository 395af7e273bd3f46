"""Workers as the driver sees them: what it sends, what comes back. No Ray in here.

A `Pool` has workers that have the model and run the request loop over leases: one, in the process itself
(`evalsuite.engine.local`), or many in other processes (`evalsuite.ray`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evalsuite.engine.findings import Findings
from evalsuite.engine.leases import Lease
from evalsuite.errors import EvalsuiteError
from evalsuite.model import ModelInfo
from evalsuite.request import Response
from evalsuite.store.records import Record

Begun = Mapping[str, tuple[Response, ...]]
"""Answers to the first steps of samples that were left half done, by sample id."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Where a worker runs and what it loaded, for the record.

    Args:
        worker: its number in the run.
        node: the machine, as the pool names it.
        host, pid: where to look for it.
        gpus: names and UUIDs of the GPUs that it sees.
        versions: of Python, evalsuite, torch, transformers …
        plugins: sha256 of each plugin file.
        model: what it loaded; its fingerprint must be the other workers'.
    """

    worker: int
    node: str
    host: str
    pid: int
    gpus: tuple[str, ...]
    versions: Mapping[str, str]
    plugins: Mapping[str, str]
    model: ModelInfo

    @property
    def gpu_kinds(self) -> frozenset[str]:
        """Names of its GPUs, without their UUIDs; empty on a CPU."""
        return frozenset(name.rpartition(" (")[0] or name for name in self.gpus)


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded the model."""

    info: WorkerInfo


@dataclass(frozen=True, slots=True)
class Refused:
    """A worker could not be made: its model does not load, or it has other code than the driver."""

    worker: int
    node: str
    error: EvalsuiteError


@dataclass(frozen=True, slots=True)
class Saved:
    """Records that a worker made, in their order."""

    worker: int
    ticket: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Noted:
    """Something a reader of the results should know."""

    worker: int
    task: str
    text: str


@dataclass(frozen=True, slots=True)
class Began:
    """A worker is about to ask a sample of a lease that it asks alone: a death now is this sample's."""

    worker: int
    ticket: int
    sample: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A worker is through with a lease."""

    worker: int
    ticket: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A worker can answer nothing more (UnavailableError), but was not killed."""

    worker: int
    reason: str


@dataclass(frozen=True, slots=True)
class Died:
    """A worker is gone. Everything it had sent came before, as `Saved`. `node` is empty where that is not
    known."""

    worker: int
    node: str
    reason: str
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing came from a worker that holds a lease for longer than the pool's limit."""

    worker: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a worker found out about batches, for the others."""

    worker: int
    findings: Findings


Event = Ready | Refused | Saved | Noted | Found | Began | Finished | Stopped | Died | Silent


class Pool(Protocol):
    """Workers, wherever they are."""

    @property
    def kind(self) -> str:
        """What it is, for the record (`ray 2.60.0, local`)."""
        ...

    @property
    def starting(self) -> int:
        """Workers that are being made."""
        ...

    def send(self, worker: int, lease: Lease, begun: Begun, findings: Findings) -> None:
        """Gives a worker a lease, and what others found out; it answers leases in the order in which they
        were sent."""
        ...

    def replace(self, avoid: frozenset[str]) -> bool:
        """Makes a new worker, not on these nodes; False when there is no room for one."""
        ...

    def events(self, timeout: float) -> Sequence[Event]:
        """What has happened; waits up to `timeout` seconds for something."""
        ...

    def close(self, grace: float) -> Iterable[Event]:
        """Ends all workers; batches that end within `grace` seconds still come."""
        ...
