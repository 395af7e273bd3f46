"""A prompt with the text that its images should show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """A prompt.

    Args:
        texts: what the images should say, in the benchmark's own pieces (lines, words, one text).
        labels: for breakdowns.
        max_tokens: limit on a reading; None leaves it to the settings.
    """

    id: str
    prompt: str
    texts: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
