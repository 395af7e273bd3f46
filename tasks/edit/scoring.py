"""Scores of edited pictures: against the accepted result, its description and, where known, the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import DataError, EvalsuiteError
from evalsuite.metrics.images import pixel_distance
from evalsuite.request import ImageResponse
from evalsuite.task import Answered, SampleScore, Scores, mean_statistics

from ..miniature import SceneTruth
from ..networks import Columns, cosines, image_features

if TYPE_CHECKING:
    import numpy as np

    from .family import Edit


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

    def score(self, answered: Sequence[Answered]) -> Scores:
        """Rows in the order of `answered`; a missing or broken result, or a broken target, is a failure."""
        failures = {i: reason for i, one in enumerate(answered) if (reason := _unusable(one))}
        values: dict[int, dict[str, float]] = {}
        words: dict[int, str] = {}
        for i, one in enumerate(answered):
            if i in failures:
                continue
            try:
                values[i], words[i] = self._of_pixels(one)
            except EvalsuiteError as error:
                failures[i] = str(error)
        self._of_features(answered, [i for i in range(len(answered)) if i not in failures], values)
        rows = [
            SampleScore(
                one.sample.id, cluster=one.sample.cluster, labels=one.sample.labels, failure=failures[i]
            )
            if i in failures
            else SampleScore(one.sample.id, values[i], one.sample.cluster, one.sample.labels, words[i])
            for i, one in enumerate(answered)
        ]
        statistics = [s for metric in self.columns.metrics for s in mean_statistics(metric, rows, by=self.by)]
        return Scores(rows, statistics, self.columns.missing, self.columns.details())

    def _of_pixels(self, one: Answered) -> tuple[dict[str, float], str]:
        import numpy as np

        target = one.sample.record.last.target
        drawn, wanted = decode(_result(one)), decode(target)
        distances = pixel_distance(np.asarray(drawn), np.asarray(wanted))
        measures = {name: how.measure for name, how in self.how.items()}
        values = {
            name: distances.l1 if measure == "L1" else distances.l2
            for name, measure in measures.items()
            if measure in ("L1", "L2")
        }
        if self.truth is None:
            return values, ""
        seen = self.truth.edited(target.label, drawn)
        return values | {
            n: seen.values[n] for n, m in measures.items() if m == "truth" and n in seen.values
        }, seen.words

    def _of_features(
        self, answered: Sequence[Answered], scored: Sequence[int], values: dict[int, dict[str, float]]
    ) -> None:
        keys = sorted({how.network for how in self.how.values() if how.network})
        if not keys or not scored:
            return
        edits: list[Edit] = [answered[i].sample.record for i in scored]
        nets = {key: self.columns.network(key) for key in keys}
        drawn = self._features(nets, [_result(answered[i]) for i in scored])
        likeness = [
            key for key in keys if any(h.network == key and h.measure == "image" for h in self.how.values())
        ]
        wanted = self._features({key: nets[key] for key in likeness}, [edit.last.target for edit in edits])
        for name, how in self.how.items():
            if how.measure == "image":
                found = cosines(drawn[how.network], wanted[how.network])
            elif how.measure == "text":
                texts = self.columns.text_network(how.network).texts(
                    [edit.last.description for edit in edits]
                )
                found = cosines(drawn[how.network], texts)
            else:
                continue
            for i, value in zip(scored, found, strict=True):
                values[i][name] = float(value)

    def _features(self, nets: Mapping, images: Sequence[Image]) -> dict[str, np.ndarray]:
        found, state = image_features(nets, images) if nets else ({}, None)
        if state is not None and state.failures:
            # Every picture was decoded before; one that cannot be now has changed under our hands.
            raise DataError(next(iter(state.failures.values())))
        return found


def _unusable(one: Answered) -> str:
    turns = len(one.sample.record.turns)
    if len(one.responses) != turns:
        return f"{len(one.responses)} of {turns} turns were answered"
    response = one.response
    if not isinstance(response, ImageResponse):
        return f"the answer is a {type(response).__name__}, not a picture"
    return (
        "" if len(response.images) == 1 else f"{len(response.images)} pictures came back, one was asked for"
    )


def _result(one: Answered) -> Image:
    return one.response.images[0]
