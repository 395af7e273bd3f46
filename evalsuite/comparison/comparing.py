"""Two checkpoints side by side: differences with intervals, corrected verdicts, gates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.comparison.checks import (
    Check,
    Compared,
    checks_of,
    failures_checks,
    judged,
    missing_checks,
    null_of,
)
from evalsuite.comparison.gates import Gates, load_gates
from evalsuite.comparison.measuring import TaskPair
from evalsuite.comparison.remarks import notes_on
from evalsuite.comparison.sides import (
    ASPECTS,
    Measurement,
    Side,
    Where,
    differences,
    open_side,
    paths_of,
    with_same_judges,
)
from evalsuite.errors import SpecError, suggest
from evalsuite.registry import Registry
from evalsuite.task import Metric

if TYPE_CHECKING:
    import pandas

    from evalsuite.comparison.flips import Flip
    from evalsuite.notebook.plots import Plot

_REMEDIES = {
    "rules": "`evalsuite score RUN --rules NAME` makes them alike without the model.",
    "judge": "`evalsuite judge` asks the same judge about both.",
    "limit": "Then the samples that both subsets share are compared.",
}


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Args:
        base, candidate: names of the models.
        base_paths, candidate_paths: their runs.
        rows: headlines first come in the order of the tasks; then numbers named in gates or asked for.
        checks: the gates, in the order of the rows.
        notes: what a reader should know: what was allowed to differ, what is on one side only.
        gates: what was asked for.
    """

    base: str
    candidate: str
    base_paths: tuple[Path, ...]
    candidate_paths: tuple[Path, ...]
    rows: tuple[Compared, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    gates: Gates
    registry: Registry | None = field(default=None, repr=False)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that the candidate does not pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def passed(self) -> bool:
        """Every gate is passed."""
        return not self.failed

    @property
    def exit_code(self) -> int:
        """0 passed, 1 regression."""
        return int(not self.passed)

    @property
    def frame(self) -> pandas.DataFrame:
        """One row per number, in natural units; see `FRAME_COLUMNS`."""
        import pandas

        rows = [
            (
                row.task, row.metric.name, row.group, row.headline, row.difference.a, row.difference.b,
                row.difference.value, row.difference.low, row.difference.high, row.difference.p, row.p,
                row.verdict, row.difference.n, row.difference.better, row.difference.worse,
                row.difference.paired, row.metric.scale, row.metric.higher_is_better, row.difference.method,
            )
            for row in self.rows
        ]  # fmt: skip
        return pandas.DataFrame(rows, columns=list(FRAME_COLUMNS))

    def flips(self, task: str | None = None, most: int = 10) -> list[Flip]:
        """The samples whose score changed most, per task at most `most`; see `flips.flips_of`."""
        from evalsuite.comparison.flips import flips_of

        return flips_of(self, [task] if task else None, most)

    def figure(self) -> Plot:
        """The headlines' differences with their intervals; a notebook shows it, `save` writes it."""
        from evalsuite.notebook.plots import comparison_plot

        return comparison_plot(self)

    def _repr_html_(self) -> str:
        from evalsuite.comparison.html import comparison_html

        return comparison_html(self)


FRAME_COLUMNS = (
    "task", "metric", "group", "headline", "base", "candidate", "difference", "low", "high", "p",
    "p_corrected", "verdict", "n", "better", "worse", "paired", "scale", "higher_is_better", "method",
)  # fmt: skip


def compare(
    base: Where | Iterable[Where],
    candidate: Where | Iterable[Where],
    *,
    gates: Gates | Path | str | None = None,
    allow: Iterable[str] = (),
    allow_missing: Iterable[str] = (),
    tasks: Sequence[str] = (),
    all_metrics: bool = False,
    groups: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
    recompute: bool = True,
    registry: Registry | None = None,
) -> Comparison:
    """Compares a candidate with a base, task by task, on the same samples.

    Args:
        base, candidate: a run (its folder, or what `load_run` gives), a folder with runs in it, or several of
            these, of one model each. Several runs of one task with different seeds are repetitions: their
            scores are averaged, and the spread between seeds is part of the interval.
        gates: limits, or a TOML file with them; None: fail when a headline is shown to be worse.
        allow: what may differ between the sides (`version`, `protocol`, `rules`, `judge`, `split`, `data`,
            `scorer`, `seed`, `limit`), beside what the gates allow.
        allow_missing: tasks of the base, or numbers as `TASK/METRIC`, that the candidate may lack, beside
            what the gates allow; whatever else it lacks is a failed check.
        tasks: only these; all that both sides have when empty.
        all_metrics: every metric instead of each task's headline and those that gates name.
        groups: breakdowns too.
        resamples, seed: of bootstrap and permutation tests.
        recompute: whether corpus metrics and distances are computed again from the stored responses, for
            paired differences; False subtracts their stored values, as of independent samples: quick.
        registry: where tasks are found whose metrics need their data; None loads installed plugins.

    Raises:
        StoreError: a side has no scored run.
        SpecError: nothing in common; what differs is not allowed; gates or `tasks` name something unknown.
    """
    found = gates if isinstance(gates, Gates) else load_gates(Path(gates)) if gates else Gates()
    allowed = {*allow, *found.allow}
    for name in allowed:
        if name not in ASPECTS:
            raise SpecError(f"{name!r} is not a difference that can be allowed.", suggest(name, ASPECTS))
    with ExitStack() as stack:
        sides = with_same_judges(open_side(paths_of(base), stack), open_side(paths_of(candidate), stack))
        absent = {*allow_missing, *found.allow_missing}
        keys = _common(sides[0], sides[1], tasks, found, absent)
        different = {key: differences(sides[0].tasks[key], sides[1].tasks[key]) for key in keys}
        _refuse(different, allowed)
        rows: list[Compared] = []
        checks: list[Check] = []
        lost: dict[str, list[str]] = {}
        for key in keys:
            measured = sides[0].tasks[key], sides[1].tasks[key]
            pair = TaskPair(
                *measured, same_data=not different[key].keys() & {"data", "split", "version"},
                resamples=resamples, seed=seed, level=1 - found.alpha, registry=registry,
                recompute=recompute,
            )  # fmt: skip
            rows += _rows(key, pair, measured[1][0], found, all_metrics, groups)
            checks += failures_checks(key, *measured, found)
            lost[key] = _lost(pair, measured[0][0], all_metrics)
        checks += missing_checks(sides[0], sides[1], lost, tasks, absent)
        judged_rows = judged(rows, found)
        checks += [check for row in judged_rows for check in checks_of(row, found.alpha)]
        notes = notes_on(sides[0], sides[1], different, judged_rows)
    return Comparison(
        sides[0].name, sides[1].name, sides[0].paths, sides[1].paths, tuple(judged_rows), tuple(checks),
        tuple(notes), found, registry,
    )  # fmt: skip


def _common(
    base: Side, candidate: Side, tasks: Sequence[str], gates: Gates, absent: Collection[str]
) -> list[str]:
    common = [key for key in candidate.tasks if key in base.tasks]
    if not common:
        raise SpecError(
            f"The runs have no scored task in common: {', '.join(base.tasks)} against "
            f"{', '.join(candidate.tasks)}.",
            "Measure both on the same tasks.",
        )
    for name in tasks:
        if name not in common:
            raise SpecError(f"The runs have no task {name!r} in common.", suggest(name, common))
    for name in gates.tasks:
        if name not in common and name not in absent:
            one_sided = [s.name for s in (base, candidate) if name in s.tasks]
            where = f" (only {one_sided[0]} has it)" if one_sided else ""
            raise SpecError(
                f"Gates name the task {name!r}, which is not compared{where}.", suggest(name, common)
            )
    return [key for key in common if not tasks or key in tasks]


def _lost(pair: TaskPair, base: Measurement, all_metrics: bool) -> list[str]:
    """The metrics that only the base has, of those that are compared: the headline, or all."""
    known = {metric.name for metric, group in pair.metrics() if not group}
    whole = [e.metric.name for e in base.result.numbers() if not e.group]
    return [
        name
        for name in dict.fromkeys(whole)
        if name not in known and (all_metrics or name == base.result.info.headline.name)
    ]


def _refuse(different: dict[str, dict[str, str]], allowed: set[str]) -> None:
    refused = {
        key: {aspect: line for aspect, line in found.items() if aspect not in allowed}
        for key, found in different.items()
    }
    lines = [f"{key}: {', '.join(found.values())}" for key, found in refused.items() if found]
    if lines:
        aspects = list(dict.fromkeys(aspect for found in refused.values() for aspect in found))
        remedies = [_REMEDIES[aspect] for aspect in aspects if aspect in _REMEDIES]
        options = " ".join(f"--allow {aspect}" for aspect in aspects)
        raise SpecError(
            f"The runs were not measured alike. {'; '.join(lines)}.",
            " ".join([f"Measure both alike, or compare them nevertheless with {options}.", *remedies]),
        )


def _rows(
    key: str, pair: TaskPair, measured: Measurement, gates: Gates, all_metrics: bool, groups: bool
) -> list[Compared]:
    known = pair.metrics()
    named = _named(key, known, gates)
    headline = measured.result.info.headline.name
    if not any(metric.name == headline and not group for metric, group in known):
        # A headline that could not be computed (absent weights): what there is must do.
        headline = next((metric.name for metric, group in known if not group), "")
    rows = []
    for metric, group in known:
        first = metric.name == headline and not group
        wanted = (all_metrics or metric.name == headline) and (groups or not group)
        if not (first or wanted or (metric.name, group) in named):
            continue
        limits = gates.limits(key, metric.name, group, headline=first)
        found = pair.difference(metric.name, group, null_of(metric, limits))
        rows.append(Compared(key, metric, group, first, found, limits))
    return rows


def _named(key: str, known: Sequence[tuple[Metric, str]], gates: Gates) -> set[tuple[str, str]]:
    """What gates name in a task. Raises SpecError for what it does not have."""
    names = [(metric.name, group) for metric, group in known]
    for metric, group in gates.named(key):
        if metric not in {name for name, _ in names}:
            raise SpecError(
                f"Gates name the metric {metric!r}, which {key} does not have on both sides.",
                suggest(metric, {name for name, _ in names}),
            )
        if (metric, group) not in names:
            known_groups = {g for name, g in names if name == metric and g}
            raise SpecError(
                f"Gates name the group {group!r}, which {key} {metric} does not have.",
                suggest(group, known_groups),
            )
    return set(gates.named(key))
