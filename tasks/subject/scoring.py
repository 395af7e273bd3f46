"""Scores of images generated for subjects: similarity to all real images, to the prompt, and the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.errors import DataError, EvalsuiteError, SampleError
from evalsuite.request import ImageResponse
from evalsuite.task import FORMULAS, Answered, Breakdown, SampleScore, Scores, mean_statistics, row_of
from evalsuite.task.miniature import SubjectTruth
from evalsuite.task.networks import Columns, image_features, refusals_note, text_features
from evalsuite.task.readers import Subject, decode

from .settings import ColumnSettings

if TYPE_CHECKING:
    import numpy as np


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
        or whose subject has a broken one, is a failure. A prompt with an image that a network does not take
        lacks that network's columns. Goes through the answers once."""
        rows: list[SampleScore] = []
        # Images are files, so that all answers together are small.
        answers = list(answered)
        features = self._features(answers)
        for one, found in zip(answers, features, strict=True):
            try:
                values, words = self._values(one, found)
            except EvalsuiteError as error:
                rows.append(row_of(one)(failure=str(error)))
                continue
            rows.append(row_of(one)(values, parsed=words))
        statistics = [s for metric in self.columns.metrics for s in mean_statistics(metric, rows, by=self.by)]
        notes: dict[str, str] = {}
        for name, how in self.how.items():
            reasons = [one.refused[how.network] for one in features if how.network in one.refused]
            if how.measure != "truth" and reasons:
                notes[name] = refusals_note(reasons, len(rows))
        return Scores(rows, statistics, self.columns.missing, self.columns.details(), notes)

    def _features(self, answers: Sequence[Answered]) -> list[_Seen]:
        """What the networks see of each answer's images, a prompt's images together."""
        keys = sorted({how.network for how in self.how.values() if how.measure != "truth"})
        usable = [at for at, one in enumerate(answers) if not _unusable(one, self.count)]
        images = [image for at in usable for image in answers[at].response.images]
        networks = {key: self.columns.network(key) for key in keys}
        found, state = image_features(networks, images, block=self.count)
        seen = [_Seen() for _ in answers]
        for number, at in enumerate(usable):
            its = range(number * self.count, (number + 1) * self.count)
            broken = next((state.failures[place] for place in its if place in state.failures), "")
            refused = state.refusals(its)
            features = {key: _unit(found[key][its.start : its.stop]) for key in keys if key not in refused}
            seen[at] = _Seen(features, broken, refused)
        return seen

    def _values(self, one: Answered, seen: _Seen) -> tuple[dict[str, float], str]:
        import numpy as np

        if wrong := _unusable(one, self.count):
            raise SampleError(wrong)
        if seen.broken:
            raise SampleError(seen.broken)
        wish = one.sample.record
        values: dict[str, float] = {}
        features = seen.features
        lacking = []
        for name, how in self.how.items():
            if how.measure == "truth":
                continue
            if how.network in seen.refused:
                lacking.append(f"no {name}: {seen.refused[how.network]}")
                continue
            if how.measure == "subject":
                cosines = features[how.network] @ self._of_subject(how.network, wish.subject).T
            else:
                formula = FORMULAS[how.formula]
                text = self._of_text(how.network, formula.prefix + wish.prompt)
                network = self.columns.text_network(how.network)
                cosines = formula.of(features[how.network] @ text, network)
            values[name] = float(np.mean(cosines))
        words = self._of_truth(wish, one.response.images, values)
        return values, "; ".join(filter(None, (words, *lacking)))

    def _of_subject(self, key: str, subject: Subject) -> np.ndarray:
        """(images, dim) unit features of the subject's real images, made once."""
        if (key, subject.name) not in self._real:
            networks = {key: self.columns.network(key)}
            found, state = image_features(networks, subject.images, block=max(1, len(subject.images)))
            if broken := state.without(key):
                raise DataError(next(iter(broken.values())), "A subject's images must be complete.")
            self._real[key, subject.name] = _unit(found[key])
        return self._real[key, subject.name]

    def _of_text(self, key: str, text: str) -> np.ndarray:
        if (key, text) not in self._texts:
            self._texts[key, text] = _unit(text_features(self.columns.text_network(key), [text]))[0]
        return self._texts[key, text]

    def _of_truth(self, wish: Any, images: Sequence[Image], values: dict[str, float]) -> str:
        wanted = [name for name, how in self.how.items() if how.measure == "truth"]
        if self.truth is None or not wanted:
            return ""
        seen = [self.truth.drawn(wish.subject.name, wish.prompt, decode(image)) for image in images]
        for name in wanted:
            values[name] = sum(one.values[name] for one in seen) / len(seen)
        return "; ".join(one.words for one in seen)


@dataclass(frozen=True)
class _Seen:
    """What networks see of a prompt's images.

    Args:
        features: by network, (images, dim) of unit length.
        broken: why an image cannot be read.
        refused: by network, why it does not take one of the images.
    """

    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    broken: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)


def _unusable(one: Answered, count: int) -> str:
    """Why an answer has not the images that were asked for; "" where it has."""
    response = one.response
    if not isinstance(response, ImageResponse):
        return f"the answer is a {type(response).__name__}, not images"
    return "" if len(response.images) == count else f"expected {count} images, got {len(response.images)}"


def _unit(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    wide = vectors.astype(np.float64)
    unit: np.ndarray = wide / np.maximum(
        np.linalg.norm(wide, axis=-1, keepdims=True), np.finfo(np.float64).tiny
    )
    return unit
