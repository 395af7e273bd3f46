"""How readings of an image's text are scored: parts of each image that columns pool over all images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Protocol, cast

from evalsuite.errors import SampleError
from evalsuite.task.metrics import (
    cvtg_words,
    longtext_clean,
    longtext_counts,
    oneig_reading,
    quoted_words,
    tiif_gned,
    tiif_recall,
)

from .records import TextPrompt

Part = tuple[float, int]
"""A sum, and over how many it goes."""


class Reading(Protocol):
    """One rule."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that pool their parts over all images; the first is the headline's."""
        ...

    @property
    def made(self) -> tuple[str, ...]:
        """The columns that `combined` makes of those."""
        ...

    def parts(self, prompt: TextPrompt, read: str, language: str) -> Mapping[str, Part]:
        """What one reading of one image adds to each column. Raises SampleError where there is no truth."""
        ...

    def combined(self, means: Mapping[str, float], language: str) -> dict[str, float]:
        """Columns that are made of the pooled ones."""
        ...


class _Plain:
    made: tuple[str, ...] = ()

    def combined(self, means: Mapping[str, float], language: str) -> dict[str, float]:
        return {}


class LongText(_Plain):
    """LongText-Bench: the words (Chinese: characters) of the truth that were read, over all of them."""

    columns: tuple[str, ...] = ("text_accuracy",)

    def parts(self, prompt: TextPrompt, read: str, language: str) -> Mapping[str, Part]:
        wanted = cast(Literal["en", "zh"], language)
        right, words = longtext_counts(prompt.texts, longtext_clean(read), wanted)
        return {"text_accuracy": (float(right), words)}


class Cvtg(_Plain):
    """CVTG-2K: words that were read, over all words; and their mean closeness to what was read (NED, higher
    is better)."""

    columns: tuple[str, ...] = ("word_accuracy", "NED")

    def parts(self, prompt: TextPrompt, read: str, language: str) -> Mapping[str, Part]:
        words = [word for text in prompt.texts for word in quoted_words(text)]
        found = cvtg_words(words, read.split("\n"))
        return {
            "word_accuracy": (float(found.right), len(words)),
            "NED": (sum(found.similarity), len(words)),
        }


class OneIg:
    """OneIG-Bench: mean edit distance (ED), share of exact readings (CR), share of words (WAC), and the score
    of the three."""

    columns: tuple[str, ...] = ("ED", "CR", "WAC")
    made: tuple[str, ...] = ("text score",)

    def parts(self, prompt: TextPrompt, read: str, language: str) -> Mapping[str, Part]:
        found = oneig_reading(prompt.texts[0], read)
        return {
            "ED": (float(found.distance), 1),
            "CR": (float(found.distance == 0), 1),
            "WAC": (float(found.matched), found.words),
        }

    def combined(self, means: Mapping[str, float], language: str) -> dict[str, float]:
        most = 100 if language == "en" else 50
        distance, exact, words = (means[name] for name in self.columns)
        return {"text score": 1 - min(most, distance) * (1 - exact) * (1 - words) / most}


class Tiif(_Plain):
    """TIIF-Bench: normalised edit distance of a matching of words (GNED, lower is better), and recall; means
    over images."""

    columns: tuple[str, ...] = ("GNED", "recall")

    def parts(self, prompt: TextPrompt, read: str, language: str) -> Mapping[str, Part]:
        truth = [text.lower() for text in prompt.texts]
        lines = [line.lower() for line in read.split("\n")]
        return {"GNED": (tiif_gned(truth, lines), 1), "recall": (tiif_recall(truth, lines), 1)}


READINGS: Mapping[str, Reading] = MappingProxyType(
    {"cvtg": Cvtg(), "longtext": LongText(), "oneig": OneIg(), "tiif": Tiif()}
)


def pooled(parts: Sequence[Mapping[str, Part]], column: str) -> Callable[[Any], float]:
    """The sum of the parts over the sum of their counts, for rows that resampling chooses."""
    import numpy as np

    sums, counts = (np.asarray([part[column][place] for part in parts], dtype=np.float64) for place in (0, 1))

    def mean(places: Any) -> float:
        total = float(counts[places].sum())
        return float(sums[places].sum()) / total if total else float("nan")

    return mean


def added(parts: Sequence[Mapping[str, Part]]) -> dict[str, Part]:
    """The parts of a prompt's images, added. Raises SampleError without images."""
    if not parts:
        raise SampleError("there is no image to read")
    return {
        name: (sum(part[name][0] for part in parts), sum(part[name][1] for part in parts))
        for name in parts[0]
    }
