"""Who is asked to judge: a model behind a server, or one of the registry in this process; asked alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self, TypeVar

from evalsuite.endpoint import Chat, Endpoint, Reply, Server
from evalsuite.errors import SampleError
from evalsuite.judging.likelihood import served_question, served_reply
from evalsuite.judging.model import LocalJudge, ModelJudge
from evalsuite.registry import Registry

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class AskedJudge(Protocol):
    """A judge that is ready to be asked."""

    def each(
        self, items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]
    ) -> Iterator[tuple[_Item, _Result | SampleError]]:
        """Does `work`, which calls `ask`, for each item, several at a time; see `Endpoint.each`."""
        ...

    async def ask(self, chat: Chat, place: str) -> Reply:
        """One reply; `place` says which question, attempt and pass it is. Raises as `Endpoint.ask`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ServedJudge:
    """A judge behind a server; its sampling is not under our control, and `place` changes nothing.

    Raises UnavailableError where the package `openai` is not installed, or the key's variable is not set.
    """

    def __init__(self, server: Server) -> None:
        self._endpoint = Endpoint(server)

    def each(
        self, items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]
    ) -> Iterator[tuple[_Item, _Result | SampleError]]:
        return self._endpoint.each(items, work)

    async def ask(self, chat: Chat, place: str) -> Reply:
        if chat.choices:
            return served_reply(await self._endpoint.ask(served_question(chat)), chat.choices)
        return await self._endpoint.ask(chat)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._endpoint.close()


def opened(judge: Server | ModelJudge, registry: Registry) -> AskedJudge:
    """The judge, ready to be asked.

    Raises:
        SpecError: a model that cannot judge.
        UnavailableError: the package `openai` is not installed, or the key's variable is not set.
    """
    return LocalJudge(judge, registry) if isinstance(judge, ModelJudge) else ServedJudge(judge)
