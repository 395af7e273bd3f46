"""The samples of a cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalsuite.content import Image
from evalsuite.task import Kind


@dataclass(frozen=True, slots=True)
class CycleQuestion:
    """A question that is asked about an image.

    Args:
        options: letter -> text; empty for an open or a yes-or-no question.
        answers: the right letter or texts; empty where they are not public.
        labels: for aggregations over answers.
        about: what a checker of the images needs to answer it for an image (the miniature).
    """

    text: str
    answers: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = "letters"
    labels: Mapping[str, str] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True, slots=True)
class Rubric:
    """What a judge is asked about a sample's results.

    Args:
        ask: which wording of `settings: judge: ask` it is put into.
        text: the criterion, or the question.
        expected: the right reply, where replies are yes or no.
    """

    ask: str
    text: str
    expected: str = ""


@dataclass(frozen=True, slots=True)
class CycleSample:
    """What a cycle begins with.

    Args:
        rubrics: what a judge is asked about what it ends with.
        fields: texts of templates.
        images: images of templates, by field (`image`, `true`).
        truth: what a checker of generated images compares them with.
        problem: why it cannot be run (a damaged image); empty where it can.
    """

    id: str
    fields: Mapping[str, str]
    questions: tuple[CycleQuestion, ...]
    images: Mapping[str, tuple[Image, ...]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    truth: Any = None
    problem: str = ""
    rubrics: tuple[Rubric, ...] = ()
