"""Scores of documents: their images against true ones and against their text, their text, their form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evalsuite.content import Document, Image, Text
from evalsuite.errors import EvalsuiteError
from evalsuite.task import (
    FORMULAS,
    Answered,
    Breakdown,
    Metric,
    SampleScore,
    Scores,
    Statistic,
    frechet_statistic,
    mean_statistics,
    row_of,
)
from evalsuite.task.metrics import gaussian_of, score_captions
from evalsuite.task.miniature import StoryTruth
from evalsuite.task.networks import Columns, cosines, image_features, refusals_note, text_features
from evalsuite.task.readers import InterleavedDocument

from .form import faults
from .settings import ColumnSettings, Limits

if TYPE_CHECKING:
    import numpy as np

TEXT = ("CIDEr", "ROUGE-L")
OF_IMAGES = ("frechet", "similarity", "image_similarity")
_FEWEST = 4
"""Images below which there is no distance between distributions."""


@dataclass(frozen=True)
class Scorer:
    """Scores answers under the columns that can be computed here.

    Args:
        how: of each column in `columns.names`.
        max_images_per_document: that the protocol allows in a document.
        opened: the first text of each document was given to the model; it counts in no score of text.
        written: the document of an answer and whether a limit ended it; raises SampleError.
    """

    columns: Columns
    how: Mapping[str, ColumnSettings]
    limits: Limits
    max_images_per_document: int
    truth: StoryTruth | None
    by: Sequence[Breakdown]
    opened: bool
    written: Callable[[Answered], tuple[Document, bool]]

    def score(self, answered: Iterable[Answered]) -> Scores:
        """Rows in the order of `answered`; an answer that is no document, or has a broken image, is a
        failure. A document without images has no value in the columns that look at images, one with an image
        that a network does not take none in that network's columns."""
        rows: list[SampleScore] = []
        made: list[_Made] = []
        for one in answered:
            try:
                parts, truncated = self.written(one)
                values, words = self._alone(one, parts, truncated)
            except EvalsuiteError as error:
                rows.append(row_of(one)(failure=str(error)))
                continue
            made.append(_Made(len(rows), one.sample.record, parts))
            rows.append(row_of(one)(values, parsed=words))
        made = self._add_features(made, rows)
        self._add_texts(made, rows)
        return self._told(rows, made)

    def _alone(self, one: Answered, parts: Document, truncated: bool) -> tuple[dict[str, float], str]:
        """The columns of a document by itself, and in words what it is."""
        images = [part for part in parts if isinstance(part, Image)]
        checked = any(how.measure == "form" for how in self.how.values())
        wrong = faults(parts, truncated, self.limits, self.max_images_per_document) if checked else []
        values: dict[str, float] = {}
        words = [outline(parts), *wrong]
        seen = self.truth.document(one.sample.record, parts) if self.truth else None
        for name, how in self.how.items():
            if how.measure == "form":
                values[name] = float(not wrong)
            elif how.measure == "num_images":
                values[name] = float(len(images))
            elif how.measure == "truth" and seen is not None and name in seen.values:
                values[name] = seen.values[name]
        if seen is not None:
            words.append(seen.words)
        return values, "; ".join(filter(None, words))

    def _add_features(self, made: Sequence[_Made], rows: list[SampleScore]) -> list[_Made]:
        """Adds the columns in the features of networks; returns the documents whose images are whole."""
        keys = sorted({how.network for how in self.how.values() if how.measure in OF_IMAGES})
        networks = {key: self.columns.network(key) for key in keys}
        images = [image for one in made for image in one.images]
        found, state = image_features(networks, images)
        whole: list[_Made] = []
        start = 0
        for one in made:
            end = start + len(one.images)
            broken = [state.failures[at] for at in range(start, end) if at in state.failures]
            if broken:
                rows[one.row] = replace(rows[one.row], values={}, parsed="", failure=broken[0])
            else:
                refused = state.refusals(range(start, end))
                features = {key: values[start:end] for key, values in found.items() if key not in refused}
                whole.append(replace(one, features=features, refused=refused))
                self._add_reasons(one.row, refused, rows)
            start = end
        for name, how in self.how.items():
            taken = [one for one in whole if how.network not in one.refused]
            if how.measure == "similarity":
                self._add_similarity(name, how, taken, rows)
            elif how.measure == "image_similarity":
                self._add_image_similarity(name, how, taken, rows)
        return whole

    def _add_reasons(self, row: int, refused: Mapping[str, str], rows: list[SampleScore]) -> None:
        """Says which columns a document lacks, and why."""
        lacking = [
            f"no {name}: {refused[how.network]}"
            for name, how in self.how.items()
            if how.measure in OF_IMAGES and how.network in refused
        ]
        if lacking:
            rows[row] = replace(rows[row], parsed="; ".join(filter(None, (rows[row].parsed, *lacking))))

    def _add_similarity(
        self, name: str, how: ColumnSettings, made: Sequence[_Made], rows: list[SampleScore]
    ) -> None:
        formula = FORMULAS[how.formula]
        network = self.columns.text_network(how.network)
        texts = sorted({formula.prefix + text for one in made for text in one.captions if text})
        embedded = dict(zip(texts, text_features(network, texts), strict=True)) if texts else {}
        for one in made:
            pairs = [
                (feature, embedded[formula.prefix + text])
                for feature, text in zip(one.features[how.network], one.captions, strict=True)
                if text
            ]
            if pairs:
                _set(rows, one.row, name, _mean(formula.of(_pairwise(pairs), network)))

    def _add_image_similarity(
        self, name: str, how: ColumnSettings, made: Sequence[_Made], rows: list[SampleScore]
    ) -> None:
        true = self._true_features(how.network, made)
        for one, features in zip(made, true, strict=True):
            _set(rows, one.row, name, _mean(cosines(one.features[how.network], features)))

    def _true_features(self, key: str, made: Sequence[_Made]) -> list[np.ndarray]:
        """(images, dim) of each document's true images. Raises DataError where one is broken."""
        from evalsuite.errors import DataError

        images = [image for one in made for image in one.document.images]
        found, state = image_features({key: self.columns.network(key)}, images)
        broken = state.without(key)
        if broken:
            raise DataError(
                f"{len(broken)} true images cannot be read; the first: {next(iter(broken.values()))}",
                "A reference set must be complete.",
            )
        split: list[np.ndarray] = []
        start = 0
        for one in made:
            split.append(found[key][start : start + len(one.document.images)])
            start += len(one.document.images)
        return split

    def _add_texts(self, made: Sequence[_Made], rows: list[SampleScore]) -> None:
        wanted = {name: how.measure for name, how in self.how.items() if how.measure in TEXT}
        if not wanted or not made:
            return
        said = [_words(one.parts, self.opened) for one in made]
        true = [[_words(one.document.parts, self.opened)] for one in made]
        scores = score_captions(said, true)
        columns = {"CIDEr": scores.cider, "ROUGE-L": scores.rouge}
        for name, measure in wanted.items():
            for one, value in zip(made, columns[measure], strict=True):
                _set(rows, one.row, name, float(value))

    def _told(self, rows: Sequence[SampleScore], made: Sequence[_Made]) -> Scores:
        metrics: dict[str, Metric] = {metric.name: metric for metric in self.columns.info.metrics}
        missing = dict(self.columns.missing)
        statistics: list[Statistic] = []
        notes: dict[str, str] = {}
        for name, how in self.how.items():
            reasons = [one.refused[how.network] for one in made if how.network in one.refused]
            if how.measure in OF_IMAGES and reasons:
                notes[name] = refusals_note(reasons, len(made))
            if how.measure != "frechet":
                statistics += mean_statistics(metrics[name], rows, by=self.by)
                continue
            drawing = [one for one in made if len(one.images) and how.network not in one.refused]
            if sum(len(one.images) for one in drawing) < _FEWEST:
                missing[name] = "too few images for a distance between distributions"
                continue
            statistics.append(self._distance(metrics[name], how.network, drawing, made))
        return Scores(rows, statistics, missing, self.columns.details(), notes)

    def _distance(
        self, metric: Metric, key: str, drawing: Sequence[_Made], made: Sequence[_Made]
    ) -> Statistic:
        """Of all generated to all true images; resampling takes whole documents."""
        import numpy as np

        means = self.columns.network(key).means
        reference = gaussian_of(np.concatenate(self._true_features(key, made)), means)
        drawn = [one.features[key] for one in drawing]

        def of(chosen: Sequence[int]) -> np.ndarray:
            return np.concatenate([drawn[at] for at in chosen])

        shape = (sum(map(len, drawn)), drawn[0].shape[1])
        return frechet_statistic(metric, [one.row for one in drawing], of, shape, reference, means)


@dataclass(frozen=True)
class _Made:
    """A document that was made.

    Args:
        row: its place among the rows.
        features: by network, (images, dim).
        refused: by network, why it does not take an image of the document.
    """

    row: int
    document: InterleavedDocument
    parts: Document
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def images(self) -> list[Image]:
        return [part for part in self.parts if isinstance(part, Image)]

    @property
    def captions(self) -> list[str]:
        """The text before each image, since the image before; empty where there is none."""
        found, text = [], ""
        for part in self.parts:
            if isinstance(part, Text):
                text = part.text
            else:
                found.append(text)
                text = ""
        return found


def outline(parts: Document) -> str:
    """A document in one line, images as [1], [2] …

    >>> outline((Text("It is red."), Image(b"x"), Text("Now it is blue."), Image(b"y")))
    'It is red. [1] Now it is blue. [2]'
    """
    words, number = [], 0
    for part in parts:
        if isinstance(part, Image):
            number += 1
            words.append(f"[{number}]")
        else:
            words.append(part.text)
    return " ".join(words)


def _words(parts: Document, opened: bool) -> str:
    """The text of a document, without the opening where the model was given it."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    return " ".join(texts[1:] if opened else texts)


def _pairwise(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    import numpy as np

    return cosines(np.stack([a for a, _ in pairs]), np.stack([b for _, b in pairs]))


def _mean(values: np.ndarray) -> float:
    import numpy as np

    return float(np.mean(values))


def _set(rows: list[SampleScore], at: int, name: str, value: float) -> None:
    rows[at] = replace(rows[at], values={**rows[at].values, name: value})
