"""What a model is asked for, and what a judge is asked about its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from evalsuite.content import Document, Image
from evalsuite.request import ADDED

Shown = Literal["source", "reference", "result"]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """An image as a question shows it.

    Args:
        caption: the text before it.
        place: which of several sources or references; None: all of them.
    """

    image: Shown
    caption: str = ""
    place: int | None = None


@dataclass(frozen=True, slots=True)
class RubricQuestion:
    """One question to the judge.

    Args:
        name: what it grades.
        wording: key of its wording in the benchmark's settings.
        shows: the images behind the text, in this order.
    """

    name: str
    wording: str
    shows: tuple[Shown | Exhibit, ...] = ("result",)


@dataclass(frozen=True, slots=True)
class RubricItem:
    """One image, or one document, to be made.

    Args:
        sources: images that the model gets, and the judge is shown as `source`.
        references: images that only the judge is shown.
        fields: of the judge's wording.
        labels: for breakdowns and aggregations.
        free_column: RISEBench's data have the column `consistency_free`; see `metrics.rubric.rise_score`.
        document: what the model gets where that is text and images in an order of its own.
        rival: what another model wrote, where two documents are compared.
    """

    id: str
    instruction: str
    questions: tuple[RubricQuestion, ...]
    sources: tuple[Image, ...] = ()
    references: tuple[Image, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    free_column: bool = False
    document: Document = field(default=(), metadata=ADDED)
    rival: Document = field(default=(), metadata=ADDED)
