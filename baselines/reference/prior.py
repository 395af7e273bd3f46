"""The question-only baseline: how far one gets on a benchmark without looking at the image."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import ChoiceResponse, Request, ScoreChoices, TextResponse

from .bounds import LOWER_BOUND
from .prompts import options_of, question_of, stem_of
from .training_answers import TrainingAnswers


class QuestionPrior:
    """Answers with the training answers' majority for the same question.

    A question that was never seen takes the answers of the seen questions that share most words with it
    (Jaccard overlap). Asked for a letter, it takes the option whose text is the most frequent answer; asked
    for a caption (no question mark), the most frequent training caption.
    """

    def __init__(self, known: TrainingAnswers) -> None:
        self._known = known
        self._words = {question: frozenset(question.split()) for question in known.by_question}
        self._cache: dict[str, Counter[str]] = {}
        self._info = ModelInfo(
            "question-prior",
            known.fingerprint("question-prior"),
            details={"answers": known.source, **LOWER_BOUND},
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, question_of(request))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse(self._answer(item.payload), tokens=1) for item in batch]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        """Log of the add-one smoothed frequency of each choice."""
        responses = []
        for item in batch:
            assert isinstance(item.request.output, ScoreChoices)
            counts = self._answers(stem_of(item.payload))
            total = counts.total() + len(item.request.output.choices)
            responses.append(
                ChoiceResponse(
                    tuple(
                        math.log((counts[choice.strip().lower()] + 1) / total)
                        for choice in item.request.output.choices
                    )
                )
            )
        return responses

    def _answer(self, text: str) -> str:
        options = options_of(text)
        if not options and "?" not in text and text not in self._known.by_question and self._known.captions:
            return self._known.captions.most_common(1)[0][0]
        counts = self._answers(stem_of(text))
        if options:
            return max(options, key=lambda option: counts[option[1].lower()])[0]
        return max(counts, key=lambda answer: (counts[answer], answer)) if counts else ""

    def _answers(self, question: str) -> Counter[str]:
        if question in self._known.by_question:
            return self._known.by_question[question]
        if question not in self._cache:
            self._cache[question] = self._nearest(frozenset(question.split()))
        return self._cache[question]

    def _nearest(self, words: frozenset[str]) -> Counter[str]:
        best, counts = 0.0, Counter[str]()
        for question, others in self._words.items():
            overlap = len(words & others) / len(words | others) if words or others else 0.0
            if overlap > best:
                best, counts = overlap, Counter(self._known.by_question[question])
            elif overlap == best and overlap > 0:
                counts.update(self._known.by_question[question])
        return counts
