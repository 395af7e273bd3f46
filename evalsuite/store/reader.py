"""Reading a run; works while it is being written and needs neither the model nor the benchmark's data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from evalsuite.errors import EvalsuiteError
from evalsuite.model.steps import Place, joined, place_of_model
from evalsuite.spec import RunSpec
from evalsuite.store import database, judgements, results
from evalsuite.store.features import FeatureFolder
from evalsuite.store.judgements import Judge, StoredJudgement
from evalsuite.store.layout import MANIFEST
from evalsuite.store.lock import is_written
from evalsuite.store.manifest import Manifest, read_manifest
from evalsuite.store.records import Counts, Note, Record
from evalsuite.store.results import TaskResult
from evalsuite.store.writer import tally

if TYPE_CHECKING:
    import pandas


class RunReader:
    """A run on disk.

    Args:
        path: its directory. Raises StoreError when it is no run, of another version, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.manifest: Manifest = read_manifest(self.path)
        self._connection = database.connect_for_reading(self.path)
        self.features = FeatureFolder(self.path)

    @property
    def spec(self) -> RunSpec:
        return self.manifest.spec

    @property
    def model_name(self) -> str:
        """As leaderboards show it; the name in the specification before the model was first loaded."""
        return self.manifest.model.name if self.manifest.model else self.manifest.spec.model.name

    @property
    def place(self) -> Place | None:
        """Where in a training the model's checkpoint stands: as recorded, else by its folder; None where
        neither says."""
        return joined(self.manifest.training, place_of_model(self.spec.model.name))

    @property
    def task_keys(self) -> tuple[str, ...]:
        return tuple(task.key for task in self.manifest.tasks)

    def records(self, task: str) -> Iterator[Record]:
        """Answered and failed requests of a task by sample id and step, lazily; images are paths into it."""
        self.manifest.task(task)
        return database.records(self._connection, self.path, task)

    def steps(self, task: str, sample: str) -> list[Record]:
        """The records of one sample in the order of their steps."""
        return list(database.records(self._connection, self.path, task, sample))

    def failures(self, task: str | None = None) -> list[Record]:
        """Failed requests of one task or of all."""
        keys = self.task_keys if task is None else (task,)
        found = (database.failures(self._connection, self.path, key) for key in keys)
        return [record for records in found for record in records]

    def answered(self, task: str) -> set[str]:
        """Samples all of whose steps are answered."""
        return database.finished(self._connection, self.path, task, failed=False)

    def statuses(self) -> tuple[str, ...]:
        """How each session ended: finished, interrupted, failed, killed; running while a process writes."""
        found = [session.status for session in self.manifest.sessions]
        running = is_written(self.path)
        last = len(found) - 1
        return tuple(
            "killed" if status == "running" and not (running and i == last) else status
            for i, status in enumerate(found)
        )

    def counts(self) -> dict[str, Counts]:
        """Per task: samples to be asked, answered, failed."""
        return tally(self.manifest, database.count(self._connection, self.path))

    def notes(self) -> list[Note]:
        """What the engine thought a reader of the results should know, oldest first."""
        return database.notes(self._connection, self.path)

    def judges(self, task: str) -> list[Judge]:
        """The judges that were asked about a task's answers, the earliest first."""
        return judgements.judges(self._connection, self.path, task)

    def judgements(self, judge: Judge, task: str) -> list[StoredJudgement]:
        """What a judge was asked about a task, and what it said."""
        return judgements.select(self._connection, self.path, judge, task)

    def scores(self, task: str, rules: str | None = None, judge: str | None = None) -> pandas.DataFrame:
        """One row per sample: `id, cluster, parsed, failure, value.NAME…, label.NAME…`.

        `rules` defaults to those of the run's specification, `judge` (a `TaskResult.judge`) to the first that
        the task was scored by. Raises StoreError when not scored by them.
        """
        rules = rules or self.manifest.task(task).info.rules
        if judge is None:
            scored = [
                result.judge for result in self.metrics() if (result.task, result.rules) == (task, rules)
            ]
            judge = scored[0] if scored else ""
        return results.read_scores(self.path, task, rules, judge)

    def metrics(self) -> list[TaskResult]:
        """The numbers per task and rules; empty when nothing is scored yet."""
        return results.read_results(self.path)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> RunReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def list_runs(paths: Iterable[Path]) -> tuple[list[RunReader], dict[Path, EvalsuiteError]]:
    """The runs among `paths` and directly inside them, and what could not be read, with the reason.

    A folder that is no run is looked into one level deep, so that `runs/` means all runs in it.
    """
    found: list[RunReader] = []
    broken: dict[Path, EvalsuiteError] = {}
    for path in paths:
        for candidate in _candidates(Path(path)):
            try:
                found.append(RunReader(candidate))
            except EvalsuiteError as error:
                broken[candidate] = error
    return found, broken


def _candidates(path: Path) -> list[Path]:
    if (path / MANIFEST).exists() or not path.is_dir():
        return [path]
    return sorted(child for child in path.iterdir() if (child / MANIFEST).exists())
