"""Scores of edited pictures: against the accepted result, its description and, where known, the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from evalsuite.data.images import decode
from evalsuite.data.magicbrush import Turn
from evalsuite.errors import EvalsuiteError, SampleError
from evalsuite.metrics.images import pixel_distance
from evalsuite.request import ImageResponse
from evalsuite.task import Answered, SampleScore, Scores, mean_statistics

from ..miniature import SceneTruth
from ..networks import Columns, cosines

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_AT_ONCE = 16
"""Pairs of pictures held decoded: 100 MB where both are of 1024 × 1024."""


class ColumnSettings(BaseModel):
    """How a column is computed.

    `L1`, `L2`: mean absolute and squared difference of pixels in [0, 1], the result resized to the target's
    size;
    `image`: cosine of result and target in a network's features; `text`: cosine of result and description;
    `truth`: the column of that name of the exact detector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal["L1", "L2", "image", "text", "truth"]
    network: str = ""


@dataclass(frozen=True)
class Scorer:
    """Scores answers under the columns that can be computed here; `how` is of each of them."""

    columns: Columns
    how: Mapping[str, ColumnSettings]
    truth: SceneTruth | None
    by: Sequence[str]

    def score(self, answered: Iterable[Answered]) -> Scores:
        """Rows in the order of `answered`; a missing or broken result, or a broken target, is a failure.

        Goes through the answers once, a few decoded pictures at a time.
        """
        rows: list[SampleScore] = []
        answers = iter(answered)
        while batch := list(islice(answers, _AT_ONCE)):
            rows += self._rows(batch)
        statistics = [s for metric in self.columns.metrics for s in mean_statistics(metric, rows, by=self.by)]
        return Scores(rows, statistics, self.columns.missing, self.columns.details())

    def _rows(self, batch: Sequence[Answered]) -> list[SampleScore]:
        failures: dict[int, str] = {}
        pairs: dict[int, _Pair] = {}
        values: dict[int, dict[str, float]] = {}
        words: dict[int, str] = {}
        for i, one in enumerate(batch):
            try:
                pairs[i] = _pair(one)
                values[i], words[i] = self._of_pixels(pairs[i])
            except EvalsuiteError as error:
                failures[i] = str(error)
                pairs.pop(i, None)
        self._of_features(pairs, values)
        return [
            SampleScore(one.sample.id, {}, one.sample.cluster, one.sample.labels, failure=failures[i])
            if i in failures
            else SampleScore(one.sample.id, values[i], one.sample.cluster, one.sample.labels, words[i])
            for i, one in enumerate(batch)
        ]

    def _of_pixels(self, pair: _Pair) -> tuple[dict[str, float], str]:
        import numpy as np

        distances = pixel_distance(np.asarray(pair.drawn), np.asarray(pair.target))
        found = {"L1": distances.l1, "L2": distances.l2}
        values = {name: found[how.measure] for name, how in self.how.items() if how.measure in found}
        if self.truth is None:
            return values, ""
        seen = self.truth.edited(pair.turn.target.label, pair.drawn)
        for name, how in self.how.items():
            if how.measure == "truth" and name in seen.values:
                values[name] = seen.values[name]
        return values, seen.words

    def _of_features(self, pairs: Mapping[int, _Pair], values: dict[int, dict[str, float]]) -> None:
        """Adds the columns of networks to the values; each network sees each picture once."""
        used = {how.network: set[str]() for how in self.how.values() if how.network}
        for how in self.how.values():
            if how.network:
                used[how.network].add(how.measure)
        if not pairs:
            return
        for key, measures in used.items():
            drawn = self.columns.network(key).images([pair.drawn for pair in pairs.values()])
            likeness = {}
            if "image" in measures:
                targets = self.columns.network(key).images([pair.target for pair in pairs.values()])
                likeness["image"] = cosines(drawn, targets)
            if "text" in measures:
                texts = [pair.turn.description for pair in pairs.values()]
                likeness["text"] = cosines(drawn, self.columns.text_network(key).texts(texts))
            for name, how in self.how.items():
                if how.network == key:
                    for i, value in zip(pairs, likeness[how.measure], strict=True):
                        values[i][name] = float(value)


@dataclass(frozen=True)
class _Pair:
    """A result, decoded, and what it is held against."""

    drawn: PilImage
    target: PilImage
    turn: Turn


def _pair(one: Answered) -> _Pair:
    """The pictures to compare. Raises SampleError for an answer without one, DataError for a broken one."""
    turns = one.sample.record.turns
    if len(one.responses) != len(turns):
        raise SampleError(f"{len(one.responses)} of {len(turns)} turns were answered")
    response = one.response
    if not isinstance(response, ImageResponse):
        raise SampleError(f"the answer is a {type(response).__name__}, not a picture")
    if len(response.images) != 1:
        raise SampleError(f"{len(response.images)} pictures came back, one was asked for")
    return _Pair(decode(response.images[0]), decode(turns[-1].target), turns[-1])
