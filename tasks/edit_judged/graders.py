"""How a judge grades an edit: VIEScore as GEdit-Bench has it, and ImgEdit-Bench's prompts."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from importlib import resources
from typing import Protocol

from evalsuite.content import Document, Image, Message, Part, Text
from evalsuite.errors import SampleError
from evalsuite.task import Judgement, Located
from evalsuite.task.judged import Chat
from evalsuite.task.metrics import (
    checked_imgedit_grade,
    checked_scores,
    imgedit_grade,
    parse_viescore,
    viescore,
)
from evalsuite.task.readers import decode, field, read_json

from .readers import JudgedEdit


class Grader(Protocol):
    """One way to have an edit graded."""

    def question(self, edit: JudgedEdit, result: Image, said: Sequence[Judgement]) -> Chat | None:
        """What to ask next; None when all is said."""
        ...

    def prepared(self, edit: JudgedEdit, chat: Chat) -> Chat:
        """A question as it is sent. Raises DataError for an image that cannot be decoded."""
        ...

    def grade(self, said: Sequence[Judgement]) -> Mapping[str, float]:
        """Score column -> value. Raises SampleError where the judge gave nothing that can be read."""
        ...


class Viescore:
    """Two questions: semantic consistency (SC), shown source and result; perceptual quality (PQ), shown the
    result. Each answer is a list of scores from 0 to 10 of which the least counts; O is the root of their
    product.

    Both are asked again, once, when either answer cannot be read. Where the official script then samples a
    random score, ours is a failure.

    Args:
        images_first: images stand before the text, lossless, as the script asks Qwen2.5-VL; else behind it,
            as JPEG, as it asks GPT.
        max_tokens, temperature: as the script has them.
        checked: a reply counts only with both scores, each from 0 to 10; else whatever the script counts
        does.
    """

    _ROUNDS = 2

    def __init__(
        self, *, images_first: bool, max_tokens: int, temperature: float | None, checked: bool = True
    ) -> None:
        self._checked = checked
        self._images_first = images_first
        self._max_tokens = max_tokens
        self._temperature = temperature

    def question(self, edit: JudgedEdit, result: Image, said: Sequence[Judgement]) -> Chat | None:
        turn, quality = divmod(len(said), 2)
        if quality:
            return self._chat(_wording()["quality"], (result,))
        if turn == self._ROUNDS or (turn and _scores(said) is not None):
            return None
        return self._chat(
            _wording()["semantics"].replace("<instruction>", edit.instruction), (edit.source, result)
        )

    def prepared(self, edit: JudgedEdit, chat: Chat) -> Chat:
        """The result resized to the source's size, both encoded as the script does it."""
        # The hub's library turns images upright when it decodes them, and the script writes them out like
        # that.
        source = decode(edit.source, apply_orientation=True)
        kind = "PNG" if self._images_first else "JPEG"

        def part(shown: Part) -> Part:
            if isinstance(shown, Text):
                return shown
            resized = source if shown is edit.source else decode(shown).resize(source.size)
            stream = io.BytesIO()
            resized.save(stream, kind)
            return Image(stream.getvalue(), name=shown.label)

        (message,) = chat.messages
        return replace(chat, messages=(Message("user", tuple(map(part, message.parts))),))

    def grade(self, said: Sequence[Judgement]) -> Mapping[str, float]:
        _heard(said)
        scores = _scores(said)
        if scores is None:
            raise SampleError(
                f"the judge's scores cannot be read: {' / '.join(j.text for j in said[-2:])!r:.200}"
            )
        if self._checked:
            for judgement in said[-2:]:
                checked_scores(parse_viescore(judgement.text))
        return dict(zip(("G_SC", "G_PQ", "G_O"), scores, strict=True))

    def _chat(self, text: str, images: Document) -> Chat:
        words: Document = (Text(text),)
        parts = (*images, *words) if self._images_first else (*words, *images)
        return Chat((Message("user", parts),), max_tokens=self._max_tokens, temperature=self._temperature)


def _scores(said: Sequence[Judgement]) -> tuple[float, float, float] | None:
    """SC, PQ and O of the last round; None where one of them cannot be read."""
    semantics, quality = (parse_viescore(judgement.text) for judgement in said[-2:])
    try:
        if semantics is None or quality is None:
            return None
        return viescore(semantics["score"], quality["score"])
    except (
        KeyError,
        TypeError,
        ValueError,
        SampleError,
    ):  # an object without scores, or scores that are no numbers
        return None


class ImgEdit:
    """One question: the prompt of the edit's type from the benchmark's own file, then source and result;
    every line `name: digits` of the answer is a score from 1 to 5, and their mean, to 2 places, is the grade.

    Args:
        checked: an answer counts only with three such lines, each from 1 to 5; else whatever the script
        counts.
    """

    def __init__(self, source: Located, *, checked: bool = True) -> None:
        self._source = source
        self._checked = checked

    @cached_property
    def _prompts(self) -> Mapping[str, object]:
        found: Mapping[str, object] = read_json(self._source.path("prompts"))
        return found

    def question(self, edit: JudgedEdit, result: Image, said: Sequence[Judgement]) -> Chat | None:
        if said:
            return None
        prompt = field(self._prompts, edit.kind, str, str(self._source.path("prompts")))
        text = Text(prompt.replace("<edit_prompt>", edit.instruction))
        return Chat((Message("user", (text, edit.source, result)),))

    def prepared(self, edit: JudgedEdit, chat: Chat) -> Chat:
        return chat

    def grade(self, said: Sequence[Judgement]) -> Mapping[str, float]:
        _heard(said)
        if self._checked:
            return {"score": checked_imgedit_grade(said[-1].text)}
        grade = imgedit_grade(said[-1].text)
        if grade is None:
            raise SampleError(f"the judge's answer has no line `name: digits`: {said[-1].text!r:.200}")
        return {"score": grade}


def _heard(said: Sequence[Judgement]) -> None:
    for judgement in said:
        if judgement.failure:
            raise SampleError(f"the judge gave nothing: {judgement.failure}")


@cache
def _wording() -> dict[str, str]:
    """The official prompts; their source and licence stand in the file."""
    text = resources.files(__package__).joinpath("viescore.json").read_text(encoding="utf-8")
    wording: dict[str, str] = json.loads(text)
    return wording
