"""The majority baseline: the same answer to everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import ChoiceResponse, Request, ScoreChoices, TextResponse

from .bounds import LOWER_BOUND
from .prompts import options_of, question_of
from .training_answers import TrainingAnswers


class MajorityAnswer:
    """Gives training's most frequent answer to every question, and its most frequent caption to the rest.

    Among lettered options it takes the one whose answer was the most frequent in training, and the first
    where none was ever given.
    """

    def __init__(self, known: TrainingAnswers) -> None:
        self._counts: Counter[str] = Counter()
        for counts in known.by_question.values():
            self._counts.update(counts)
        self._answer = _most(self._counts)
        self._caption = _most(known.captions)
        self._info = ModelInfo(
            "majority",
            known.fingerprint("majority"),
            details={"answers": known.source, "answer": self._answer, **LOWER_BOUND},
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, question_of(request))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse(self._said(item.payload), tokens=1) for item in batch]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        """How often each choice was an answer in training, whatever the question."""
        responses = []
        for item in batch:
            assert isinstance(item.request.output, ScoreChoices)
            found = [self._counts[choice.strip().lower()] for choice in item.request.output.choices]
            responses.append(ChoiceResponse(tuple(map(float, found))))
        return responses

    def _said(self, text: str) -> str:
        options = options_of(text)
        if options:
            return max(options, key=lambda option: self._counts[option[1]])[0]
        return self._answer if "?" in text or not self._caption else self._caption


def _most(counts: Counter[str]) -> str:
    """The most frequent; among equally frequent ones the first in the alphabet."""
    return min(counts, key=lambda name: (-counts[name], name)) if counts else ""
