"""Models that decode every image they are shown and misbehave on request; given to runs as a plugin file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import Request, TextResponse


class Speechless(Exception):
    """Its text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Panic(BaseException):
    """As a library in Rust raises it."""


class Looker:
    """Says "yes", having decoded all images. Options: `trouble` (a name below), `when` (a text of the
    question at which it happens; all by default), `delay` (seconds per batch), `name`."""

    independent_requests = True

    def __init__(self, options: ModelOptions) -> None:
        self._o = dict(options.options)
        if self._o.get("trouble") == "exit-at-start":
            sys.exit(0)
        if self._o.get("trouble") == "bug-at-start":
            raise ZeroDivisionError("the adapter has a bug\x1b[2J")
        if self._o.get("trouble") == "speechless-at-start":
            raise Speechless
        details: dict[str, Any] = {}
        if self._o.get("trouble") == "cyclic-info":
            details["self"] = details
        self.info = ModelInfo(self._o.get("name", "looker"), "v1", details=details)

    def prepare(self, request: Request) -> Prepared:
        if self._applies("unprepared", request):
            sys.exit(3)
        for image in request.images:
            decode(image)
        return Prepared(request, request.messages[-1].text)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        time.sleep(float(self._o.get("delay", "0")))
        return [self._answer(prepared) for prepared in batch]

    def _answer(self, prepared: Prepared) -> TextResponse:
        request, cyclic = prepared.request, {}  # type: ignore[var-annotated]
        cyclic["self"] = cyclic
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        for name, error in (
            ("exit", SystemExit(0)),
            ("panic", Panic("unwrap of nothing")),
            ("speechless", Speechless()),
            ("recursion", RecursionError("maximum recursion depth exceeded")),
        ):
            if self._applies(name, request):
                raise error
        if self._applies("cyclic", request):
            return TextResponse("yes", details={"cyclic": cyclic, "kept": 1})
        if self._applies("deep", request):
            return TextResponse("yes", details={"deep": deep})
        if self._applies("digits", request):
            return TextResponse("yes", details={"number": 10**5000})
        if self._applies("long", request):
            return TextResponse("no " * 70_000_000)
        if self._applies("hostile", request):
            return TextResponse(HOSTILE)
        return TextResponse("yes")

    def _applies(self, name: str, request: Request) -> bool:
        return self._o.get("trouble") == name and self._o.get("when", "") in request.messages[-1].text


HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u202c :m: [red]x[/red] "
    "=cmd|' /C calc'!A0 \x00\x9b31m <script>1</script>"
)


class Drawer:
    """Gives the images of files that are gone before they can be stored."""

    independent_requests = True

    def __init__(self, options: ModelOptions) -> None:
        self.info = ModelInfo("drawer", "v1")

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, None)

    def generate_images(self, batch: Sequence[Prepared]) -> list[Any]:
        from evalsuite.request import ImageResponse

        return [ImageResponse((Image(path=Path("/nowhere/image.png")),)) for _ in batch]


def models() -> list[ModelEntry]:
    return [
        ModelEntry("looker", "looks", frozenset({"text"}), Looker),
        ModelEntry("drawer", "draws nothing", frozenset({"image"}), Drawer),
    ]
