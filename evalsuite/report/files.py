"""The files of a sample browser: full samples in pages, their short rows for lists, one index for filters.

A browser that opens a task loads the index; scrolling loads rows, opening a sample loads the page it is on.
While they are written, only the index's columns are in memory: a few bytes per sample and model.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite.report.encoding import pack, to_json
from evalsuite.report.few import FewValues
from evalsuite.report.output import Output
from evalsuite.task import Metric

ROWS = 500
"""Rows in one file; the browser finds a row's file by dividing."""

_SAMPLES, _BYTES = 40, 500_000
"""Maximum samples and bytes of a page of full samples, whichever comes first."""

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
        self.references = FewValues()
        """The references, where there are few different ones."""
        self.answers = [FewValues() for _ in labels]
        """What each run said, where there are few different answers."""
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
        reference: str = "",
        answers: Sequence[str] = (),
    ) -> None:
        """Takes one sample.

        Args:
            sample: everything its page shows.
            row: what lists show of it; the id comes first.
            labels: for filters.
            scores: value by place in `keys` and column.
            states: per column, one of the constants above.
            classes: per column, equal where answers are equal.
            reference, answers: on one line; "" where there is none.
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
        self.references.append(reference)
        for i, columns in enumerate(self._scores):
            for j, column in enumerate(columns):
                column.append(scores.get((i, j), float("nan")))
        for j in range(len(self._labels)):
            self._states[j].append(states[j])
            self.answers[j].append(answers[j] if answers else "")
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
            "reference": self.references.packed(),
            "answers": [column.packed() for column in self.answers],
        }
        self._output.write_data(f"{self._name}/index", to_json(index))
        self._output.write_data(f"{self._name}/ids", to_json(self._ids))
        return index

    def place(self, rules: str, name: str) -> int | None:
        """The place of a score column; None where there is none."""
        return self._keys.index((rules, name)) if (rules, name) in self._keys else None

    def scores_at(self, place: int) -> Sequence[Sequence[float]]:
        """One score column per run, in the order of `ids`; NaN where there is no score."""
        return self._scores[place]

    @property
    def ids(self) -> Sequence[str]:
        """The samples in the order in which they were added."""
        return self._ids

    def _end_page(self) -> None:
        self._output.write_data(f"{self._name}/samples-{len(self._starts) - 1}", f"[{','.join(self._page)}]")
        self._starts.append(self._starts[-1] + len(self._page))
        self._page, self._bytes = [], 0

    def _end_rows(self) -> None:
        number = (len(self._ids) - 1) // ROWS
        self._output.write_data(f"{self._name}/rows-{number}", f"[{','.join(self._rows)}]")
        self._rows = []
