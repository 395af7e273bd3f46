"""What a server can do, found out by a few requests before a task: log-probabilities, and images."""

from __future__ import annotations

import io

from evalsuite.content import Image, user
from evalsuite.errors import SampleError, UnavailableError
from evalsuite.model.endpoint import Chat, Endpoint, Reply
from evalsuite.request import Request, ScoreChoices

from . import plain as bare

NO_LOGPROBS = (
    "Choose a server that gives them (vLLM, SGLang, llama.cpp's), measure the weights themselves "
    "(causal:FOLDER), or leave the task out."
)
WHOLE = (
    "Whole continuations are scored by --option template=plain, where the server has `completions` with echo "
    "(vLLM), or by the weights themselves (causal:FOLDER)."
)
QUESTION = "What color is this? Answer with one word."
SIDE = 448
"""Pixels of the probe's side: large enough to cost any vision encoder more tokens than its frame in text."""


def require_logprobs(endpoint: Endpoint, request: Request, *, plain: bool) -> None:
    """Raises UnavailableError where the server gives no log-probabilities, or where it cannot score choices
    of the kind that a task has.

    Args:
        request: the task's first.
        plain: bare text is sent.
    """
    output = request.output
    assert isinstance(output, ScoreChoices)
    who = f"{endpoint.server.model} at {endpoint.server.address}"
    if plain:
        (found,) = endpoint.in_order([request], lambda one: bare.likelihoods(endpoint, one))
        if isinstance(found, SampleError):
            raise UnavailableError(f"{who} scores no continuations: {found.what}", found.remedy)
        return
    if any(len(choice.split()) > 1 for choice in output.choices):
        raise UnavailableError(
            f"{who}: the choices of this task are longer than a token "
            f"({output.choices[0].strip()[:60]!r}), and of a chat only an answer's first token is scored.",
            WHOLE,
        )
    asked = Chat(request.messages, max_tokens=1, prefill=request.prefill, logprobs=5)
    (reply,) = endpoint.in_order([asked], endpoint.reply)
    if isinstance(reply, SampleError):
        if any(word in str(reply) for word in ("logprobs", "log-prob", "log prob", "logits")):
            raise UnavailableError(f"{who} gives no log-probabilities: {reply.what}", NO_LOGPROBS)
        return  # something else, which its samples will meet too
    if isinstance(reply, Reply) and not reply.logprobs:
        raise UnavailableError(f"{who} gives no log-probabilities, which this task needs.", NO_LOGPROBS)


def images_seen(endpoint: Endpoint) -> list[str]:
    """Asks about one known image, with and without it; gives a note where the server seems to drop it.

    Raises UnavailableError where it refuses images.
    """
    who = f"{endpoint.server.model} at {endpoint.server.address}"
    blind = _patient(endpoint, Chat((user(QUESTION),), max_tokens=16))
    if isinstance(blind, SampleError):
        return []  # it answers nothing, which has nothing to do with images
    seeing = _patient(endpoint, Chat((user(_known_image(), QUESTION),), max_tokens=16))
    if isinstance(seeing, SampleError):
        raise UnavailableError(
            f"{who} answers a question in text, and not the same with an image: {seeing.what}",
            "Serve a model that takes images, or measure without them (--blind); --option probe=no skips "
            "this check.",
        )
    if seeing.prompt_tokens is None or blind.prompt_tokens is None:
        return []
    if seeing.prompt_tokens <= blind.prompt_tokens:
        return [
            f"{who} seems to drop images: a prompt has {blind.prompt_tokens} tokens without an image, and "
            f"{seeing.prompt_tokens} with one"
        ]
    return []


def _patient(endpoint: Endpoint, chat: Chat) -> Reply | SampleError:
    """One reply with few retries: a fault of every request must not be paid for long before the first."""
    with endpoint.impatient(1):
        (found,) = endpoint.in_order([chat], endpoint.reply)
    if isinstance(found, UnavailableError):
        raise found
    return found


def _known_image() -> Image:
    from PIL import Image as pil

    stream = io.BytesIO()
    pil.new("RGB", (SIDE, SIDE), (200, 30, 30)).save(stream, "PNG")
    return Image(stream.getvalue(), name="probe.png")
