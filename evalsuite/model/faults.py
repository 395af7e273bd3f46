"""What can go wrong with a request to a service, read off whatever HTTP library raised it.

Two kinds of errors remain in the end. One that every request would meet (nobody listens, a refused key, an
exhausted rate limit) is an UnavailableError: the run stops, and what is answered is kept. One that belongs to
the request (too long, filtered, an answer that never comes) is a SampleError: it costs this sample only.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evalsuite.errors import DataError, EvalsuiteError, SampleError, UnavailableError

_RETRIED = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which the same request may be answered."""
_REFUSED = {
    401: "the key is refused", 403: "the key may not do this", 404: "there is no such page or model",
}  # fmt: skip
_UNREACHABLE = frozenset(
    {"ConnectError", "ConnectionRefusedError", "NewConnectionError", "NameResolutionError", "gaierror"}
)
_BROKEN = frozenset(
    {
        "ConnectionError", "TransportError", "URLError", "ClientConnectionError", "ProtocolError",
        "HTTPException", "APIConnectionError",
    }
)  # fmt: skip
"""Names of exceptions, of their bases and of their causes: no HTTP library is imported to know its own."""
_LONGEST = 300
"""Characters of a service's own words that are quoted."""


class RetryableError(EvalsuiteError):
    """Raised by an adapter's own code for a request that may be answered when it is sent again.

    Args:
        after: seconds to wait before that; None: the back-off decides.
        rate_limit: the service asks for fewer requests, so that the others wait too.
    """

    def __init__(
        self, what: str, remedy: str = "", *, after: float | None = None, rate_limit: bool = False
    ) -> None:
        super().__init__(what, remedy)
        self.after = after
        self.rate_limit = rate_limit


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of one attempt.

    Args:
        error: how it is reported when nothing more is tried: SampleError or UnavailableError.
        retry: sending the same request again can help.
        after: seconds that the service asks to wait; None: it does not say.
        rate_limit: requests come too fast; the others would only be refused too.
        unreachable: no connection could be made: before anything was answered, waiting would only hide a
            wrong address.
    """

    error: EvalsuiteError
    retry: bool = False
    after: float | None = None
    rate_limit: bool = False
    unreachable: bool = False


def http_fault(error: Exception) -> Fault:
    """What an exception of an HTTP library means (requests, httpx, urllib, aiohttp, SDKs built on them).

    A status is looked for in `error.status_code`, `error.response.status_code`, `error.status` and
    `error.code`, headers likewise. 408, 409, 425, 429 and 5xx are retried, and so are time-outs and broken
    connections; 401, 403 and 404 stop the run; every other status is the sample's own fault. An exception
    that is none of these, such as a KeyError about a reply of another shape, fails the sample.
    """
    if isinstance(error, RetryableError):
        kind = UnavailableError if error.rate_limit else SampleError
        return Fault(kind(error.what, error.remedy), True, error.after, error.rate_limit)
    if isinstance(error, UnavailableError | SampleError):
        return Fault(error)
    if isinstance(error, DataError):  # an image that cannot be read
        return Fault(SampleError(error.what, error.remedy))
    status = _status(error)
    if status is not None:
        return _of_status(error, status)
    names = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    said = _quoted(f"{type(error).__name__}: {error}")
    if names & _UNREACHABLE:
        remedy = "Start the service, or correct its address."
        return Fault(
            UnavailableError(f"The service cannot be reached ({said}).", remedy), True, unreachable=True
        )
    if any("Timeout" in name for name in names):
        return Fault(SampleError(f"The service did not answer in time ({said}).", "Allow more time."), True)
    if names & _BROKEN:
        return Fault(SampleError(f"The connection broke ({said})."), True)
    if "JSONDecodeError" in names:
        return Fault(SampleError(f"The reply is not JSON ({said})."), True)
    return Fault(SampleError(f"The request failed ({said})."))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After-Ms` or `Retry-After` (seconds, or an HTTP date) ask to wait; None: neither.

    >>> retry_after({"Retry-After": "2.5"})
    2.5
    """
    given = {name.lower(): str(value) for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(given.get(name, "")) / unit
        except ValueError:
            continue
        if seconds >= 0:  # neither negative nor NaN
            return seconds
    try:
        date = email.utils.parsedate_to_datetime(given.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, date.timestamp() - time.time())


def _of_status(error: Exception, status: int) -> Fault:
    said = _quoted(_body(error) or str(error))
    after = retry_after(_headers(error))
    if status == 429:
        asks = f" It asks to wait {after:g} s." if after is not None else ""
        refused = UnavailableError(
            f"The service limits the rate of requests (status 429): {said}{asks}",
            "Lower the concurrency, or resume later: stored answers are kept.",
        )
        return Fault(refused, True, after, rate_limit=True)
    if status in _REFUSED:
        # The body of 401 and 403 is not quoted: it may repeat parts of the key.
        words = f": {said}" if status == 404 else ""
        return Fault(
            UnavailableError(
                f"The service refuses every request: {_REFUSED[status]} (status {status}){words}.",
                "Check its address, the model's name and the key.",
            )
        )
    failed = SampleError(f"The service answers with status {status}: {said}")
    return Fault(failed, status in _RETRIED or status >= 500, after)


def _status(error: Exception) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            found = getattr(holder, name, None)
            if isinstance(found, int) and 400 <= found < 600:
                return int(found)
    return None


def _headers(error: Exception) -> Mapping[str, str]:
    for holder in (getattr(error, "response", None), error):
        found = getattr(holder, "headers", None)
        if found is not None and hasattr(found, "items"):
            return dict(found.items())
    return {}


def _body(error: Exception) -> str:
    text: Any = getattr(getattr(error, "response", None), "text", "")
    return text if isinstance(text, str) else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what it holds (requests and urllib keep the cause among the arguments), its causes."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, *one.args]
            waiting += [getattr(one, "reason", None)]


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
