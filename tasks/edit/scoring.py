"""Scores of edited images: against source, accepted result, descriptions and, where known, the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from evalsuite.content import Image
from evalsuite.errors import EvalsuiteError, SampleError
from evalsuite.request import ImageResponse
from evalsuite.task import Answered, Breakdown, SampleScore, Scores, mean_statistics, row_of
from evalsuite.task.features import decoding_threads
from evalsuite.task.metrics import decode_mask
from evalsuite.task.miniature import SceneTruth
from evalsuite.task.networks import Columns, refusals_note
from evalsuite.task.readers import Turn, decode

from . import measures
from .settings import ColumnSettings

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

_AT_ONCE = 16
"""Edits whose images are held decoded: 150 MB where all are of 1024 × 1024."""


@dataclass(frozen=True)
class Scorer:
    """Scores answers under the columns that can be computed here; `how` is of each of them.

    Args:
        excluded: what the protocol left out, by rule; is recorded.
    """

    columns: Columns
    how: Mapping[str, ColumnSettings]
    truth: SceneTruth | None
    by: Sequence[Breakdown]
    excluded: Mapping[str, int] = field(default_factory=dict)

    def score(self, answered: Iterable[Answered]) -> Scores:
        """Rows in the order of `answered`; a missing or broken result, source or target is a failure.

        A few images are decoded at a time, each once for all columns.
        """
        rows: list[SampleScore] = []
        lacking: dict[str, list[str]] = {}
        # Images are files, so that all answers together are small.
        everything = list(answered)
        measures.ask_workers(self.columns, self.how, everything, _AT_ONCE)
        answers = iter(everything)
        with ThreadPoolExecutor(decoding_threads(), "decode") as pool:
            while batch := list(islice(answers, _AT_ONCE)):
                rows += self._rows(batch, pool, lacking)
        statistics = [s for metric in self.columns.metrics for s in mean_statistics(metric, rows, by=self.by)]
        details = self.columns.details()
        if self.excluded:
            details["excluded"] = dict(self.excluded)
        notes = {name: refusals_note(reasons, len(rows)) for name, reasons in lacking.items()}
        return Scores(rows, statistics, self.columns.missing, details, notes)

    def _rows(
        self, batch: Sequence[Answered], pool: Executor, lacking: dict[str, list[str]]
    ) -> list[SampleScore]:
        """Rows of a batch; adds to `lacking`, by column, why images have no value in it."""
        failures: dict[int, str] = {}
        results: dict[int, Result] = {}
        values: dict[int, dict[str, float]] = {}
        words: dict[int, str] = {}
        needs = {need for how in self.how.values() for need in measures.needs(how)}
        decoding = [pool.submit(_result, one, needs) for one in batch]
        for i, decoded in enumerate(decoding):
            try:
                result = decoded.result()
                values[i], words[i] = self._of_pixels(result)
                results[i] = result
            except EvalsuiteError as error:
                failures[i] = str(error)
        refused = measures.add_features(self.columns, self.how, results, values)
        refused |= measures.add_distances(self.columns, self.how, results, values)
        for name, reasons in refused.items():
            for i, reason in reasons.items():
                lacking.setdefault(name, []).append(reason)
                words[i] = "; ".join(filter(None, (words[i], f"no {name}: {reason}")))
        return [
            row_of(one)(failure=failures[i]) if i in failures else row_of(one)(values[i], parsed=words[i])
            for i, one in enumerate(batch)
        ]

    def _of_pixels(self, result: Result) -> tuple[dict[str, float], str]:
        values = measures.of_pixels(self.how, result)
        if self.truth is None:
            return values, ""
        seen = self.truth.edited(result.truth, result.drawn)
        for name, how in self.how.items():
            if how.measure == "truth" and name in seen.values:
                values[name] = seen.values[name]
        return values, seen.words


@dataclass(frozen=True)
class Result:
    """A result, decoded, and what it is compared with.

    Args:
        encoded: the result's file.
        source, target: decoded where a column needs them.
        mask: (height, width) 0/1, of the region to edit.
    """

    turn: Turn
    encoded: Image
    drawn: PilImage
    source: PilImage | None
    target: PilImage | None
    mask: np.ndarray | None

    @property
    def truth(self) -> str:
        """The name under which the truth knows the accepted result."""
        return self.turn.target.label if self.turn.target else ""

    def file(self, which: str) -> Image:
        """The encoded result (`drawn`), source or target."""
        found = {"drawn": self.encoded, "source": self.turn.source, "target": self.turn.target}[which]
        if found is None:
            raise SampleError(f"there is no {which} image to compare the result with")
        return found

    def beside(self, which: str) -> PilImage:
        """The image that the result is compared with. Raises SampleError where there is none."""
        image = self.source if which == "source" else self.target
        if image is None:
            raise SampleError(f"there is no {which} image to compare the result with")
        return image


def _result(one: Answered, needs: Set[str]) -> Result:
    """The images to compare. Raises SampleError where one is missing, DataError for a broken one."""
    turns: Sequence[Turn] = one.sample.record.turns
    if len(one.responses) != len(turns):
        raise SampleError(f"{len(one.responses)} of {len(turns)} turns were answered")
    response = one.response
    if not isinstance(response, ImageResponse):
        raise SampleError(f"the answer is a {type(response).__name__}, not an image")
    if len(response.images) != 1:
        raise SampleError(f"expected one image, got {len(response.images)}")
    last = turns[-1]
    if "target" in needs and last.target is None:
        raise SampleError("the data have no ground truth image to compare with")
    if "mask" in needs and last.mask is None:
        raise SampleError("the data have no mask of the region to edit")
    drawn = decode(response.images[0])
    source = decode(last.source) if "source" in needs else None
    target = decode(last.target) if "target" in needs and last.target else None
    mask = _mask(last, source) if "mask" in needs and source else None
    return Result(last, response.images[0], drawn, source, target, mask)


def _mask(turn: Turn, source: PilImage) -> np.ndarray:
    width, height = source.size
    if (width, height) != (512, 512):
        raise SampleError(
            f"the source {turn.source.label} is of {width} × {height} pixels, its mask of 512 × 512",
            "Fetch the images again.",
        )
    return decode_mask(turn.mask or (), height, width)
