"""`run.json`: what was asked for, of which model, on which data, with which software and hardware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalsuite.errors import StoreError
from evalsuite.model import ModelInfo
from evalsuite.model.steps import Place
from evalsuite.spec import ExecutionOptions, RunSpec
from evalsuite.store.layout import FORMAT, MANIFEST, reporting, write_durably
from evalsuite.task import TaskInfo


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class TaskRecord(_Part):
    """A task of the run; `key` is its name in the store: the benchmark's, with `@protocol` if it repeats."""

    key: str
    info: TaskInfo
    data_fingerprint: str
    total: int
    """Samples to be asked, after `limit`."""
    available: int
    """Samples the benchmark has."""


class Environment(_Part):
    """Where a session ran."""

    python: str
    packages: dict[str, str]
    git_commit: str = ""
    """Of evalsuite's own checkout; empty where it is installed."""
    git_dirty: bool = False
    machine: str
    cpus: int
    memory_gib: float | None = None
    gpus: tuple[str, ...] = ()
    numerics: dict[str, str] = Field(default_factory=dict)
    """Settings of torch that change what a GPU computes: TF32, cuDNN's choice of kernels, determinism."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """sha256 of each plugin file."""


class WorkerRecord(_Part):
    """A worker of a session that was spread over several."""

    worker: int
    """Its number, which stands at each answer that it gave."""
    node: str
    host: str = ""
    gpus: tuple[str, ...] = ()
    """Names and UUIDs."""
    versions: dict[str, str] = Field(default_factory=dict)
    fingerprint: str = ""
    """Of the model that it loaded."""
    answers: int = 0
    """Requests that it answered or failed."""
    ended: str = ""
    """`finished`, or how it died."""


class Session(_Part):
    """One start of the run; a run that was interrupted has several."""

    started: str
    ended: str = ""
    status: Literal["running", "finished", "interrupted", "failed", "killed"] = "running"
    """A session that was killed stays `running` until the next one begins; whether it still is, the lock
    says: `RunReader.statuses`."""
    execution: ExecutionOptions
    environment: Environment
    pool: str = ""
    """What the workers were managed by, and its version; empty where the process itself answered."""
    lease_size: int | None = None
    """Samples that were handed out together."""
    workers: tuple[WorkerRecord, ...] = ()


class Manifest(_Part):
    """The whole of `run.json`."""

    format: int = FORMAT
    evalsuite: str
    spec: RunSpec
    model: ModelInfo | None = None
    """None until the model has been loaded for the first time."""
    tasks: tuple[TaskRecord, ...]
    sessions: tuple[Session, ...] = ()
    training: Place | None = None
    """Which step of which training the checkpoint is; None where nothing said so."""

    def task(self, key: str) -> TaskRecord:
        """The task called `key`. Raises StoreError when the run has none."""
        for record in self.tasks:
            if record.key == key:
                return record
        raise StoreError(f"The run has no task {key!r}.", f"It has {', '.join(t.key for t in self.tasks)}.")

    def write(self, root: Path) -> None:
        write_durably(root / MANIFEST, self.model_dump_json(indent=1).encode())


def read_manifest(root: Path) -> Manifest:
    """Reads `run.json`. Raises StoreError when `root` is no run, or one of another format version."""
    file = root / MANIFEST
    if not root.exists():
        raise StoreError(f"{root} is not a run: there is no such folder.", "Check the path.")
    if not file.is_file():
        raise StoreError(
            f"{root} is not a run (it has no {MANIFEST}).",
            "Give a directory that `evalsuite run --out` made.",
        )
    with reporting(file):
        text = file.read_bytes()
    try:
        value: Any = json.loads(text)
        found = value["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(
            f"{file} is not a run's description ({type(error).__name__}: {error}).", "Restore it from a copy."
        ) from error
    if found != FORMAT:
        raise StoreError(
            f"{root} has run format {found}; this evalsuite reads format {FORMAT}.",
            f"Use evalsuite {value.get('evalsuite', 'of that version')} for it, or choose another --out.",
        )
    try:
        return Manifest.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(
            f"{file} is damaged at {where}: {first['msg']}.", "Restore it from a copy."
        ) from error
