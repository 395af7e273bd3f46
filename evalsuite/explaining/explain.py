"""Takes a stored number apart: measures what the stored answers allow, lists the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evalsuite.errors import EvalsuiteError, SpecError, suggest
from evalsuite.explaining.parts import Explanation, Part
from evalsuite.explaining.wording import wording_parts
from evalsuite.published import Publication, PublishedColumn, PublishedRow, find_table
from evalsuite.registry import Registry
from evalsuite.reproduction import Comparison, Found, compare, results_of
from evalsuite.request import TextResponse
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.running.scoring import StoredAnswers, compute
from evalsuite.spec import TaskSpec
from evalsuite.store import RunReader
from evalsuite.task import HasPostprocessors, Scores, Statistic, Task


@dataclass(frozen=True)
class _Number:
    """The number in question: which statistic of which scores."""

    run: RunReader
    key: str
    spec: TaskSpec
    task: Task
    metric: str
    group: str
    scale: float

    def value(self, scores: Scores) -> float | None:
        """The statistic's value in the table's unit; None where the scores have no such statistic."""
        for statistic in scores.statistics:
            if (statistic.metric.name, statistic.group) == (self.metric, self.group):
                return _point(statistic, scores) * self.scale
        return None


def explain_number(
    run: Path,
    task: str,
    registry: Registry,
    *,
    cell: str | None = None,
    publications: Mapping[str, Publication] | None = None,
    metric: str | None = None,
    others: Sequence[Path] = (),
) -> Explanation:
    """What a number of a run, or its difference from a published cell, is made of.

    Args:
        task: key of the task in the run.
        cell: `PUBLICATION/TABLE/ROW/COLUMN`.
        metric: instead of the column's, or the task's headline.
        others: runs, or folders of runs: those of the same model and task are measured against this one.

    Raises:
        StoreError: it is no run, or has no such task.
        SpecError: an unknown cell or metric, or a column of another task.
        DataError: the benchmark's data are not here, or have changed.
    """
    row, column, name = _cell(cell, publications or {})
    with RunReader(run) as reader:
        reader.manifest.task(task)
        spec = dict(zip(task_keys(reader.spec), reader.spec.tasks, strict=True))[task]
        _same_task(spec.name, column, cell)
        built = build_task(spec, registry)
        wanted = metric or (column.metric if column else "") or built.info.headline.name
        shown = next((m for m in built.info.metrics if m.name == wanted), None)
        if shown is None:
            known = [m.name for m in built.info.metrics]
            raise SpecError(f"{task} has no metric {wanted!r}.", suggest(wanted, known))
        number = _Number(reader, task, spec, built, wanted, column.group if column else "", shown.scale)
        scores, answers = compute(reader, task, built)
        value = number.value(scores)
        if value is None:
            reason = scores.missing.get(wanted, "nothing was answered")
            raise SpecError(f"{task} of {run} has no {wanted}: {reason}.", "Choose another --metric.")
        low, high, method = _interval(number, scores)
        results = [found for found in results_of([run]) if found.result.task == task]
        mine = next((found for found in results if found.result.rules == built.info.rules), None)
        compared = compare(row, name, column, mine) if row and column else None
        parts = [
            _sampling(value, low, high, method, scores),
            *_rules(number, value, registry),
            *_clean_ups(number, value),
            *_failures(number, scores, value, answers),
            *_unread(scores),
            *_cut_off(number, scores, value, answers),
            *(_wording(number, column, registry) if column else []),
            *(_other_runs(number, value, mine, others) if mine else []),
            *_circumstances(reader, row, column, compared),
        ]
    digits = column.digits if column else shown.digits
    label = f"{wanted} {number.group}".strip()
    return Explanation(str(run), task, label, value, low, high, digits, tuple(parts), compared)


def _cell(
    cell: str | None, known: Mapping[str, Publication]
) -> tuple[PublishedRow | None, PublishedColumn | None, str]:
    if cell is None:
        return None, None, ""
    parts = cell.split("/", 3)
    if len(parts) != 4:
        raise SpecError(f"{cell!r} is not a cell.", "Write PUBLICATION/TABLE/ROW/COLUMN.")
    publication, table, model, name = parts
    found = find_table(dict(known), f"{publication}/{table}").table
    row = found.row(model)
    if row is None:
        raise SpecError(
            f"{publication}/{table} has no row {model!r}.", suggest(model, [one.model for one in found.rows])
        )
    if name not in found.columns:
        raise SpecError(f"{publication}/{table} has no column {name!r}.", suggest(name, found.columns))
    return row, found.columns[name], name


def _same_task(task: str, column: PublishedColumn | None, cell: str | None) -> None:
    if column is None:
        return
    fitting = [column.task, *([column.instead.task] if column.instead else [])]
    if task not in fitting:
        raise SpecError(
            f"{cell} is measured by {' or '.join(filter(None, fitting)) or 'no task'}, not by {task}.",
            "Name a task of the run that fits, or another cell.",
        )


def _point(statistic: Statistic, scores: Scores) -> float:
    import numpy as np

    if not len(statistic.rows):
        return math.nan
    if statistic.function is not None:
        return float(statistic.function(np.arange(len(statistic.rows))))
    return float(np.mean([scores.rows[i].values[statistic.metric.name] for i in statistic.rows]))


def _interval(number: _Number, scores: Scores) -> tuple[float, float, str]:
    from evalsuite.stats import estimate

    chosen = [s for s in scores.statistics if (s.metric.name, s.group) == (number.metric, number.group)]
    found = estimate(Scores(scores.rows, chosen), seed=number.run.spec.seed)[0]
    return found.low * number.scale, found.high * number.scale, found.method


def _sampling(value: float, low: float, high: float, method: str, scores: Scores) -> Part:
    n = sum(not row.failure for row in scores.rows)
    if math.isnan(low):
        return Part("sampling", "listed", f"{n:,} samples, no interval ({method})")
    spread = max(value - low, high - value)
    return Part(
        "sampling",
        "measured",
        f"how far {n:,} other samples like these could move it ({method})",
        spread=spread,
    )


def _rules(number: _Number, value: float, registry: Registry) -> Iterator[Part]:
    for rules in registry.task(number.spec.name).rules:
        if rules != number.task.info.rules:
            build = partial(build_task, number.spec, registry, rules)
            yield _rescored(number, value, f"rules {rules}", "the same answers by these scoring rules", build)


def _clean_ups(number: _Number, value: float) -> Iterator[Part]:
    if isinstance(number.task, HasPostprocessors):
        for name, other in number.task.postprocessors().items():
            text = f"the same answers after the postprocessing: {name}"
            yield _rescored(number, value, "postprocessing", text, partial(_same, other))


def _same(task: Task) -> Task:
    return task


def _rescored(number: _Number, value: float, name: str, text: str, build: Callable[[], Task]) -> Part:
    try:
        scores, _ = compute(number.run, number.key, build())
    except EvalsuiteError as error:
        return Part(name, "listed", f"cannot be scored here: {error}")
    other = number.value(scores)
    if other is None:
        return Part(name, "listed", "gives no such number")
    return Part(name, "measured", text, other - value)


def _statistic(number: _Number, scores: Scores) -> Statistic:
    return next(s for s in scores.statistics if (s.metric.name, s.group) == (number.metric, number.group))


def _failures(number: _Number, scores: Scores, value: float, answers: StoredAnswers) -> Iterator[Part]:
    failed = sum(bool(row.failure) for row in scores.rows) + len(answers.failed)
    if not failed:
        return
    statistic = _statistic(number, scores)
    n = len(statistic.rows)
    text = f"{failed} samples have no score and count nowhere"
    if statistic.function is not None or number.group:
        yield Part("failed samples", "listed", text)
    else:
        yield Part("failed samples", "measured", f"{text}; counted as 0", value * n / (n + failed) - value)


def _unread(scores: Scores) -> Iterator[Part]:
    unread = sum(row.unread and not row.failure for row in scores.rows)
    if unread:
        text = f"{unread} answers could not be read by the rules; they count as the scorer counts them"
        yield Part("unread answers", "listed", text)


def _cut_off(number: _Number, scores: Scores, value: float, answers: StoredAnswers) -> Iterator[Part]:
    import numpy as np

    cut = {
        i
        for i, one in enumerate(answers)
        if any(isinstance(response, TextResponse) and response.truncated for response in one.responses)
    }
    statistic = _statistic(number, scores)
    whole = [at for at, i in enumerate(statistic.rows) if i not in cut]
    if not cut or not whole:
        return
    if statistic.function is not None:
        rest = float(statistic.function(np.array(whole)))
    else:
        rest = float(np.mean([scores.rows[statistic.rows[at]].values[number.metric] for at in whole]))
    yield Part(
        "cut-off answers",
        "measured",
        f"{len(cut)} answers ended at the limit of tokens; without these samples",
        rest * number.scale - value,
    )


def _wording(number: _Number, column: PublishedColumn, registry: Registry) -> list[Part]:
    if not column.protocol or column.protocol == number.task.info.protocol:
        return []
    try:
        theirs = build_task(number.spec.model_copy(update={"protocol": column.protocol}), registry)
        sample = next(iter(number.task.samples()))
        ours, other = number.task.request(sample), theirs.request(next(iter(theirs.samples())))
    except EvalsuiteError as error:
        return [Part("prompt", "listed", f"protocol {column.protocol} cannot be built here: {error}")]
    if ours is None or other is None:
        return []
    return wording_parts(ours, other, column.protocol)


_PLACES = frozenset({"source", "device"})


def _other_runs(number: _Number, value: float, mine: Found, others: Sequence[Path]) -> Iterator[Part]:
    """What other runs of the same weights on the same task did otherwise, one part a run."""
    if not others:
        return
    for one in results_of(list(others)):
        result, own = one.result, mine.result
        same = (one.fingerprint, result.info.name) == (mine.fingerprint, own.info.name)
        if not same or one.run.resolve() == mine.run.resolve():
            continue
        changed = [
            f"{what} {theirs} instead of {ours}"
            for what, ours, theirs in (
                ("protocol", own.info.protocol, result.info.protocol),
                ("rules", own.rules, result.rules),
                ("seed", own.seed, result.seed),
                ("limit", own.limit, result.limit),
                ("task version", own.info.version, result.info.version),
                ("data", own.data_fingerprint[:8], result.data_fingerprint[:8]),
            )
            if ours != theirs
        ]
        changed += [
            f"{what} {one.details.get(what, 'none')} instead of {mine.details.get(what, 'none')}"
            for what in sorted((one.details.keys() | mine.details.keys()) - _PLACES)
            if one.details.get(what) != mine.details.get(what)
        ]
        for estimate in result.numbers():
            if (estimate.metric.name, estimate.group) == (number.metric, number.group):
                text = f"{one.run}: {', '.join(changed) or 'the same once more'}"
                yield Part("another run", "measured", text, estimate.value * number.scale - value)


def _circumstances(
    reader: RunReader,
    row: PublishedRow | None,
    column: PublishedColumn | None,
    compared: Comparison | None,
) -> Iterator[Part]:
    """What no stored answer can measure."""
    if compared is not None and compared.verdict == "not comparable":
        for reason in compared.reasons:
            name, colon, text = reason.partition(": ")
            if colon and name not in ("unknown",):
                yield Part(name, "listed", text)
    if column is not None:
        for unknown in column.unknown:
            yield Part("not known", "listed", unknown)
        if column.note:
            yield Part("remark", "listed", column.note)
    if row is not None and row.note:
        yield Part("remark", "listed", row.note)
    model = reader.manifest.model
    if model is not None and model.details:
        yield Part("model and preprocessing", "listed", _listed(model.details))
    if reader.manifest.sessions:
        where = reader.manifest.sessions[-1].environment
        packages = {name: where.packages[name] for name in _PACKAGES if name in where.packages}
        device = ", ".join(where.gpus) or where.machine
        yield Part("software", "listed", f"{_listed(packages)} on {device}")


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


_PACKAGES = ("torch", "transformers", "diffusers", "tokenizers", "pillow", "numpy")
