"""The two sides of a comparison: which runs measured which task, and whether both measured alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from evalsuite.errors import SpecError, StoreError
from evalsuite.leaderboards.frame import open_runs
from evalsuite.model.steps import Place
from evalsuite.store import RunReader, TaskResult
from evalsuite.store.forms import form_of

Aspect = Literal["version", "protocol", "rules", "judge", "split", "data", "scorer", "form", "seed", "limit"]
"""What makes two numbers incomparable unless the user allows it."""
ASPECTS: tuple[str, ...] = get_args(Aspect)


class HasPath(Protocol):
    """A run that was loaded (`evalsuite.load_run`)."""

    @property
    def path(self) -> Path: ...


Where = Path | str | HasPath
"""A run, or a folder with runs in it."""


def paths_of(given: Where | Iterable[Where]) -> list[Path]:
    """The folders, one or several."""
    if isinstance(given, Path | str):
        return [Path(given)]
    if isinstance(given, Iterable):
        return [path for one in given for path in paths_of(one)]
    return [given.path]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One task in one run.

    Args:
        by_judge: the results by judge where one judged, `result` among them.
    """

    run: RunReader
    result: TaskResult
    by_judge: dict[str, TaskResult] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The task's name in the run."""
        return self.result.task


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison.

    Args:
        name: of its model.
        paths: its runs.
        tasks: by the task's name in the runs; several runs are repetitions with different seeds, of the
            sampling or of the training.
        unscored: tasks that were asked but have no scores.
    """

    name: str
    paths: tuple[Path, ...]
    tasks: dict[str, tuple[Measurement, ...]]
    unscored: tuple[str, ...] = field(default=())


def open_side(paths: Sequence[Path], stack: ExitStack) -> Side:
    """The runs in `paths` (runs, or folders with runs in them at any depth) as one side.

    Only the scores by the rules of each run's own specification count. Different weights are one model where
    every run says that they are one series of trainings with different seeds, at the same step.

    Raises:
        StoreError: there is no run, or none is scored.
        SpecError: runs of different models, or two runs of one task with the same seeds.
    """
    readers = open_runs(list(paths))
    for reader in readers:
        stack.enter_context(reader)
    where = ", ".join(map(str, paths))
    scored = [reader for reader in readers if reader.metrics()]
    models = {_model_of(reader) for reader in scored}
    series = _series(scored) if len(models) > 1 else ""
    if len(models) > 1 and not series:
        names = ", ".join(sorted(f"{name} ({digest[:8]})" for name, digest in models))
        raise SpecError(
            f"{where} holds runs of several models: {names}.",
            "Compare one with one: name a single run. Trainings with different seeds are repetitions if the "
            "runs say so: `evalsuite run … --series NAME --train-seed N`, also of a run that is complete.",
        )
    tasks: dict[str, tuple[Measurement, ...]] = {}
    unscored: list[str] = []
    for reader in readers:
        results = reader.metrics()
        for record in reader.manifest.tasks:
            wanted = (record.key, record.info.rules)
            usable = [r for r in results if (r.task, r.rules) == wanted and r.n and r.estimates]
            if usable:
                one = Measurement(reader, usable[0], {r.judge: r for r in usable})
                tasks[record.key] = (*tasks.get(record.key, ()), one)
            else:
                unscored.append(record.key)
    if not tasks and (without := sum(result.failures for r in readers for result in r.metrics())):
        raise StoreError(
            f"No task in {where} has scored samples: {without} have none.",
            "`evalsuite runs show` shows why; `evalsuite run --retry-failed` retries them.",
        )
    if not tasks:
        raise StoreError(f"No task in {where} has scored samples.", "Finish it, or `evalsuite score RUN`.")
    for key, measured in tasks.items():
        seeds = [(_model_of(one.run), one.result.seed) for one in measured]
        if len(set(seeds)) < len(seeds):
            runs = ", ".join(str(one.run.path) for one in measured)
            raise SpecError(
                f"{key} was measured twice with the same seed: {runs}.",
                "Name one of the runs; several count as repetitions only with different seeds.",
            )
        _check_alike(key, measured)
    return Side(
        series or readers[0].model_name,
        tuple(reader.path for reader in readers),
        tasks,
        tuple(key for key in dict.fromkeys(unscored) if key not in tasks),
    )


def _model_of(run: RunReader) -> tuple[str, str]:
    """Name and fingerprint of a run's model."""
    return run.model_name, run.manifest.model.fingerprint if run.manifest.model else ""


def _series(runs: Sequence[RunReader]) -> str:
    """The series of trainings that these runs' models are, one for each seed; empty where they are not."""
    places = {_model_of(run): run.place or Place() for run in runs}
    known = {(place.series, place.step) for place in places.values()}
    seeds = {place.seed for place in places.values()}
    if len(known) > 1 or None in seeds or len(seeds) < len(places):
        return ""
    return next(iter(known))[0]


def with_same_judges(base: Side, candidate: Side) -> tuple[Side, Side]:
    """Both sides with the results of one and the same judge, for each task that has such a judge in all
    runs."""
    chosen: dict[str, str] = {}
    for key in base.tasks.keys() & candidate.tasks.keys():
        measured = (*base.tasks[key], *candidate.tasks[key])
        common = [judge for judge in measured[0].by_judge if all(judge in one.by_judge for one in measured)]
        if common:
            chosen[key] = common[0]

    def judged(side: Side) -> Side:
        tasks = {
            key: tuple(
                replace(one, result=one.by_judge[chosen[key]]) if key in chosen else one for one in measured
            )
            for key, measured in side.tasks.items()
        }
        return replace(side, tasks=tasks)

    return judged(base), judged(candidate)


def _check_alike(key: str, measured: Sequence[Measurement]) -> None:
    for other in measured[1:]:
        different = [
            line for aspect, line in differences(measured[:1], (other,)).items() if aspect not in ("seed",)
        ]
        if different:
            raise SpecError(
                f"{key}: {measured[0].run.path} and {other.run.path} are not repetitions: "
                f"{'; '.join(different)}.",
                "Name a single run.",
            )


def differences(base: Sequence[Measurement], candidate: Sequence[Measurement]) -> dict[str, str]:
    """What was done differently on both sides of one task: aspect -> one line."""
    found: dict[str, str] = {}
    first, second = base[0].result, candidate[0].result
    for aspect in ("version", "protocol", "rules", "judge", "split"):
        a, b = getattr(first.info, aspect), getattr(second.info, aspect)
        if a != b:
            found[aspect] = f"{aspect} {a or 'none'} against {b or 'none'}"
    if first.data_fingerprint != second.data_fingerprint:
        found["data"] = f"data {first.data_fingerprint[:12]} against {second.data_fingerprint[:12]}"
    if _scorer(first.details) != _scorer(second.details):
        a, b = _scorer(first.details), _scorer(second.details)
        names = ", ".join(name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name))
        found["scorer"] = f"scorer differs in {names}"
    a, b = (
        one.result.form or form_of(one.run.manifest.model, one.result.info.capability)
        for one in (base[0], candidate[0])
    )
    if a != b:
        found["form"] = f"form {a or 'usual'} against {b or 'usual'}"
    seeds = [sorted(one.result.seed for one in side) for side in (base, candidate)]
    if seeds[0] != seeds[1]:
        found["seed"] = f"seed {_listed(seeds[0])} against {_listed(seeds[1])}"
    if first.limit != second.limit:
        found["limit"] = f"limit {first.limit or 'none'} against {second.limit or 'none'}"
    return found


def _scorer(details: dict[str, Any]) -> dict[str, Any]:
    """What decides a score; where weights were read from does not, once their digest is known."""
    return {
        name: _scorer(value) if isinstance(value, dict) else value
        for name, value in details.items()
        if not (name == "source" and "sha256" in details) and name != "read"
    }


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
