"""Who is asked to judge: a model behind a server, or one of the registry in this process; asked alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

from evalsuite.endpoint import Chat, Endpoint, Reply, Server
from evalsuite.errors import SampleError, SpecError, UnavailableError
from evalsuite.judging.likelihood import served_question, served_reply
from evalsuite.judging.model import LocalJudge, ModelJudge
from evalsuite.model.concurrency import ConcurrentRequests, RequestLimits
from evalsuite.registry import Registry

_log = logging.getLogger(__name__)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class AskedJudge(Protocol):
    """A judge that is ready to be asked."""

    def each(
        self, items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]
    ) -> Iterator[tuple[_Item, _Result | SampleError]]:
        """Does `work`, which calls `ask`, for each item, several at a time; see `Endpoint.each`."""
        ...

    async def ask(self, chat: Chat, seed: int) -> Reply:
        """One reply; sampling is seeded where it is under our control. Raises as `Endpoint.ask`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ServedJudge:
    """A judge behind a server, or behind several that serve the same model; its sampling is not under our
    control, and `seed` changes nothing.

    Of several, each question goes to the one with the most room. One that goes away is left out, and what it
    had not answered is asked of the others.

    Raises:
        SpecError: the servers are asked for different models.
        UnavailableError: the package `openai` is not installed, or the key's variable is not set.
    """

    def __init__(self, servers: Sequence[Server]) -> None:
        if len({server.model for server in servers}) != 1:
            raise SpecError("Several servers of one judge serve the same model.", "Name one judge.")
        several = len(servers) > 1
        in_flight = sum(server.in_flight for server in servers)
        self._requests = ConcurrentRequests(RequestLimits(concurrency=in_flight)) if several else None
        self._endpoints = [Endpoint(one, requests=self._requests, replaceable=several) for one in servers]
        self._room = [asyncio.Semaphore(server.in_flight) for server in servers]
        self._busy = [0] * len(servers)
        self._gone: dict[int, UnavailableError] = {}

    def each(
        self, items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]
    ) -> Iterator[tuple[_Item, _Result | SampleError]]:
        return self._endpoints[0].each(items, work)

    async def ask(self, chat: Chat, seed: int) -> Reply:
        if chat.choices:
            return served_reply(await self._reply(served_question(chat)), chat.choices)
        return await self._reply(chat)

    async def _reply(self, chat: Chat) -> Reply:
        if self._requests is None:
            return await self._endpoints[0].ask(chat)
        while True:
            place = self._freest()
            self._busy[place] += 1
            try:
                async with self._room[place]:
                    if place not in self._gone:
                        return await self._endpoints[place].ask(chat)
            except UnavailableError as error:
                if place not in self._gone:
                    self._gone[place] = error
                    _log.warning("a judge's server is left out: %s", error)
            finally:
                self._busy[place] -= 1

    def _freest(self) -> int:
        """The server with the smallest share of its places taken. Raises UnavailableError when none is
        left."""
        left = [place for place in range(len(self._endpoints)) if place not in self._gone]
        if not left:
            raise next(reversed(self._gone.values()))
        return min(left, key=lambda place: self._busy[place] / self._endpoints[place].server.in_flight)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for endpoint in self._endpoints:
                endpoint.close()
        finally:
            if self._requests is not None:
                self._requests.close()


def opened(judge: Server | Sequence[Server] | ModelJudge, registry: Registry) -> AskedJudge:
    """The judge, ready to be asked.

    Raises:
        SpecError: a model that cannot judge.
        UnavailableError: the package `openai` is not installed, or the key's variable is not set.
    """
    if isinstance(judge, ModelJudge):
        return LocalJudge(judge, registry)
    return ServedJudge([judge] if isinstance(judge, Server) else judge)
