"""What can go wrong with a server: what may pass and is tried again, and how the rest is told.

An error that every request would meet (no server, no such model, a refused key, an exhausted quota) is an
UnavailableError: it ends the step, and what was answered is kept. One that belongs to the request (too long,
filtered, an answer that never comes) is a SampleError: it costs this sample only.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from evalsuite.endpoint.server import Server
from evalsuite.errors import EvalsuiteError, SampleError, UnavailableError

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAIError

_LENGTH_WORDS = (
    "context length",
    "context window",
    "maximum context",
    "too many tokens",
    "longer than the maximum",
)
_LONGEST = 400
"""Characters of a server's own words that are quoted."""


class Unusable(Exception):
    """An answer of status 200 that is none; may pass."""


def may_pass(error: Exception) -> bool:
    """Whether sending the same request again can help."""
    import openai

    if isinstance(error, openai.APIStatusError):
        if _code(error) == "insufficient_quota":
            return False
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    if isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError):
        return True
    return isinstance(error, Unusable | ValueError)  # no answer at all, or one that is no JSON


def is_unreachable(error: Exception) -> bool:
    """Whether no connection could be made at all: nobody listens, or the name is unknown."""
    cause = error.__cause__
    return any(kind.__name__ == "ConnectError" for kind in type(cause).__mro__) if cause else False


def is_rate_limit(error: Exception) -> bool:
    return getattr(error, "status_code", None) == 429


def asked_to_wait(error: Exception) -> float | None:
    """Seconds that the server asks to wait (`Retry-After-Ms`, `Retry-After`: seconds or a date); None: it
    does not."""
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = response.headers if response is not None else {}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) / unit)
        except ValueError:
            continue
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, date.timestamp() - time.time())


def explain(error: Exception, server: Server, attempts: int, wait: float | None = None) -> EvalsuiteError:
    """The error as the user is to read it: which server, what it said, what to do."""
    import openai

    who = f"{server.model} at {server.address}"
    tried = f" ({attempts} attempts)" if attempts > 1 else ""
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, server, who, tried, wait)
    if isinstance(error, openai.APITimeoutError):
        return SampleError(
            f"{who} did not answer within {server.timeout:g} s{tried}.",
            "Allow more time, or fewer requests at once.",
        )
    if is_unreachable(error):
        return UnavailableError(
            f"There is no server at {server.address} ({_root(error)}){tried}.",
            "Start it, or correct the address; it usually ends in /v1.",
        )
    if isinstance(error, openai.APIConnectionError):
        return SampleError(
            f"The connection to {who} broke ({_root(error)}){tried}.", "See the server's own log."
        )
    return SampleError(
        f"{who} gave no usable answer ({_quoted(str(error), server)}){tried}.",
        "Is it a chat-completions server?",
    )


def _of_status(
    error: APIStatusError, server: Server, who: str, tried: str, wait: float | None
) -> EvalsuiteError:
    said, code, status = _quoted(_message(error), server), _code(error), error.status_code
    if status in (401, 403):
        # What the server says is not quoted: it may repeat parts of the key.
        return UnavailableError(
            f"{server.address} refuses the key in {server.key_env} for {server.model} (status {status}).",
            f"Set {server.key_env} to a key that may use this model.",
        )
    if code == "insufficient_quota":
        return UnavailableError(
            f"The quota at {server.address} is used up: {said}", "See your plan and billing there."
        )
    if status == 404:
        return UnavailableError(
            f"{server.address} has no {server.model!r}, or no such page: {said}",
            f"`curl {server.address}/models` lists its models; the address usually ends in /v1.",
        )
    if status == 429:
        patience = f" It asks to wait {wait:g} s." if wait is not None else ""
        return UnavailableError(
            f"{who} limits the rate of requests{tried}: {said}{patience}",
            "Send fewer at once, or start again later: what is answered is kept.",
        )
    if code == "context_length_exceeded" or any(word in said.lower() for word in _LENGTH_WORDS):
        return SampleError(f"The request is too long for {who}: {said}")
    if "content_filter" in code or "content_policy" in code or "moderation" in code:
        return SampleError(f"{who} refuses the content: {said}")
    if status >= 500:
        return SampleError(f"{who} failed with status {status}{tried}: {said}", "See the server's own log.")
    return SampleError(f"{who} refuses the request (status {status}): {said}")


def _message(error: APIStatusError) -> str:
    body = error.body
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        found = inner.get("message") if isinstance(inner, Mapping) else inner
        if isinstance(found, str) and found:
            return found
    return body if isinstance(body, str) and body else error.message


def _code(error: OpenAIError) -> str:
    return str(getattr(error, "code", None) or "")


def _quoted(text: str, server: Server) -> str:
    """The server's words on one line, short, and without the key."""
    line = " ".join(text.split())
    key = server.key()
    if len(key) >= 8:
        line = line.replace(key, "[key]")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _root(error: BaseException) -> str:
    """What the operating system or the transport said."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
