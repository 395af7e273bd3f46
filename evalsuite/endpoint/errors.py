"""What can go wrong with a server: what is transient and retried, and how the rest is reported.

An error that every request would meet (no server, no such model, a refused key, an exhausted quota) is an
UnavailableError: it ends the step, and what was answered is kept. One that belongs to the request (too long,
filtered, an answer that never comes) is a SampleError: it costs this sample only.
"""

from __future__ import annotations

import email.utils
import re
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


REFUSED = "refuses to answer"
NO_ANSWER = "gave no answer"
"""What reasons of failed samples say, so that they can be counted."""

_KEY_WORDS = re.compile(
    r"api[ _-]?key|access[ _-]?(key|token)|auth[a-z]*[ _-](key|token|failed|error)|bearer|unauthori[sz]ed"
    r"|authenticat|credential|(invalid|wrong|missing|incorrect)[ _-]key",
    re.IGNORECASE,
)


class Unusable(Exception):
    """An answer of status 200 that is none; may pass."""


class Rejected(Exception):
    """An error with status 200, of a kind that comes again."""


class TooLong(Exception):
    """A reply beyond `Server.max_reply`, which is its only argument (MiB)."""


class Elsewhere(Exception):
    """A redirect to another host, which is its only argument."""


def root_of(error: BaseException | None, kind: type[Exception]) -> Exception | None:
    """The first of `kind` among an error and its causes: the client wraps what its transport raises."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, kind):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def may_pass(error: Exception) -> bool:
    """Whether sending the same request again can help."""
    import openai

    if any(root_of(error, kind) for kind in (TooLong, Elsewhere, Rejected)):
        return False
    if isinstance(error, openai.APIStatusError):
        if _code(error) == "insufficient_quota":
            return False
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    if isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError):
        return True
    return isinstance(error, Unusable | ValueError | TimeoutError)  # no answer at all, or one that is no JSON


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
    if root_of(error, TooLong):
        return SampleError(
            f"{who} sent more than {server.max_reply:g} MiB.",
            "Raise the limit with --option max_reply=… (MiB).",
        )
    if elsewhere := root_of(error, Elsewhere):
        return UnavailableError(
            f"{server.address} redirects to {elsewhere}: prompts and images are not sent to another host.",
            "If that is the server you mean, give its address as base_url.",
        )
    if isinstance(error, Rejected):
        return SampleError(f"{who} refuses the request: {_quoted(str(error), server)}")
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, server, who, tried, wait)
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return SampleError(
            f"{who} did not answer within {server.timeout:g} s{tried}.",
            "Allow more time, or lower the concurrency.",
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
    too_long = code == "context_length_exceeded" or any(word in said.lower() for word in _LENGTH_WORDS)
    about_key = 400 <= status < 500 and status not in (404, 429) and not too_long
    if status in (401, 403, 407) or (about_key and _KEY_WORDS.search(f"{code} {_message(error)}")):
        # What the server says is not quoted: it may repeat parts of the key.
        return UnavailableError(
            f"{server.address} refuses the key in {server.key_env} for {server.model} (status {status}).",
            f"Set {server.key_env} to a key that may use this model.",
        )
    if code == "insufficient_quota" or status == 402:
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
            "Lower the concurrency, or resume later: stored answers are kept.",
        )
    if too_long:
        return SampleError(
            f"The request is too long for {who}: {said}",
            "Start the server with a longer context, or use a protocol with a shorter prompt or answer.",
        )
    if unsupported := _unsupported(error, said):
        return SampleError(f"{who} does not support {unsupported}: {said}", _without(unsupported, server))
    if "content_filter" in code or "content_policy" in code or "moderation" in code:
        return SampleError(f"{who} refuses the content: {said}")
    if status >= 500:
        return SampleError(f"{who} failed with status {status}{tried}: {said}", "See the server's own log.")
    return SampleError(f"{who} refuses the request (status {status}): {said}")


_PARAMETERS = ("max_tokens", "temperature", "top_p", "seed", "stop", "logprobs", "top_logprobs")


def _unsupported(error: APIStatusError, said: str) -> str:
    """The parameter that a server does not take; "" where it complains of something else."""
    lower = said.lower()
    if not any(word in lower for word in ("unsupported", "not support", "unknown parameter", "unrecognized")):
        return ""
    named = str(getattr(error, "param", None) or "")
    if named in _PARAMETERS:
        return named
    return next((name for name in _PARAMETERS if f"'{name}'" in lower or f"`{name}`" in lower), "")


def _without(parameter: str, server: Server) -> str:
    if parameter == "max_tokens" and server.limit_name == "max_tokens":
        return (
            "Use --option limit_name=max_completion_tokens (`evalsuite judge`: --limit-name "
            "max_completion_tokens). Reasoning models often refuse a temperature too: --option "
            "omit=temperature,top_p leaves them their default."
        )
    if "logprobs" in parameter:
        return "Choose a server that gives log-probabilities, or leave the task out."
    judge = f"`evalsuite judge`: --parameter {parameter}=null"
    return f"Leave it to the server: --option omit={parameter} ({judge})."


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
