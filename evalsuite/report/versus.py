"""The pages of two models side by side: differences, samples that flipped, answers against references."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy

from evalsuite.comparison.checks import Compared
from evalsuite.comparison.wording import foot, p_text
from evalsuite.report.charts import Mark, Scale
from evalsuite.report.few import FewValues
from evalsuite.report.files import SampleFiles
from evalsuite.report.gathering import Answers, Page
from evalsuite.report.linking import samples_href
from evalsuite.report.pairs import Pair
from evalsuite.report.privacy import without_folders
from evalsuite.store import RunReader

_FLIPS = 6
"""Samples listed for each direction."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A page with the files of its samples."""

    page: Page
    files: SampleFiles


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """One number: on both sides, and the difference with its interval; `href` leads to its samples."""

    name: str
    base: str
    candidate: str
    difference: str
    interval: str
    p: str
    verdict: str
    n: str
    mark: Mark | None
    href: str = ""


@dataclass(frozen=True, slots=True)
class FlippedSample:
    """A sample whose score changed, with both scores as displayed."""

    id: str
    before: str
    after: str
    href: str


@dataclass(frozen=True, slots=True)
class Flips:
    """The samples that are better, or worse, with the candidate: how many, and the largest changes."""

    word: str
    count: int
    href: str
    samples: tuple[FlippedSample, ...]


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """How many samples, how strongly shaded in twelfths, and where they are."""

    count: int
    shade: int
    href: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts over two columns of texts."""

    title: str
    across: str
    down: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]


@dataclass(frozen=True, slots=True)
class TaskVersus:
    """One task of a pair."""

    anchor: str
    title: str
    href: str
    whole: DifferenceLine
    metric: str
    groups: Mapping[str, tuple[DifferenceLine, ...]]
    flips: tuple[Flips, ...]
    matrices: tuple[Matrix, ...]


@dataclass(frozen=True, slots=True)
class Versus:
    """One pair: its page."""

    slug: str
    base: str
    candidate: str
    tasks: tuple[TaskVersus, ...]
    notes: tuple[str, ...]
    better: int
    worse: int
    foot: str = ""


def versus(number: int, pair: Pair, pages: Sequence[Shown]) -> Versus:
    """The page of a pair."""
    if pair.comparison is None:
        return Versus(f"pair-{number}", pair.base.name, pair.candidate.name, (), pair.refused, 0, 0)
    rows = pair.comparison.rows
    heads = [row for row in rows if row.headline]
    percent = [row for row in heads if row.metric.scale == 100]
    scale = _scale(percent)
    tasks: list[TaskVersus] = []
    for row in heads:
        own = [other for other in rows if other.task == row.task and other.group]
        found = _place(pair, row, pages)
        tasks.append(_task(len(tasks), row, own, found, scale if row in percent else _scale([row])))
    verdicts = [row.verdict for row in heads]
    notes = (*pair.refused, *map(without_folders, pair.comparison.notes))
    return Versus(
        f"pair-{number}", pair.base.name, pair.candidate.name, tuple(tasks), notes,
        verdicts.count("better"), verdicts.count("worse"), foot(pair.comparison),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Samples:
    """Where a task's samples are: the page, and the columns of both sides on it."""

    shown: Shown
    base: int
    candidate: int

    def label(self, column: int) -> str:
        return self.shown.page.answers[column].label

    @property
    def usable(self) -> bool:
        return self.shown.files.count > 0

    def score(self, metric: str) -> int | None:
        """The place of the metric's scores by the run's own rules among the page's score columns."""
        return self.shown.files.place(self.shown.page.rules[0], metric)

    def href(self, **state: str | int | None) -> str:
        if not self.usable:
            return ""
        names = {"a": self.label(self.candidate), "b": self.label(self.base)}
        return samples_href(self.shown.page.slug, "../", **names, **state)


def _place(pair: Pair, row: Compared, pages: Sequence[Shown]) -> _Samples | None:
    for shown in pages:
        columns = [
            _column(shown.page.answers, side.readers, row.task) for side in (pair.base, pair.candidate)
        ]
        if columns[0] is not None and columns[1] is not None:
            return _Samples(shown, columns[0], columns[1])
    return None


def _column(answers: Sequence[Answers], readers: Sequence[RunReader], key: str) -> int | None:
    """The first of a side's runs on a page; None where it has none of the task."""
    own = [i for i, one in enumerate(answers) if one.key == key and any(one.reader is r for r in readers)]
    return own[0] if own else None


def _scale(rows: Sequence[Compared]) -> Scale:
    ends = [e for r in rows for e in (r.difference.value, r.difference.low, r.difference.high)]
    most = max((abs(end) for end in ends if math.isfinite(end)), default=0.0) or 1.0
    return Scale(-1.05 * most, 1.05 * most)


def _line(name: str, row: Compared, scale: Scale, href: str = "") -> DifferenceLine:
    found = row.difference
    return DifferenceLine(
        name, row.shown(found.a), row.shown(found.b), row.shown(found.value, signed=True), row.interval,
        p_text(row.p), row.verdict, f"{found.n:,}{'' if found.paired else ' unpaired'}",
        Mark.on(scale, found.value, found.low, found.high), href,
    )  # fmt: skip


def _task(
    number: int, row: Compared, groups: Sequence[Compared], samples: _Samples | None, scale: Scale
) -> TaskVersus:
    score = samples.score(row.metric.name) if samples else None
    labels: dict[str, list[DifferenceLine]] = {}
    of_groups = _scale(groups)
    for group in groups:
        label, _, value = group.group.partition("=")
        state = {f"label.{label}": value, "score": score or None}
        href = samples.href(**state) if samples else ""
        labels.setdefault(label, []).append(_line(value or "(none)", group, of_groups, href))
    page = samples.shown.page if samples else None
    return TaskVersus(
        f"task-{number}", page.title if page else row.task, f"../tasks/{page.slug}.html" if page else "",
        _line(row.task, row, scale, samples.href(score=score or None) if samples else ""),
        f"{row.metric.name} {'↑' if row.metric.higher_is_better else '↓'}",
        {label: tuple(sorted(lines, key=lambda one: one.name)) for label, lines in labels.items()},
        _flips(row, samples, score) if samples and score is not None and samples.usable else (),
        _matrices(samples) if samples and samples.usable else (),
    )  # fmt: skip


def _flips(row: Compared, samples: _Samples, score: int) -> tuple[Flips, ...]:
    columns = samples.shown.files.scores_at(score)
    before, after = (numpy.asarray(columns[i]) for i in (samples.base, samples.candidate))
    gain = (after - before) * (1 if row.metric.higher_is_better else -1)
    found = []
    for word, sign in (("better", 1), ("worse", -1)):
        places = numpy.flatnonzero(sign * gain > 0)
        largest = places[numpy.argsort(-sign * gain[places], kind="stable")][:_FLIPS]
        relation = {"relation": word, "score": score or None}
        listed = tuple(
            FlippedSample(
                samples.shown.files.ids[i], row.shown(float(before[i])), row.shown(float(after[i])),
                samples.href(**relation, sample=samples.shown.files.ids[i]),
            )
            for i in largest
        )  # fmt: skip
        found.append(Flips(word, len(places), samples.href(**relation), listed))
    return tuple(found)


def _matrices(samples: _Samples) -> tuple[Matrix, ...]:
    files = samples.shown.files
    base, candidate = files.answers[samples.base], files.answers[samples.candidate]
    found = []
    if _tells_apart(files.references):
        for column, answers in ((samples.base, base), (samples.candidate, candidate)):
            label = samples.label(column)
            if answers.usable:
                found.append(_against_reference(samples.shown, column, f"answers of {label}"))
    if base.usable and candidate.usable:
        title = f"{samples.label(samples.candidate)} against {samples.label(samples.base)}"
        found.append(
            _matrix(
                title, ("answer of " + samples.label(samples.base), base),
                ("answer of " + samples.label(samples.candidate), candidate),
                lambda down, across: samples.href(other=down, answer=across),
            )
        )  # fmt: skip
    return tuple(found)


def confusions(shown: Shown) -> list[Matrix]:
    """For a task's page: references against the answers of each run, where there are few of both."""
    if not _tells_apart(shown.files.references):
        return []
    return [
        _against_reference(shown, column, answers.label)
        for column, answers in enumerate(shown.page.answers)
        if shown.files.answers[column].usable
    ]


def _tells_apart(references: FewValues) -> bool:
    """Whether there are few references, and more than one."""
    return references.usable and len(references.texts) > 2


def _against_reference(shown: Shown, column: int, title: str) -> Matrix:
    label = shown.page.answers[column].label
    return _matrix(
        title, ("reference", shown.files.references), ("answer", shown.files.answers[column]),
        lambda down, across: samples_href(shown.page.slug, a=label, reference=down, answer=across),
    )  # fmt: skip


def _matrix(
    title: str,
    down: tuple[str, FewValues],
    across: tuple[str, FewValues],
    href: Callable[[str, str], str],
) -> Matrix:
    rows, columns = down[1].texts, across[1].texts
    counts = numpy.zeros((len(rows), len(columns)), int)
    numpy.add.at(counts, (numpy.asarray(down[1].codes), numpy.asarray(across[1].codes)), 1)
    most = max(int(counts[1:, 1:].max()), 1)
    # Texts that both have come first, in the same order, so that agreement is on the diagonal.
    shared = sorted(set(rows[1:]) & set(columns[1:]))
    names = [[*shared, *sorted(set(texts[1:]) - set(shared))] for texts in (rows, columns)]
    table = []
    for row in names[0]:
        cells = []
        for column in names[1]:
            count = int(counts[rows.index(row), columns.index(column)])
            shade = math.ceil(12 * count / most)
            cells.append(MatrixCell(count, shade, href(row, column) if count else ""))
        table.append((row, tuple(cells)))
    return Matrix(title, across[0], down[0], tuple(names[1]), tuple(table))
