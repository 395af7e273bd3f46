"""The one writer of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

import evalsuite
from evalsuite.content import Image
from evalsuite.errors import StoreError
from evalsuite.model import ModelInfo
from evalsuite.model.steps import Place, joined, place_of_model
from evalsuite.spec import ExecutionOptions, RunSpec
from evalsuite.store import codec, database, dropping, environment, judgements, lost, results
from evalsuite.store.codec import storable
from evalsuite.store.features import FeatureFolder
from evalsuite.store.filesystem import check_file_system
from evalsuite.store.image_sink import ImageSink
from evalsuite.store.judgements import Judge, StoredJudgement
from evalsuite.store.layout import MANIFEST, is_unused, reporting
from evalsuite.store.lock import WriterLock
from evalsuite.store.manifest import Manifest, Session, TaskRecord, WorkerRecord, read_manifest
from evalsuite.store.records import Counts, Note, Record
from evalsuite.store.results import TaskResult
from evalsuite.task import SampleScore


def check_usable(path: Path, spec: RunSpec) -> bool:
    """Whether a run of `spec` has begun at `path`, and is to be resumed; reads only.

    Raises StoreError for a foreign directory, another format version, or a run of another specification,
    then with the difference line by line.
    """
    if is_unused(path):
        # It is made when the model has been loaded; what would prevent that is reported before.
        nearest = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            raise StoreError(f"{path} cannot be made: {nearest} is not writable.", "Choose another --out.")
        return False
    if not path.is_dir():
        raise StoreError(f"{path} is a file, not a directory.", "Choose another --out.")
    if not (path / MANIFEST).exists():
        raise StoreError(f"{path} is not empty and not a run.", "Choose another --out.")
    _same("specification", path, _spec_difference(read_manifest(path).spec, spec))
    return True


def _spec_difference(stored: RunSpec, asked: RunSpec) -> list[str]:
    """Where data and plugins lie does not count: what they hold is compared by fingerprint and version."""
    return _without_places(stored).difference(_without_places(asked))


def _without_places(spec: RunSpec) -> RunSpec:
    tasks = tuple(task.model_copy(update={"data": None}) for task in spec.tasks)
    plugins = tuple(Path(path.name) for path in spec.plugins)
    return spec.model_copy(update={"tasks": tasks, "plugins": plugins})


def _same(what: str, path: Path, lines: Sequence[str]) -> None:
    if lines:
        raise StoreError(
            f"{path} holds a run of another {what} (stored -> asked for):\n  " + "\n  ".join(lines) + "\n",
            "Choose another --out or keep the stored settings; for other rules: `evalsuite score --rules`.",
        )


class RunWriter:
    """Writes a run; holds its lock from the moment it is made until it is closed.

    Use `open` to begin or continue measuring, `for_scoring` to score what is there.
    """

    def __init__(
        self, path: Path, lock: WriterLock, manifest: Manifest, image_shards: int | None = None
    ) -> None:
        self.path = path
        self.manifest = manifest
        self._lock = lock
        self._session_open = False
        self._connection = database.connect_for_writing(path, begun=manifest.model is not None)
        self._images = ImageSink(path, self._connection, image_shards)
        self.features = FeatureFolder(path, writable=True, check=lock.check)

    @classmethod
    def open(
        cls,
        path: Path,
        spec: RunSpec,
        tasks: Sequence[TaskRecord],
        execution: ExecutionOptions,
        place: Place | None = None,
    ) -> RunWriter:
        """Begins a run, or continues one of the same specification, tasks and data.

        Args:
            place: which step of which training the checkpoint is, as far as the user says; the rest is on
                record, or read from the checkpoint's folder.

        Raises StoreError for anything else, for another writer, a full disk or a damaged database.
        """
        check_usable(path, spec)
        with reporting(path):
            path.mkdir(parents=True, exist_ok=True)
        remark = check_file_system(path)
        lock = WriterLock(path)
        try:
            session = Session(
                started=_now(), execution=execution, environment=environment.collect(spec.plugins)
            )
            if (path / MANIFEST).exists():
                manifest = read_manifest(path)
                _same("specification", path, _spec_difference(manifest.spec, spec))
                _same("benchmark or data", path, _differences(manifest.tasks, tasks))
                sessions = (*map(_dead, manifest.sessions), session)
            else:
                manifest = Manifest(evalsuite=evalsuite.__version__, spec=spec, tasks=tuple(tasks))
                sessions = (session,)
            training = _placed(path, manifest.training, place, spec.model.name)
            manifest = manifest.model_copy(update={"spec": spec, "sessions": sessions, "training": training})
            manifest.write(path)
            writer = cls(path, lock, manifest, execution.image_shards)
            writer._session_open = True
            if remark:
                writer.note("", remark)
            return writer
        except BaseException:
            lock.release()
            raise

    @classmethod
    def for_scoring(cls, path: Path) -> RunWriter:
        """Opens an existing run to write scores into it; no session is recorded."""
        manifest = read_manifest(path)
        lock = WriterLock(path)
        try:
            return cls(path, lock, manifest)
        except BaseException:
            lock.release()
            raise

    def set_model(self, info: ModelInfo) -> None:
        """Records which model answers, and the GPUs, which only its library can name.

        Raises StoreError when earlier answers came from another, or with other files beside the weights.
        """
        known = self.manifest.model
        if known is not None and known.fingerprint != info.fingerprint:
            lines = [f"fingerprint: {known.fingerprint} -> {info.fingerprint}"]
            if known.name != info.name:
                lines.insert(0, f"name: {known.name} -> {info.name}")
            _same("model", self.path, lines)
        if known is not None:
            beside = [one.details.get("configuration") for one in (known, info)]
            if all(beside) and beside[0] != beside[1]:
                _same(
                    "tokenizer, template or preprocessing (files beside the weights)",
                    self.path,
                    [f"configuration: {beside[0]} -> {beside[1]}"],
                )
        *before, current = self.manifest.sessions
        here = current.environment.model_copy(
            update={"gpus": environment.gpus(), "numerics": environment.numerics()}
        )
        current = current.model_copy(update={"environment": here})
        info = replace(info, details=storable(info.details))
        self._update(model=info, sessions=(*before, current))

    def prepare(self, image: Image) -> None:
        """Digests an image that is going to be saved, in whatever thread, so that `save` need not."""
        self._images.prepare(image)

    def save(self, records: Iterable[Record]) -> None:
        """Makes records durable: images first, then all rows in one commit. When it returns, they count."""
        self._lock.check()
        put = self._images.put
        try:
            encoded = [(r, None if r.response is None else codec.encode(r.response, put)) for r in records]
            with self._images.commit() as places:
                self._lock.check()  # again, as near to the commit as can be: writing images takes a while
                database.insert(self._connection, self.path, encoded, places)
        except StoreError:
            self._lock.check()  # a folder that was moved meanwhile is the better reason
            raise

    def note(self, task: str, text: str) -> None:
        """Keeps something a reader of the results should know; the same note twice is kept once."""
        self._lock.check()
        database.add_note(self._connection, self.path, task, text)

    def discard_lost(self, task: str) -> int:
        """Forgets the answers of a task whose images are gone or damaged, so that they are generated again; a
        note says so. Returns how many samples that were."""
        self._lock.check()
        found = lost.find(self._connection, self.path, task)
        if found.samples:
            lost.forget(self._connection, self.path, task, found)
            self.note(
                task, f"images of {len(found.samples)} answered samples were lost; they are generated again"
            )
        return len(found.samples)

    def drop_worker(self, worker: int) -> dict[str, int]:
        """Removes what a worker answered, so that the run's command asks it again; a note says so.

        Returns how many samples that were, by task. Raises StoreError for a worker that the run does not
        know.
        """
        known = sorted({one.worker for session in self.manifest.sessions for one in session.workers})
        if worker not in known:
            has = f"workers {', '.join(map(str, known))}" if known else "none: one process answered it"
            raise StoreError(
                f"{self.path} has no worker {worker}.", f"It has {has}; see `evalsuite runs show`."
            )
        self._lock.check()
        found = dropping.drop(self._connection, self.path, worker)
        for task, count in found.items():
            self.note(
                task, f"answers of worker {worker} to {count} samples were dropped; they are asked again"
            )
        return found

    def finished(self, task: str, *, retry_failed: bool = False) -> set[str]:
        """Samples that are done; with `retry_failed`, those that failed are not among them."""
        return database.finished(self._connection, self.path, task, failed=not retry_failed)

    def begun(self, task: str) -> set[str]:
        """Samples some but not all of whose steps are answered."""
        return database.begun(self._connection, self.path, task)

    def steps(self, task: str, sample: str) -> list[Record]:
        """The records of one sample in the order of their steps."""
        return list(database.records(self._connection, self.path, task, sample))

    def answered(self, task: str) -> set[str]:
        """Samples all of whose steps are answered."""
        return database.finished(self._connection, self.path, task, failed=False)

    def notes(self) -> list[Note]:
        """What the engine thought a reader of the results should know, oldest first."""
        return database.notes(self._connection, self.path)

    def failures(self, task: str) -> list[Record]:
        """The failed requests of a task."""
        return list(database.failures(self._connection, self.path, task))

    def records(self, task: str) -> Iterator[Record]:
        """All records of a task by sample id and step, lazily."""
        return database.records(self._connection, self.path, task)

    def counts(self) -> dict[str, Counts]:
        """How far each task is."""
        return tally(self.manifest, database.count(self._connection, self.path))

    def save_judgement(self, judge: Judge, judgement: StoredJudgement) -> None:
        """Makes a judgement durable. When it returns, it counts."""
        self._lock.check()
        judgements.insert(self._connection, self.path, judge, judgement)

    def judges(self, task: str) -> list[Judge]:
        """The judges that were asked about a task's answers, the earliest first."""
        return judgements.judges(self._connection, self.path, task)

    def judgements(self, judge: Judge, task: str) -> list[StoredJudgement]:
        """What a judge was asked about a task, and what it said."""
        return judgements.select(self._connection, self.path, judge, task)

    def save_scores(self, task: str, rules: str, rows: Sequence[SampleScore], judge: str = "") -> None:
        """Writes the per-sample scores of a task."""
        self._lock.check()
        results.write_scores(self.path, task, rules, rows, judge)

    def save_results(self, found: Sequence[TaskResult]) -> None:
        """Puts the numbers into `metrics.json`."""
        self._lock.check()
        results.write_results(self.path, found)

    def set_workers(self, pool: str, lease_size: int, workers: Sequence[WorkerRecord]) -> None:
        """Records by which workers the current session is carried out."""
        *before, current = self.manifest.sessions
        current = current.model_copy(
            update={"pool": pool, "lease_size": lease_size, "workers": tuple(workers)}
        )
        self._update(sessions=(*before, current))

    def next_worker(self) -> int:
        """A number for a worker that no earlier session of this run has used."""
        used = [one.worker for session in self.manifest.sessions for one in session.workers]
        return max(used, default=-1) + 1

    def end_session(self, status: Literal["finished", "interrupted", "failed"]) -> None:
        """Notes in `run.json` when and how the current session ended."""
        *before, current = self.manifest.sessions
        ended = current.model_copy(update={"ended": _now(), "status": status})
        self._session_open = False
        self._update(sessions=(*before, ended))

    def close(self) -> None:
        """Folds the write-ahead log into the database, so that it is one file, and releases the lock."""
        try:
            with suppress(StoreError):
                self._images.close()
            with suppress(StoreError), reporting(self.path):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with suppress(StoreError), reporting(self.path):
                self._connection.close()
        finally:
            self._lock.release()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._session_open:
            with suppress(StoreError):  # the disk may be full: the first error is the one to report
                self.end_session("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        self.close()

    def _update(self, **changes: object) -> None:
        changed = self.manifest.model_copy(update=changes)
        if changed != self.manifest:
            self._lock.check()
            changed.write(self.path)
            self.manifest = changed


def _placed(path: Path, stored: Place | None, asked: Place | None, model: str) -> Place | None:
    """What is on record of the checkpoint's place, with what is new. Raises StoreError for another one."""
    lines = [
        f"{name}: {old} -> {new}"
        for name in ("step", "series", "seed")
        if (old := getattr(stored, name, None)) not in (None, "")
        and (new := getattr(asked, name, None)) not in (None, "")
        and old != new
    ]
    _same("step of training", path, lines)
    return joined(stored, asked, place_of_model(model))


def tally(manifest: Manifest, counted: dict[str, tuple[int, int]]) -> dict[str, Counts]:
    """Counts of every task of a run, those without any record included."""
    return {task.key: Counts(task.total, *counted.get(task.key, (0, 0))) for task in manifest.tasks}


_BESIDE = ("title", "source", "metrics", "count", "drawn")
"""Fields of a task's info that may change between versions: what is asked does not hang on them."""


def _differences(stored: Sequence[TaskRecord], asked: Sequence[TaskRecord]) -> list[str]:
    lines = []
    for ours, theirs in zip(stored, asked, strict=True):
        mine, other = ours.model_dump(mode="json"), theirs.model_dump(mode="json")
        for field, value in mine.pop("info").items():
            if other["info"][field] != value and field not in _BESIDE:
                lines.append(f"{ours.key}.{field}: {value!r} -> {other['info'][field]!r}")
        lines += [
            f"{ours.key}.{field}: {value!r} -> {other[field]!r}"
            for field, value in mine.items()
            if other[field] != value
        ]
    return lines


def _dead(session: Session) -> Session:
    """A session that says it is running while another has the lock was killed."""
    return session.model_copy(update={"status": "killed"}) if session.status == "running" else session


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
