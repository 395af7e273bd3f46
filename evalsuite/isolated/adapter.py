"""The model that the engine sees: its answers come from a child in another interpreter."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalsuite.content import Image, Text
from evalsuite.errors import (
    AdapterError,
    CheckpointError,
    OutOfMemoryError,
    SampleError,
    SpecError,
    UnavailableError,
)
from evalsuite.isolated.frames import encode_requests
from evalsuite.isolated.host import Child, ChildDied, ChildKilledError
from evalsuite.model import ModelInfo, ModelOptions, Prepared
from evalsuite.request import (
    ChoiceResponse,
    DocumentResponse,
    ImageResponse,
    Request,
    TextResponse,
    fingerprint,
)

log = logging.getLogger(__name__)

OWN = ("python", "silence", "startup_timeout", "restarts", "name")


class IsolatedModel:
    """An adapter file in its own interpreter.

    Options: `python`, the interpreter or a command that runs one; `startup_timeout` (1800 s); `silence` (120
        s): how long a child may give no sign of life; `restarts` (3): requests in a row that no child
        survived, after which the run stops; `name`. Everything else goes to the adapter's `load`.

    A child that dies fails the batch; the engine asks its requests one by one. A request whose child dies
    while it is alone is asked once more of a new one: what was killed from outside costs no sample, and only
    a request that kills twice fails.

    Args:
        adapter: the file; None takes the options' argument.
        argument: for `load`, as the option `argument`; None where the argument is the file.
    """

    def __init__(self, options: ModelOptions, adapter: Path | None = None) -> None:
        given = dict(options.options)
        path = adapter or Path(options.argument)
        if not path.is_file():
            raise SpecError(
                f"There is no adapter file {path}.", "Give the path of a Python file with load()."
            )
        if "python" not in given:
            raise SpecError(
                f"{path.name} needs its own Python interpreter, and none is given.",
                "Add --option python=/path/to/environment/bin/python.",
            )
        passed = {name: value for name, value in given.items() if name not in OWN}
        passed |= {"device": options.device, "dtype": options.dtype}
        if adapter is not None:
            passed["argument"] = options.argument
        self._child = Child(
            given["python"], path, passed,
            silence=_number(given, "silence", 120.0), startup=_number(given, "startup_timeout", 1800.0),
        )  # fmt: skip
        self._restarts = int(_number(given, "restarts", 3))
        self._deaths = 0
        about = self._started()
        weakref.finalize(self, Child.stop, self._child)
        self.capabilities = frozenset(about["capabilities"])
        versions = {"python": about["python"], **about["versions"]}
        self._info = ModelInfo(
            given.get("name") or about["name"] or path.stem,
            about["fingerprint"] or fingerprint([path.read_text(encoding="utf-8"), passed]),
            about["parameters"],
            {**about["details"], "isolated": {"adapter": path.name, "versions": versions}},
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        """The request for the wire, images read; the child decodes them in its own way."""
        described, blobs = encode_requests([request])
        size = sum(map(len, blobs)) + sum(len(m.text) for m in request.messages)
        return Prepared(request, (described[0], blobs), cost=float(size), group=request.output.capability)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse | SampleError]:
        return [
            answer if isinstance(answer, SampleError) else _text(answer)
            for answer, _ in self._ask("generate_text", batch)
        ]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse | SampleError]:
        return [
            answer if isinstance(answer, SampleError) else _choices(answer)
            for answer, _ in self._ask("score_choices", batch)
        ]

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse | SampleError]:
        return [
            answer if isinstance(answer, SampleError) else _images(answer, blobs)
            for answer, blobs in self._ask("generate_images", batch)
        ]

    def generate_documents(self, batch: Sequence[Prepared]) -> list[DocumentResponse | SampleError]:
        return [
            answer if isinstance(answer, SampleError) else _document(answer, blobs)
            for answer, blobs in self._ask("generate_documents", batch)
        ]

    def _ask(self, method: str, batch: Sequence[Prepared]) -> list[tuple[Any, list[bytes]]]:
        requests: list[dict[str, Any]] = []
        blobs: list[bytes] = []
        for item in batch:
            request, own = item.payload
            requests.append(_shifted(request, len(blobs)))
            blobs += own
        frame, found = self._answered(method, requests, blobs)
        if frame["kind"] == "failed":
            error = str(frame.get("error", ""))
            match frame.get("what"):
                case "memory":
                    raise OutOfMemoryError(error)
                case "unavailable":
                    raise UnavailableError(error)
                case _:
                    raise SampleError(error)
        answers = frame.get("answers")
        if not isinstance(answers, list) or len(answers) != len(batch):
            count = len(answers) if isinstance(answers, list) else "no list of"
            raise AdapterError(
                f"{self._info.name} gave {count} answers to {len(batch)} requests.",
                f"{method} must return one answer for each request, in order.",
            )
        return [
            (SampleError(str(one["failed"])) if isinstance(one, dict) and "failed" in one else one, found)
            for one in answers
        ]

    def _answered(
        self, method: str, requests: list[dict[str, Any]], blobs: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        for again in (True, False) if len(requests) == 1 else (False,):
            try:
                if not self._child.alive:
                    self._started()
                answer = self._child.ask(method, requests, blobs)
            except (ChildDied, CheckpointError) as error:
                if not again:
                    raise self._given_up(len(requests), error) from error
                log.warning("%s: %s; asking once more", self._info.name, error.what)
            else:
                self._deaths = 0
                return answer
        raise AssertionError("unreachable")

    def _started(self) -> dict[str, Any]:
        """Starts the child; once more where something killed it while it loaded."""
        try:
            return self._child.start()
        except ChildKilledError as error:
            log.warning("%s starting it once more", error.what)
            return self._child.start()

    def _given_up(self, count: int, error: ChildDied | CheckpointError) -> SampleError | UnavailableError:
        """What the engine gets for requests that no child survived: after too many of them, the end."""
        self._deaths += 1
        if self._deaths > self._restarts and count == 1:
            return UnavailableError(
                f"{self._info.name} died over {self._deaths} requests in a row ({error.what}).",
                f"Its output is in {self._child.log}.",
            )
        return SampleError(f"{self._info.name}: {error.what}")


def _shifted(request: dict[str, Any], offset: int) -> dict[str, Any]:
    """The request with its images' blobs numbered behind those of the requests before it."""
    if not offset:
        return request
    messages = [
        {
            **message,
            "parts": [
                {**part, "image": part["image"] + offset} if "image" in part else part
                for part in message["parts"]
            ],
        }
        for message in request["messages"]
    ]
    return {**request, "messages": messages}


def _text(answer: dict[str, Any]) -> TextResponse:
    return TextResponse(
        _field(answer, "text", str),
        answer.get("tokens"),
        bool(answer.get("truncated")),
        answer.get("details") or {},
    )


def _choices(answer: dict[str, Any]) -> ChoiceResponse:
    values = tuple(float(value) for value in _field(answer, "log_likelihoods", list))
    return ChoiceResponse(values, tuple(answer.get("token_counts") or ()), answer.get("details") or {})


def _images(answer: dict[str, Any], blobs: list[bytes]) -> ImageResponse:
    places = _field(answer, "images", list)
    return ImageResponse(tuple(Image(blobs[place]) for place in places), answer.get("details") or {})


def _document(answer: dict[str, Any], blobs: list[bytes]) -> DocumentResponse:
    parts = tuple(
        Text(part["text"]) if "text" in part else Image(blobs[part["image"]])
        for part in _field(answer, "parts", list)
    )
    return DocumentResponse(parts, bool(answer.get("truncated")), answer.get("details") or {})


def _field(answer: Any, name: str, kind: type) -> Any:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind):
        raise AdapterError(f"an answer has no {name!r} of type {kind.__name__}: {str(answer)[:100]}")
    return value


def _number(options: dict[str, str], name: str, default: float) -> float:
    try:
        return float(options.get(name, default))
    except ValueError as error:
        raise SpecError(f"Option {name}={options[name]!r} is not a number.", f"Write {name}=60.") from error
