"""Scores of images generated for subjects: similarity to all real images, to the prompt, and the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalsuite.errors import EvalsuiteError, SampleError
from evalsuite.request import ImageResponse
from evalsuite.task import FORMULAS, Answered, Breakdown, SampleScore, Scores, mean_statistics, row_of
from evalsuite.task.miniature import SubjectTruth
from evalsuite.task.networks import Columns
from evalsuite.task.readers import Subject, decode

from .settings import ColumnSettings

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage


@dataclass
class Scorer:
    """Scores answers under the columns that can be computed here; `how` is of each of them.

    Args:
        count: images per prompt.
    """

    columns: Columns
    how: Mapping[str, ColumnSettings]
    count: int
    truth: SubjectTruth | None
    by: Sequence[Breakdown]
    _real: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    _texts: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def score(self, answered: Iterable[Answered]) -> Scores:
        """Rows in the order of `answered`, each the mean over a prompt's images; one that lacks an image,
        or whose subject has a broken one, is a failure. Goes through the answers once."""
        rows: list[SampleScore] = []
        for one in answered:
            try:
                values, words = self._values(one)
            except EvalsuiteError as error:
                rows.append(row_of(one)(failure=str(error)))
                continue
            rows.append(row_of(one)(values, parsed=words))
        statistics = [s for metric in self.columns.metrics for s in mean_statistics(metric, rows, by=self.by)]
        return Scores(rows, statistics, self.columns.missing, self.columns.details())

    def _values(self, one: Answered) -> tuple[dict[str, float], str]:
        import numpy as np

        response = one.response
        if not isinstance(response, ImageResponse):
            raise SampleError(f"the answer is a {type(response).__name__}, not images")
        if len(response.images) != self.count:
            raise SampleError(f"expected {self.count} images, got {len(response.images)}")
        wish = one.sample.record
        drawn = [decode(image) for image in response.images]
        values: dict[str, float] = {}
        features: dict[str, np.ndarray] = {}
        for name, how in self.how.items():
            if how.measure == "truth":
                continue
            if how.network not in features:
                features[how.network] = _unit(self.columns.network(how.network).images(drawn))
            if how.measure == "subject":
                cosines = features[how.network] @ self._of_subject(how.network, wish.subject).T
            else:
                formula = FORMULAS[how.formula]
                text = self._of_text(how.network, formula.prefix + wish.prompt)
                network = self.columns.text_network(how.network)
                cosines = formula.of(features[how.network] @ text, network)
            values[name] = float(np.mean(cosines))
        words = self._of_truth(wish, drawn, values)
        return values, words

    def _of_subject(self, key: str, subject: Subject) -> np.ndarray:
        """(images, dim) unit features of the subject's real images, made once."""
        if (key, subject.name) not in self._real:
            pictures = [decode(image) for image in subject.images]
            self._real[key, subject.name] = _unit(self.columns.network(key).images(pictures))
        return self._real[key, subject.name]

    def _of_text(self, key: str, text: str) -> np.ndarray:
        if (key, text) not in self._texts:
            self._texts[key, text] = _unit(self.columns.text_network(key).texts([text]))[0]
        return self._texts[key, text]

    def _of_truth(self, wish: Any, drawn: Sequence[PilImage], values: dict[str, float]) -> str:
        wanted = [name for name, how in self.how.items() if how.measure == "truth"]
        if self.truth is None or not wanted:
            return ""
        seen = [self.truth.drawn(wish.subject.name, wish.prompt, picture) for picture in drawn]
        for name in wanted:
            values[name] = sum(one.values[name] for one in seen) / len(seen)
        return "; ".join(one.words for one in seen)


def _unit(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    wide = vectors.astype(np.float64)
    unit: np.ndarray = wide / np.maximum(
        np.linalg.norm(wide, axis=-1, keepdims=True), np.finfo(np.float64).tiny
    )
    return unit
