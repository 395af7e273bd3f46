"""The per-sample scores of a page, found by sample id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy

from evalsuite.errors import StoreError
from evalsuite.report.gathering import Answers, rules_of

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Score:
    """How one sample did under one set of rules; see `evalsuite.task.SampleScore`."""

    rules: str
    values: Mapping[str, float | None]
    parsed: str
    failure: str
    labels: Mapping[str, str]
    cluster: str


class _Texts:
    """A column of texts as codes into its distinct ones; an absent text is empty."""

    def __init__(self, column: pandas.Series) -> None:
        import pandas

        codes, distinct = pandas.factorize(column)
        self._codes = codes.astype("int32")
        self._distinct = [*(str(text) for text in distinct), ""]  # the code -1, absent, is the last

    @property
    def empty(self) -> numpy.ndarray:
        """Where there is no text: booleans in the column's order."""
        empty: numpy.ndarray = numpy.array([not text for text in self._distinct])[self._codes]
        return empty

    def __getitem__(self, place: int) -> str:
        text: str = self._distinct[self._codes[place]]
        return text


class ScoreTable:
    """The scores of one run's answers under one set of rules.

    Args:
        rules: the rules with who judges; see `rules_of`.
        frame: as `RunReader.scores` gives it.
    """

    def __init__(self, rules: str, frame: pandas.DataFrame) -> None:
        self.rules = rules
        self._place = {name: i for i, name in enumerate(frame["id"])}
        self._parsed, self._failure, self._cluster = (
            _Texts(frame[name]) for name in ("parsed", "failure", "cluster")
        )
        names = [str(name) for name in frame]
        self._values = {_bare(name): frame[name].to_numpy() for name in names if name.startswith("value.")}
        self._labels = {_bare(name): _Texts(frame[name]) for name in names if name.startswith("label.")}

    @property
    def names(self) -> list[str]:
        """The score columns."""
        return list(self._values)

    def scored(self, name: str) -> Sequence[float]:
        """The values of a score column; those of samples that count nowhere are left out."""
        values = self._values.get(name)
        if values is None:
            return ()
        known: Sequence[float] = values[~numpy.isnan(values) & self._failure.empty]
        return known

    def failures(self) -> Iterator[tuple[str, str]]:
        """Samples that have no score, each with the reason."""
        for name, i in self._place.items():
            if reason := self._failure[i]:
                yield name, reason

    def get(self, sample: str) -> Score | None:
        """The sample's score; None when it has no row."""
        i = self._place.get(sample)
        if i is None:
            return None
        values = {name: _number(column[i]) for name, column in self._values.items()}
        labels = {name: text for name, column in self._labels.items() if (text := column[i])}
        return Score(self.rules, values, self._parsed[i], self._failure[i], labels, self._cluster[i])


def tables(answers: Answers) -> list[ScoreTable]:
    """The score tables of a run's answers, the run's own rules first; empty when it is unscored."""
    found = []
    infos = {rules_of(info): info for info in (answers.record.info, *(r.info for r in answers.results))}
    for rules, info in infos.items():
        try:
            frame = answers.reader.scores(answers.key, info.rules, info.judge)
            found.append(ScoreTable(rules, frame))
        except StoreError:
            continue  # scored by other rules only, or not yet
    return found


def _bare(column: str) -> str:
    return column.partition(".")[2]


def _number(value: Any) -> float | None:
    number = float(value)
    return None if number != number else number
