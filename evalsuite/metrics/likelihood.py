"""Multiple choice from log-likelihoods, as EleutherAI/lm-evaluation-harness decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalsuite.errors import SampleError

__all__ = ["LikelihoodChoice", "choose"]


@dataclass(frozen=True, slots=True)
class LikelihoodChoice:
    """Index of the chosen continuation, by each of lm-evaluation-harness's normalisations.

    Args:
        plain: the highest log-likelihood ("acc").
        per_character: the highest log-likelihood per character of the choice ("acc_norm").
        per_byte: per UTF-8 byte of the choice ("acc_bytes").
    """

    plain: int
    per_character: int
    per_byte: int


def choose(loglikelihoods: Sequence[float], choices: Sequence[str]) -> LikelihoodChoice:
    """The choice of a model from the log-likelihoods of the continuations; the first wins a tie.

    Args:
        loglikelihoods: sum of log p over the tokens of each continuation given the context; -inf is allowed.
        choices: the texts whose lengths normalise, *without* the space that separates them from the context.

    >>> choose([-4.0, -5.0], ["cat", "elephant"])
    LikelihoodChoice(plain=0, per_character=1, per_byte=1)
    """
    if not choices or len(loglikelihoods) != len(choices):
        raise SampleError(f"{len(choices)} choices came with {len(loglikelihoods)} log-likelihoods.")
    sums = np.asarray(loglikelihoods, dtype=np.float64)
    if np.isnan(sums).any():
        raise SampleError("A log-likelihood is NaN.", "Check the model's precision.")
    characters = np.array([float(len(choice)) for choice in choices])
    encoded = np.array([float(len(choice.encode("utf-8"))) for choice in choices])
    # An empty choice divides by zero, as in the harness: its share is -inf.
    with np.errstate(divide="ignore", invalid="ignore"):
        return LikelihoodChoice(
            plain=int(np.argmax(sums)),
            per_character=int(np.argmax(sums / characters)),
            per_byte=int(np.argmax(sums / encoded)),
        )
