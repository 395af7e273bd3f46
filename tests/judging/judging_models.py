"""A plugin with models that judge in this process; they grade MM-Vet's answers and write down their batches.

`grader` gives 0.5 for "x = -1", else 1.0. Options: `log`, a file for the size of every batch; `mumble`, an
answer for which it gives no grade until it is asked with a temperature; `stumble`, an answer that it cannot
read; `leaves`, the number of questions after which it can answer no more; `weights`, its fingerprint;
`questions`, a file for every answer that it is to grade; `delay`, seconds for a batch; `kills`, an answer
that ends its process.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from evalsuite.errors import SampleError, UnavailableError
from evalsuite.model import ModelEntry, ModelInfo, ModelOptions, Option, Prepared
from evalsuite.request import GenerateText, Request, TextResponse

OPTIONS = (
    Option("log", "file for the size of every batch", Path),
    Option("mumble", "answer without a grade at temperature 0"),
    Option("stumble", "answer that it cannot read"),
    Option("leaves", "questions that it answers", int, 10**6),
    Option("weights", "its fingerprint", default="12345678"),
    Option("questions", "file for every answer that it grades", Path),
    Option("delay", "seconds for a batch", float, 0.0),
    Option("kills", "answer that ends its process"),
)


class Grader:
    def __init__(self, options: ModelOptions) -> None:
        given = options.options
        self._log = given.get("log", "")
        self._mumble, self._stumble = given.get("mumble"), given.get("stumble")
        self._left = int(given.get("leaves", 10**6))
        self._questions = given.get("questions", "")
        self._delay, self._kills = float(given.get("delay", 0)), given.get("kills")
        self.info = ModelInfo("grader", given.get("weights", "12345678"))

    def prepare(self, request: Request) -> Prepared:
        answer = request.messages[-1].text.rsplit(" | ", 2)[-2]
        if answer == self._stumble:
            raise SampleError("It cannot read this.")
        return Prepared(request, answer, cost=float(len(answer)), group=request.output)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        if self._log:
            with Path(self._log).open("a") as stream:
                stream.write(f"{len(batch)}\n")
        if self._questions:
            with Path(self._questions).open("a") as stream:
                stream.write("".join(f"{prepared.payload}\n" for prepared in batch))
        time.sleep(self._delay)
        if any(prepared.payload == self._kills for prepared in batch):
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= len(batch)
        if self._left < 0:
            raise UnavailableError("The device is gone.")
        return [self._grade(prepared) for prepared in batch]

    def _grade(self, prepared: Prepared) -> TextResponse:
        output = prepared.request.output
        assert isinstance(output, GenerateText)
        if prepared.payload == self._mumble and not output.temperature:
            return TextResponse("hm", tokens=1)
        return TextResponse("0.5" if prepared.payload == "x = -1" else "1.0", tokens=3)


def models() -> Iterator[ModelEntry]:
    yield ModelEntry("grader", "grades", frozenset({"text"}), Grader, options=OPTIONS)
    yield ModelEntry("painter", "cannot judge", frozenset({"image"}), Grader)
