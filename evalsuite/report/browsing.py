"""The data of a sample browser: full samples in pages, their short rows for lists, one index for filters.

A browser that opens a task loads the index; scrolling loads rows, opening a sample loads the page it is on.
While they are written, only the index's columns are in memory: a few bytes per sample and model.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite.report.describing import Describer, brief, first_picture, words_of
from evalsuite.report.encoding import pack, plain, to_json
from evalsuite.report.gathering import Page
from evalsuite.report.output import Output
from evalsuite.report.pictures import Pictures
from evalsuite.report.privacy import without_folders
from evalsuite.report.scores import Score, ScoreTable, tables
from evalsuite.report.walking import Step, Visit, asked, choose, walk
from evalsuite.task import Metric

ROWS = 500
"""Rows in one file; the browser finds a row's file by dividing."""

_SAMPLES, _BYTES = 40, 500_000
"""A page of full samples ends at so many samples or bytes, whichever comes first."""

_WORDS = 300
"""Characters of prompt, reference and each answer in a row: what lists show and free text finds."""

_MOST_VALUES = 200
"""A label with more values than this is no filter (an image's name)."""

ANSWERED, FAILED, ABSENT = 0, 1, 2
"""State of a sample in one run: scored or at least answered, failed with a reason, never asked."""


class SampleFiles:
    """Writes samples as they come, and at the end the index.

    Args:
        page_name: folder of the files inside `data/`.
        labels: the columns, one per run.
        keys: the score columns, `(rules, name)`.
    """

    def __init__(
        self, output: Output, page_name: str, labels: Sequence[str], keys: Sequence[tuple[str, str]]
    ) -> None:
        self._output = output
        self._name = page_name
        self._labels = list(labels)
        self._keys = list(keys)
        self._scores = [[array("d") for _ in labels] for _ in keys]
        self._states = [bytearray() for _ in labels]
        self._classes = [bytearray() for _ in labels]
        self._groups: dict[str, list[str | None]] = {}
        self._starts = [0]
        self._ids: list[str] = []
        self._page: list[str] = []
        self._bytes = 0
        self._rows: list[str] = []

    @property
    def count(self) -> int:
        return len(self._ids)

    def add(
        self,
        sample: Mapping[str, Any],
        row: Sequence[Any],
        *,
        labels: Mapping[str, str],
        scores: Mapping[tuple[int, int], float],
        states: Sequence[int],
        classes: Sequence[int],
    ) -> None:
        """Takes one sample.

        Args:
            sample: everything its page shows.
            row: what lists show of it; the id comes first.
            labels: for filters.
            scores: value by place in `keys` and column.
            states: per column, one of the constants above.
            classes: per column, equal where answers are equal.
        """
        text = to_json(sample)
        if self._page and (len(self._page) >= _SAMPLES or self._bytes + len(text) > _BYTES):
            self._end_page()
        self._page.append(text)
        self._bytes += len(text)
        for name in labels:
            if name not in self._groups:
                self._groups[name] = [None] * len(self._ids)
        for name, values in self._groups.items():
            values.append(labels.get(name))
        for i, columns in enumerate(self._scores):
            for j, column in enumerate(columns):
                column.append(scores.get((i, j), float("nan")))
        for j in range(len(self._labels)):
            self._states[j].append(states[j])
            self._classes[j].append(classes[j])
        self._ids.append(str(row[0]))
        self._rows.append(to_json(row))
        if len(self._rows) == ROWS:
            self._end_rows()

    def finish(self, about: Mapping[str, Any], metrics: Mapping[str, Metric]) -> dict[str, Any]:
        """Writes the rest and the index, and gives the index's small parts. `about` is put into it."""
        if self._page:
            self._end_page()
        if self._rows:
            self._end_rows()
        scores = []
        for (rules, name), columns in zip(self._keys, self._scores, strict=True):
            metric = metrics.get(name, Metric(name, digits=3))
            data = [pack([None if v != v else round(v, 6) for v in column]) for column in columns]
            scores.append(
                {
                    "rules": rules,
                    "name": name,
                    "scale": metric.scale,
                    "digits": metric.digits,
                    "higher": metric.higher_is_better,
                    "data": data,
                }
            )
        groups = {
            name: pack(values)
            for name, values in self._groups.items()
            if 1 < len(set(values)) <= _MOST_VALUES
        }
        index = {
            **about,
            "count": self.count,
            "columns": self._labels,
            "rows": ROWS,
            "starts": self._starts[:-1],
            "labels": groups,
            "scores": scores,
            "states": [pack(state) for state in self._states],
            "classes": [pack(column) for column in self._classes],
        }
        self._output.write_data(f"{self._name}/index", to_json(index))
        self._output.write_data(f"{self._name}/ids", to_json(self._ids))
        return index

    def values(self, key: int, column: int) -> Sequence[float]:
        """All scores of a column in the order of the samples; NaN where there is none."""
        return self._scores[key][column]

    def _end_page(self) -> None:
        self._output.write_data(f"{self._name}/samples-{len(self._starts) - 1}", f"[{','.join(self._page)}]")
        self._starts.append(self._starts[-1] + len(self._page))
        self._page, self._bytes = [], 0

    def _end_rows(self) -> None:
        number = (len(self._ids) - 1) // ROWS
        self._output.write_data(f"{self._name}/rows-{number}", f"[{','.join(self._rows)}]")
        self._rows = []


class SampleWriter:
    """Turns the samples of one page of the report into files.

    Args:
        page: the task.
        most: at most so many samples; all when None.
    """

    def __init__(self, output: Output, page: Page, pictures: Pictures, most: int | None) -> None:
        self._page = page
        self._describer = Describer(pictures)
        self._pictures = pictures
        self._most = most
        self.tables: list[list[ScoreTable]] = [tables(answers) for answers in page.answers]
        found = dict.fromkeys((t.rules, n) for column in self.tables for t in column for n in t.names)
        order = {name: i for i, name in enumerate(page.metrics)}
        headline = page.info.headline.name
        self.keys = sorted(
            found, key=lambda k: (page.rules.index(k[0]), k[1] != headline, order.get(k[1], len(order)))
        )
        self._places = {key: i for i, key in enumerate(self.keys)}
        labels = [answers.label for answers in page.answers]
        self.files = SampleFiles(output, page.slug, labels, self.keys)
        self.total = 0

    def write(self) -> None:
        """Writes all files of the page's samples."""
        ids = asked(self._page)
        self.total = len(ids)
        for visit in walk(self._page, choose(ids, self._most, self._page.info.name)):
            self._add(visit)
        page = self._page
        about = {
            "title": page.title,
            "capability": page.info.capability,
            "total": self.total,
            "missing": page.unavailable,
            "colours": [answers.colour for answers in page.answers],
        }
        self.files.finish(about, page.metrics)

    def _add(self, visit: Visit) -> None:
        scores = [[s for t in column if (s := t.get(visit.id)) is not None] for column in self.tables]
        labels = self._labels(visit, scores)
        prompts: list[dict[str, Any]] = []
        answers = [
            self._answer(steps, found, prompts) for steps, found in zip(visit.steps, scores, strict=True)
        ]
        target = self._describer.target(visit)
        sample: dict[str, Any] = {"id": visit.id, "l": labels, "p": prompts, "a": answers}
        if target is not None:
            sample["t"] = target
        cluster = visit.sample.cluster if visit.sample else next((s.cluster for f in scores for s in f), "")
        if cluster:
            sample["c"] = cluster
        values = {
            (self._places[score.rules, name], j): value
            for j, found in enumerate(scores)
            for score in found
            if not score.failure
            for name, value in score.values.items()
            if value is not None
        }
        pairs = list(zip(visit.steps, scores, strict=True))
        self.files.add(
            sample,
            self._row(visit, scores),
            labels=labels,
            scores=values,
            states=[_state(steps, found) for steps, found in pairs],
            classes=_classes([_said(steps, found) for steps, found in pairs]),
        )

    def _labels(self, visit: Visit, scores: Sequence[Sequence[Score]]) -> dict[str, str]:
        if visit.sample is not None and visit.sample.labels:
            return dict(visit.sample.labels)
        return next((dict(score.labels) for found in scores for score in found if score.labels), {})

    def _answer(
        self, steps: Sequence[Step], scores: Sequence[Score], prompts: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        """One run's part of a sample: `s`teps of prompt's place, answer and seconds; `v`erdicts per rules."""
        if not steps:
            return None
        told = []
        for step in steps:
            place = -1
            if step.request is not None:
                prompt = self._describer.prompt(step.request)
                if prompt not in prompts:
                    prompts.append(prompt)
                place = prompts.index(prompt)
            record = step.record
            answer = (
                {"k": "failed", "e": without_folders(record.error)}
                if record.response is None
                else self._describer.response(record.response)
            )
            told.append([place, answer, round(record.seconds, 3), *([step.unknown] if step.unknown else [])])
        verdicts = [
            {
                "r": score.rules,
                "p": score.parsed,
                "f": without_folders(score.failure),
                "s": {name: value for name, value in score.values.items() if value is not None},
            }
            for score in scores
        ]
        return {"s": told, "v": plain(verdicts)}

    def _row(self, visit: Visit, scores: Sequence[Sequence[Score]]) -> list[Any]:
        """What lists show: id, prompt, reference, answers; where there are pictures, source and answers."""
        request = next((step.request for steps in visit.steps for step in steps[:1] if step.request), None)
        prompt = words_of(request)[:_WORDS] if request else ""
        said = [_said(steps, found)[:_WORDS] for steps, found in zip(visit.steps, scores, strict=True)]
        row: list[Any] = [visit.id, prompt, _flat(visit.target)[:_WORDS], said]
        asked_with = request.messages[-1].images[-1:] if request else ()
        shown = [first_picture(steps[-1].record.response) if steps else None for steps in visit.steps]
        if asked_with or any(shown):
            row += [
                self._pictures.refer(asked_with[0]) if asked_with else 0,
                [self._pictures.refer(picture) if picture else 0 for picture in shown],
            ]
        return row


def _state(steps: Sequence[Step], scores: Sequence[Score]) -> int:
    if not steps:
        return ABSENT
    failed = any(step.record.response is None for step in steps) or any(score.failure for score in scores)
    return FAILED if failed else ANSWERED


def _said(steps: Sequence[Step], scores: Sequence[Score]) -> str:
    """What a run said, on one line: what the scorer understood, else the answer, else why there is none."""
    if not steps:
        return ""
    last = steps[-1].record
    if last.response is None:
        return without_folders(last.error)
    parsed = next((score.parsed for score in scores if score.parsed), "")
    if parsed:
        return " ".join(parsed.split())
    picture = first_picture(last.response)
    return brief(last.response) or (picture.label if picture else "")


def _classes(said: Sequence[str]) -> list[int]:
    """Per run, the place of the first run that said the same; at most 255 runs can be told apart."""
    return [min(said.index(text), 255) for text in said]


def _flat(target: Any) -> str:
    """A reference on one line, its distinct texts joined."""
    found: dict[str, None] = {}

    def collect(value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                if key != "sha256":
                    collect(item)
        elif isinstance(value, list | tuple):
            for item in value:
                collect(item)
        elif value is not None:
            found[" ".join(str(value).split())] = None

    collect(target)
    return " · ".join(found)
