"""Measuring what a table needs and is not stored, and the verdict on each of its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from evalsuite.engine import Progress
from evalsuite.errors import EvalsuiteError, SpecError, StoreError, suggest
from evalsuite.published import PublishedRow, PublishedTable
from evalsuite.registry import Registry
from evalsuite.reproduction.needs import Need, needs_of
from evalsuite.reproduction.stored import Found, best_for, results_of
from evalsuite.reproduction.verdict import Comparison, compare
from evalsuite.running import run
from evalsuite.running.scoring import score_run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, slug


@dataclass(frozen=True, slots=True)
class Subject:
    """A row of a table, and the model that is measured for it."""

    row: PublishedRow
    model: ModelSpec


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A table measured again.

    Args:
        needs: of each subject, by row.
        comparisons: of each subject's cells, in the table's order; empty after a dry run.
        errors: task of a row -> why it could not be measured.
    """

    needs: dict[str, list[Need]]
    comparisons: tuple[Comparison, ...] = ()
    errors: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 when a comparable cell differs, or something ready could not be measured; else 0."""
        return int(bool(self.errors) or any(one.verdict == "differs" for one in self.comparisons))


def subjects_of(
    table: PublishedTable,
    model: str | None = None,
    rows: Sequence[str] = (),
    *,
    options: Mapping[str, str] | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> list[Subject]:
    """Whom to measure: the given model for one row, or each row's own model.

    Args:
        model: compared with `rows[0]`, or with the table's subject.
        rows: only these. Without a model, all rows that say how to measure them.
        options: of `model`; rows that name their own model have none.
        device, dtype: of whatever is measured.

    Raises SpecError for an unknown row, several rows for one model, options of no model, and where no row has
    a model.
    """
    for name in rows:
        if table.row(name) is None:
            raise SpecError(
                f"The table has no row {name!r}.", suggest(name, [row.model for row in table.rows])
            )
    if model is not None:
        if len(rows) > 1:
            raise SpecError("One model is compared with one row.", "Give --row once.")
        row = table.row(rows[0] if rows else table.subject) or table.rows[0]
        return [Subject(row, ModelSpec(name=model, device=device, dtype=dtype, options=dict(options or {})))]
    if options:
        raise SpecError("Options are those of a model of yours, and none is named.", "Name it with --model.")
    chosen = [row for row in table.rows if row.measure and (not rows or row.model in rows)]
    if not chosen:
        raise SpecError("No such row says which model it is.", "Name yours with --model.")
    return [Subject(row, ModelSpec(name=row.measure, device=device, dtype=dtype)) for row in chosen]


def measure(
    table: PublishedTable,
    subjects: Sequence[Subject],
    registry: Registry,
    out: Path,
    *,
    columns: Sequence[str] = (),
    reuse: Iterable[Path] = (),
    seed: int | None = None,
    limit: int | None = None,
    plugins: tuple[Path, ...] = (),
    dry_run: bool = False,
    execution: ExecutionOptions | None = None,
    progress: Callable[[str], Progress] | None = None,
) -> Reproduction:
    """Plans, measures what is missing, and compares.

    Every task of every model is a run of its own below `out`, so that it can be stopped, and started again
    when more data are there.

    Args:
        columns: only these.
        reuse: runs, or folders of runs, whose results are used where they fit.
        seed: of what is measured, and then only results of this seed are used; None measures with 0 and uses
            results of any.
        dry_run: only plan.
        progress: makes the progress display of a run, from the model's name.

    Raises SpecError for an unknown column, StoreError where a path of `reuse` holds no run.
    """
    for name in columns:
        if name not in table.columns:
            raise SpecError(f"The table has no column {name!r}.", suggest(name, table.columns))
    wanted = list(columns) or list(table.columns)
    reuse = list(reuse)
    needs: dict[str, list[Need]] = {}
    errors: dict[tuple[str, str], str] = {}
    comparisons: list[Comparison] = []
    for subject in subjects:
        folder = out / slug(subject.model.name)
        stored = _stored(subject.model.name, reuse, folder, seed)
        can = registry.model(subject.model.name)[0].capabilities
        planned = needs_of(table, wanted, can, registry, stored, seed=seed or 0, limit=limit)
        needs[subject.row.model] = planned
        if dry_run:
            continue
        for need in planned:
            if need.state != "ready":
                continue
            spec = RunSpec(
                model=subject.model, tasks=(need.task,), seed=seed or 0, limit=limit, plugins=plugins
            )
            try:
                outcome = run(
                    spec,
                    folder / _name(need, seed or 0, limit),
                    execution,
                    registry,
                    progress(subject.model.name) if progress else None,
                )
            except EvalsuiteError as error:
                errors[subject.row.model, need.task.name] = str(error)
                continue
            errors.update({(subject.row.model, key): why for key, why in outcome.scoring_errors.items()})
        _score_again(subject, planned, _stored(subject.model.name, reuse, folder, seed), registry, errors)
        stored = _stored(subject.model.name, reuse, folder, seed)
        comparisons += _compared(table, subject, wanted, planned, errors, stored)
    return Reproduction(needs, tuple(comparisons), errors)


def _score_again(
    subject: Subject,
    needs: Sequence[Need],
    stored: Sequence[Found],
    registry: Registry,
    errors: dict[tuple[str, str], str],
) -> None:
    """Scores answers by the rules that columns name and their run was not scored by."""
    for need in needs:
        same = [one for one in stored if one.answers(need.task)]
        for rules in set(need.rules) - {one.result.rules for one in same}:
            for path in dict.fromkeys(one.run for one in same):
                try:
                    scored = score_run(path, rules, registry)
                    failed = scored.errors.get(need.task.name, "")
                except EvalsuiteError as error:
                    failed = str(error)
                if failed:
                    errors[subject.row.model, need.task.name] = failed


def _compared(
    table: PublishedTable,
    subject: Subject,
    columns: Sequence[str],
    needs: Sequence[Need],
    errors: dict[tuple[str, str], str],
    stored: Sequence[Found],
) -> list[Comparison]:
    reasons = {
        name: errors.get((subject.row.model, need.task.name), need.detail if need.state != "stored" else "")
        for need in needs
        for name in need.columns
    }
    return [
        compare(
            subject.row,
            name,
            table.columns[name],
            best_for(table.columns[name], stored) if table.columns[name].task else None,
            reasons.get(name, ""),
        )
        for name in columns
    ]


def _stored(model: str, reuse: Sequence[Path], folder: Path, seed: int | None) -> list[Found]:
    found = results_of(reuse, model) if reuse else []
    with suppress(StoreError):  # nothing was measured there yet
        found += results_of([folder], model)
    return [one for one in found if seed is None or one.result.seed == seed]


def _name(need: Need, seed: int, limit: int | None) -> str:
    """A folder for a need: task, protocol, options, seed and limit distinguish runs, so that a trial with a
    limit does not stand in the way of the whole."""
    parts = [
        need.task.name,
        need.task.protocol or "",
        *(f"{k}-{v}" for k, v in sorted(need.task.options.items())),
        f"limit-{limit}" if limit is not None else "",
        f"seed-{seed}" if seed else "",
    ]
    return "@".join(part for part in parts if part)
