"""Reference rows: what a number means without looking, without thinking, or without doing anything."""

from __future__ import annotations

from collections.abc import Iterator

from evalsuite.model import Model
from evalsuite.registry import ModelEntry, ModelOptions


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "random",
        "chance: a random answer of the training set, a random option, an image of noise",
        frozenset({"text", "choices", "image", "edit"}),
        _random,
    )
    yield ModelEntry(
        "question-prior",
        "question-only: the most frequent training answer to the same question, never looks at the image",
        frozenset({"text", "choices"}),
        _prior,
    )
    yield ModelEntry(
        "copy-source",
        "editing without editing: returns the source image",
        frozenset({"edit"}),
        _copy,
    )


def _random(options: ModelOptions) -> Model:
    from .chance import RandomAnswers
    from .training_answers import load

    return RandomAnswers(load(options.options.get("answers", "")))


def _prior(options: ModelOptions) -> Model:
    from .prior import QuestionPrior
    from .training_answers import load

    return QuestionPrior(load(options.options.get("answers", "")))


def _copy(options: ModelOptions) -> Model:
    from .copying import CopySource

    return CopySource()
