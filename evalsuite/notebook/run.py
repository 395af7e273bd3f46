"""A run on disk, for notebooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SpecError, suggest
from evalsuite.notebook.sample import SampleView, judges_of, views
from evalsuite.registry import Registry
from evalsuite.spec import RunSpec
from evalsuite.store import Counts, Manifest, RunReader

if TYPE_CHECKING:
    import datasets
    import pandas


def load_run(path: Path | str, registry: Registry | None = None) -> Run:
    """A run, finished or not.

    Args:
        path: its folder.
        registry: where tasks are found for prompts and references; None loads installed plugins and those of
            the run.

    Raises:
        StoreError: it is no run.
    """
    return Run(Path(path), registry)


class Run:
    """A run on disk. Read again on every access, so that a run in progress is seen as it grows."""

    def __init__(self, path: Path, registry: Registry | None = None) -> None:
        self.path = path
        self._registry = registry
        self.manifest  # noqa: B018 - a folder that is no run is an error now, not later

    @property
    def manifest(self) -> Manifest:
        """All of `run.json`: specification, tasks, software, hardware, sessions."""
        from evalsuite.store import read_manifest

        return read_manifest(self.path)

    @property
    def spec(self) -> RunSpec:
        """What was asked for."""
        return self.manifest.spec

    @property
    def model(self) -> str:
        """The model as leaderboards show it."""
        with RunReader(self.path) as reader:
            return reader.model_name

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks in this run."""
        return tuple(task.key for task in self.manifest.tasks)

    @property
    def counts(self) -> dict[str, Counts]:
        """Per task: samples to be asked, answered, failed."""
        with RunReader(self.path) as reader:
            return reader.counts()

    @property
    def metrics(self) -> pandas.DataFrame:
        """All numbers with their intervals, one row each; empty when nothing is scored.

        `value`, `low` and `high` are in natural units; display multiplies by `scale`. The columns are
        `evalsuite.leaderboards.COLUMNS`.
        """
        from evalsuite.leaderboards import frame_of
        from evalsuite.notebook.frames import TidyFrame

        with RunReader(self.path) as reader:
            return TidyFrame(frame_of([reader]))

    def scores(
        self, task: str | None = None, rules: str | None = None, judge: str | None = None
    ) -> pandas.DataFrame:
        """One row per sample, by its id: `cluster`, `parsed`, `failure`, a column per score and per label.

        A score and a label of the same name keep `value.` and `label.` in front.

        Args:
            task: may be left out where the run has one.
            rules: named scoring rules; those of the run's specification by default.
            judge: whose judgements; may be left out where one model judged.

        Raises:
            SpecError: the run has no such task, or several judges of it.
            StoreError: the task is not scored by these rules.
        """
        from evalsuite.notebook.frames import TidyFrame

        with RunReader(self.path) as reader:
            key = self._key(task)
            if judge is None:
                judges = judges_of(reader, key, rules or self.manifest.task(key).info.rules)
                if len(judges) > 1:
                    raise SpecError(f"{key} has several judges.", f"Name one of: {', '.join(judges)}.")
                judge = judges[0] if judges else None
            table = reader.scores(key, rules, judge).set_index("id")
        bare = [str(column).partition(".")[2] or str(column) for column in table.columns]
        table.columns = [
            short if bare.count(short) == 1 else str(column)
            for short, column in zip(bare, table.columns, strict=True)
        ]
        return TidyFrame(table)

    def sample(self, task: str, id: str | None = None) -> SampleView:
        """One sample with its prompt, images, answers, reference and scores; shows itself in Jupyter.

        Args:
            task: may be left out where the run has one: `run.sample(id)`.
            id: the sample's id, as in `run.scores(task).index`.

        Raises:
            SpecError: the run has no such task, or no answer to such a sample.
        """
        key, name = (self._key(None), task) if id is None else (self._key(task), str(id))
        with RunReader(self.path) as reader:
            found = next(views(reader, key, [name], self._registry), None)
            if found is None:
                known = reader.answered(key)
                raise SpecError(f"{key} has no answer to a sample {name!r}.", _some(name, known))
        return found

    def samples(
        self,
        task: str | None = None,
        where: str | Callable[[pandas.DataFrame], Any] | None = None,
        limit: int | None = 50,
    ) -> list[SampleView]:
        """The samples of a task whose scores answer to `where`, in the order of `scores`.

        Args:
            task: may be left out where the run has one.
            where: an expression of `DataFrame.query` over the columns of `scores`, e.g.
                `"accuracy < 0.5 and answer_type == 'number'"`, or a function from that frame to a mask.
            limit: maximum number of samples; None for all.

        Raises:
            SpecError: the run has no such task, or `where` names an unknown column.
        """
        key = self._key(task)
        scores = self.scores(key)
        if callable(where):
            scores = scores[where(scores)]
        elif where:
            scores = _query(scores, where)
        with RunReader(self.path) as reader:
            return list(views(reader, key, map(str, scores.index[:limit]), self._registry))

    def to_dataset(
        self, task: str | None = None, *, prompts: bool = True, images: bool = True
    ) -> datasets.Dataset:
        """The samples of a task as a `datasets.Dataset`, in memory, in the order of their ids.

        Columns: `id`, `answer`, `parsed`, `failure`, `prompt`, `reference` (text), `score.NAME` (float),
        `label.NAME` (text), and of tasks that generate images `images` (a list of `datasets.Image`).

        Args:
            task: may be left out where the run has one.
            prompts: also what was asked and what was expected; benchmarks' licences may not allow sharing it.
            images: also the generated images.

        Raises:
            SpecError: the run has no such task, or several.
        """
        from evalsuite.hub.samples import dataset_of

        with RunReader(self.path) as reader:
            return dataset_of(
                reader, self._key(task), prompts=prompts, images=images, registry=self._registry
            )

    def _key(self, task: str | None) -> str:
        tasks = self.tasks
        if task is None:
            if len(tasks) != 1:
                raise SpecError(f"{self.path} has several tasks.", f"Name one of: {', '.join(tasks)}.")
            return tasks[0]
        if task not in tasks:
            raise SpecError(f"{self.path} has no task {task!r}.", suggest(task, tasks))
        return task

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}: {self.model}, {', '.join(self.tasks)})"

    def _repr_html_(self) -> str:
        from evalsuite.leaderboards import frame_of
        from evalsuite.notebook.html import page, table, text

        rows = []
        with RunReader(self.path) as reader:
            metrics = frame_of([reader], unscored=True)
        for key, count in self.counts.items():
            name = self.manifest.task(key).info.name
            found = metrics[(metrics["task"] == name) & metrics["headline"] & (metrics["group"] == "")]
            metric, told, ends, remarks = "", "not scored", "", ""
            if len(found):
                row = found.iloc[0]
                remarks = str(row["remarks"])
            if len(found) and row["value"] == row["value"]:  # not NaN
                value, low, high = (row[end] * row["scale"] for end in ("value", "low", "high"))
                digits = int(row["digits"])
                metric, told = str(row["metric"]), f"{value:.{digits}f}{row['marks']}"
                ends = f"{low:.{digits}f}–{high:.{digits}f}" if low == low else ""
            rows.append(
                (
                    text(key),
                    text(metric),
                    text(told),
                    text(ends),
                    f"{count.answered} of {count.total}",
                    str(count.failed),
                    text(remarks),
                )
            )
        head = ("task", "metric", "value", "interval", "answered", "failed", "remarks")
        title = f"<div><b>{text(self.model)}</b> <span class='faint'>{text(self.path)}</span></div>"
        return page(title + table(head, rows))


def _query(scores: pandas.DataFrame, where: str) -> pandas.DataFrame:
    try:
        return scores.query(where, engine="python")
    except Exception as error:  # pandas raises whatever the expression does
        known = ", ".join(map(str, scores.columns))
        raise SpecError(f"where={where!r} cannot be evaluated ({error}).", f"Columns: {known}.") from error


def _some(name: str, known: Sequence[str] | set[str]) -> str:
    return suggest(name, known) if len(known) < 5000 else "See `run.scores(task).index`."
