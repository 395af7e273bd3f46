"""What a judge was asked about an answer beside what it said, for reports and contact sheets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from evalsuite.content import Text
from evalsuite.endpoint.types import Chat
from evalsuite.errors import SampleError
from evalsuite.judging.exchange import Exchange, Place
from evalsuite.judging.protocol import Judged
from evalsuite.request import ImageResponse
from evalsuite.task import Answered, Judgement

_HEAD, _TAIL = 120, 240
"""Characters of a long question that are shown: rubrics fill pages, and what differs stands at their end."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was put, and what was said to it.

    Args:
        question: its words; a long one is cut in the middle.
        images: which of the answer's images it shows, from 0.
    """

    question: str
    images: tuple[int, ...]
    said: Judgement


def asked_about(task: Judged, answered: Answered, known: Mapping[Place, Judgement], run: int) -> list[Asked]:
    """The questions of one pass of a judge over an answer, as far as it got, in order.

    Questions that were asked under other rules are not among them: nothing stored belongs to those made here.
    """
    return [asked for _, asked in _one_pass(task, answered, known, run)]


def questions_asked(task: Judged, answered: Answered, known: Mapping[Place, Judgement]) -> dict[Place, Asked]:
    """Every question of these judgements that the task asks, by place."""
    runs = sorted({run for _, _, run in known})
    return {place: asked for run in runs for place, asked in _one_pass(task, answered, known, run)}


def _one_pass(
    task: Judged, answered: Answered, known: Mapping[Place, Judgement], run: int
) -> Iterator[tuple[Place, Asked]]:
    exchange = Exchange(task, answered)
    with suppress(SampleError):  # cannot be judged: the score says so
        while (question := exchange.next()) is not None:
            place = question.digest, question.attempt, run
            if place not in known:
                return
            exchange.add(question, known[place])
            yield place, Asked(words_of(question.chat), _images(question.chat, answered), known[place])


def words_of(chat: Chat) -> str:
    """The text of the last turn on one line, long ones cut in the middle.

    >>> from evalsuite.content import Message
    >>> words_of(Chat((Message("user", (Text("is there\\na cat?"),)),)))
    'is there a cat?'
    """
    text = " ".join(" ".join(p.text for p in chat.messages[-1].parts if isinstance(p, Text)).split())
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]} … {text[-_TAIL:]}"


def _images(chat: Chat, answered: Answered) -> tuple[int, ...]:
    response = answered.response
    if not isinstance(response, ImageResponse):
        return ()
    shown: Sequence[object] = chat.messages[-1].parts
    return tuple(place for place, image in enumerate(response.images) if any(image is part for part in shown))
