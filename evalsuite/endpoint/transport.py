"""What bounds a reply: its size, also when it is compressed, and where requests may go."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evalsuite.endpoint.errors import Elsewhere, TooLong, Unusable

if TYPE_CHECKING:
    from evalsuite.endpoint.server import Server

_CHUNK = 2**20
"""Bytes that are unpacked at a time."""


def bounded_client(server: Server) -> Any:
    """The `openai` client of a server. It retries nothing (retries are ours), follows redirects to the same
    host only, and reads no more of a reply than `Server.max_reply` says."""
    import openai

    most = int(server.max_reply * 2**20)
    home = urlsplit(server.base_url)

    async def outgoing(request: Any) -> None:
        """Called for each request, those of redirects too."""
        request.headers["Accept-Encoding"] = "identity"
        if not _same_host(home, urlsplit(str(request.url))):
            raise Elsewhere(f"{request.url.scheme}://{request.url.host}:{request.url.port or ''}".rstrip(":"))

    async def incoming(response: Any) -> None:
        """Called before the body is read."""
        coding = response.headers.pop("content-encoding", "identity").strip().lower()
        announced = response.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > most:
            raise TooLong(server.max_reply)
        response.stream = _stream(response.stream, coding, most, server.max_reply)

    http = openai.DefaultAsyncHttpxClient(
        base_url=server.base_url,
        timeout=server.timeout,
        event_hooks={"request": [outgoing], "response": [incoming]},
    )
    return openai.AsyncOpenAI(
        api_key=server.key(),
        base_url=server.base_url,
        timeout=server.timeout,
        max_retries=0,
        http_client=http,
    )


def _same_host(home: Any, target: Any) -> bool:
    """The same scheme, host and port, or the same host by TLS: prompts and images go nowhere else."""
    if (home.hostname or "").lower() != (target.hostname or "").lower():
        return False
    ports = {"http": 80, "https": 443}
    mine = home.port or ports.get(home.scheme)
    other = target.port or ports.get(target.scheme)
    if home.scheme == target.scheme:
        return mine == other
    return (home.scheme, target.scheme) == ("http", "https") and (mine, other) == (80, 443)


def _stream(inner: Any, coding: str, most: int, shown: float) -> Any:
    """The body, unpacked; raises TooLong once it is larger than `most` bytes."""
    base: Any = next(kind for kind in type(inner).__mro__ if kind.__name__ == "AsyncByteStream")

    class Limited:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            total = 0
            async for piece in _unpacked(inner, coding):
                total += len(piece)
                if total > most:
                    raise TooLong(shown)
                yield piece

        async def aclose(self) -> None:
            await inner.aclose()

    kind: Any = type("Limited", (Limited, base), {})  # mypy does not know the base
    return kind()


async def _unpacked(inner: Any, coding: str) -> AsyncIterator[bytes]:
    """Pieces of at most a MiB, so that a bomb is seen before it takes memory."""
    if coding in ("", "identity"):
        async for piece in inner:
            yield piece
        return
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Unusable(f"the reply is compressed by {coding[:20]!r}, which was not asked for")
    unpack = zlib.decompressobj(47 if coding != "deflate" else 15)
    try:
        async for piece in inner:
            while piece:
                yield unpack.decompress(piece, _CHUNK)
                piece = unpack.unconsumed_tail
        yield unpack.flush(_CHUNK)
    except zlib.error as error:
        raise Unusable(f"the compressed reply is damaged ({error})") from error
