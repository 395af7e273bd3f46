"""A question of a rubric as it is put to the judge: turns, images with their captions, encoding."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from evalsuite.content import Document, Image, Message, Part, Text
from evalsuite.errors import SpecError
from evalsuite.task import Located
from evalsuite.task.judged import Chat
from evalsuite.task.readers import decode
from evalsuite.task.wording import Wording, filled

from .layouts import LAYOUTS
from .records import Exhibit, RubricItem, RubricQuestion
from .settings import Settings, Worded


class Chats:
    """Makes the judge's chats of one benchmark.

    Raises DataError where the benchmark's own files lack a wording, SpecError where its settings do.
    """

    def __init__(self, benchmark: str, settings: Settings, source: Located) -> None:
        self._benchmark = benchmark
        self._settings = settings
        self._source = source

    def chat(self, item: RubricItem, asked: RubricQuestion, result: Document) -> Chat:
        """One question about what the model made of an item."""
        settings = self._settings
        if settings.layout:
            parts = LAYOUTS[settings.layout](item, result, self._text(asked.wording))
        else:
            words = filled(self._text(asked.wording), item.fields)
            text = (Text(words),) if words else ()
            shown = self._shown(item, asked, result)
            parts = (*shown, *text) if settings.images_first else (*text, *shown)
        form = settings.format.get(asked.wording)
        extra: dict[str, Any] = {} if form is None else {"response_format": form}
        return Chat(
            (*self._before(asked.wording), Message("user", parts)),
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            extra=extra,
        )

    def prepared(self, chat: Chat, result: Document) -> Chat:
        """The chat with its images as the protocol encodes them."""
        if not self._settings.encodes:
            return chat
        *head, last = chat.messages
        made = {id(part) for part in result}
        parts = tuple(self._encoded(part, given=id(part) not in made) for part in last.parts)
        return replace(chat, messages=(*head, Message(last.role, parts)))

    def _shown(self, item: RubricItem, asked: RubricQuestion, result: Document) -> Document:
        images: dict[str, Sequence[Part]] = {
            "source": item.sources,
            "reference": item.references,
            "result": result,
        }
        parts: list[Part] = []
        for one in asked.shows:
            exhibit = one if isinstance(one, Exhibit) else Exhibit(one)
            several = images[exhibit.image]
            chosen = several if exhibit.place is None else several[exhibit.place : exhibit.place + 1]
            parts += [*([Text(exhibit.caption)] if exhibit.caption else []), *chosen]
        return tuple(parts)

    def _text(self, key: str) -> str:
        if key not in self._settings.wording:
            raise SpecError(f"{self._benchmark}: settings.wording has no {key!r}.")
        return self._worded(self._settings.wording[key])

    def _before(self, key: str) -> tuple[Message, ...]:
        turns = [("system", self._system), *self._turns(key)]
        return tuple(Message(role, (Text(text),)) for role, text in turns if text)  # type: ignore[arg-type]

    def _turns(self, key: str) -> list[tuple[str, str]]:
        return [(turn.role, self._worded(turn.text)) for turn in self._settings.before.get(key, ())]

    @cached_property
    def _system(self) -> str:
        return self._worded(self._settings.system)

    def _worded(self, wording: Worded) -> str:
        parts = wording if isinstance(wording, tuple) else (wording,)
        return "".join(part.text(self._source) if isinstance(part, Wording) else part for part in parts)

    def _encoded(self, part: Part, *, given: bool) -> Part:
        if isinstance(part, Text):
            return part
        settings = self._settings
        image = decode(part, apply_orientation=True)
        if settings.size is not None:
            image = image.convert("RGB").resize(settings.size)
        if settings.longest_side is not None:
            image.thumbnail((settings.longest_side, settings.longest_side))
        if given and settings.source_pixels is not None:
            width, height = image.size
            ratio = min(1.0, math.sqrt(settings.source_pixels / (width * height)))
            width, height = (max(16, int(side * ratio) // 16 * 16) for side in (width, height))
            image = image.resize((width, height))
        stream = io.BytesIO()
        image.convert("RGB").save(stream, "JPEG" if settings.jpeg else "PNG")
        return Image(stream.getvalue(), name=part.label)
