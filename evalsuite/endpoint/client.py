"""The client: asynchronous inside, plain calls and iterators outside."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

from evalsuite.content import Image
from evalsuite.endpoint import errors
from evalsuite.endpoint.messages import chat_messages, sendable
from evalsuite.endpoint.pixels import encoded
from evalsuite.endpoint.replies import completion_of, images_of, names_of, reply_of, require_answer
from evalsuite.endpoint.server import Server
from evalsuite.endpoint.transport import bounded_client
from evalsuite.endpoint.types import Chat, Completion, ImageReply, ImageRequest, Reply
from evalsuite.errors import DataError, SampleError, SpecError, UnavailableError
from evalsuite.model.concurrency import ConcurrentRequests, RequestLimits

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Raw = TypeVar("_Raw")


class Endpoint:
    """A model on a server.

    It owns an event loop, which runs only inside its calls and on the caller's thread: no thread is started.
    One thread may use it at a time. Close it, or use it as a context manager.

    Args:
        server: who is asked, and how patiently.
        requests: the loop to send in, where several servers answer one set of questions; None: its own.
        replaceable: others answer in its place: it is given up as soon as nobody listens at its address.

    Raises:
        UnavailableError: the package `openai` is not installed, or the key's variable is not set.
    """

    def __init__(
        self, server: Server, *, requests: ConcurrentRequests | None = None, replaceable: bool = False
    ) -> None:
        try:
            import openai  # noqa: F401
        except ImportError as error:
            raise UnavailableError(
                "Models behind a server need the package openai.", "pip install 'evalsuite[api]'"
            ) from error
        self.server = server
        self._shared = requests
        self._requests = requests or ConcurrentRequests(RequestLimits(concurrency=server.in_flight))
        self._replaceable = replaceable
        # Retries are ours: they are counted, wait as long as the server says, and wait together.
        self._client = bounded_client(server)
        self._reached = False
        self._paused_until = 0.0
        self._retries = server.retries

    @contextmanager
    def impatient(self, retries: int) -> Iterator[None]:
        """Sends a request again `retries` times at most, whatever the server's settings are; a rate limit is
        waited for as ever."""
        self._retries = min(retries, self.server.retries)
        try:
            yield
        finally:
            self._retries = self.server.retries

    def map(self, chats: Sequence[Chat]) -> list[Reply | SampleError | UnavailableError]:
        """Asks all, `in_flight` at a time; replies in the order of `chats`, errors as `in_order` has them."""
        return self.in_order(chats, self.ask)

    def in_order(
        self, items: Sequence[_Item], work: Callable[[_Item], Awaitable[_Result]]
    ) -> list[_Result | SampleError | UnavailableError]:
        """As `each`, with the results in the order of `items`: a SampleError where one failed, and where the
        server went away on the way, its UnavailableError for all that it left open.

        Raises UnavailableError when the server cannot be used at all.
        """
        _refuse_inside_a_loop()
        return self._requests.in_order(_readable(work), items)

    def each(
        self, items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]
    ) -> Iterator[tuple[_Item, _Result | SampleError]]:
        """Does `work` for each item, `in_flight` at a time; yields items with their results as they end.

        `work` is a coroutine function that calls `ask` or `draw` as often as it likes, one call after the
        other. Items are taken when there is room. A SampleError is a result (a DataError too: its item's
        image cannot be read).

        Raises UnavailableError when the server cannot be used: nothing more is sent, and what was on its way
        is yielded first. Whatever else `work` raises is raised at once.
        """
        _refuse_inside_a_loop()
        return self._requests.each(_readable(work), items)

    async def ask(self, chat: Chat) -> Reply:
        """One answer. Raises SampleError for this request's own error (a reply without an answer, too),
        UnavailableError for the server's."""
        reply = await self.reply(chat)
        require_answer(reply, chat, self._who)
        return reply

    async def reply(self, chat: Chat) -> Reply:
        """What the server sends, whether it is an answer or not. Raises as `ask` does."""
        changes: list[str] = []
        body = self._body(chat, changes)

        async def call() -> Reply:
            made = await self._client.chat.completions.with_raw_response.create(**body)
            return reply_of(made.http_response.text)

        reply, seconds, retries = await self._patiently(call)
        return replace(reply, seconds=seconds, retries=retries, image_changes=tuple(changes))

    async def complete(self, asked: Completion) -> Reply:
        """A bare text continued (`completions`). Raises as `ask` does; an empty continuation is one."""
        body: dict[str, Any] = {"model": self.server.model, "prompt": sendable(asked.prompt)}
        for name in ("max_tokens", "temperature", "top_p", "seed", "logprobs"):
            if getattr(asked, name) is not None:
                body[name] = getattr(asked, name)
        if asked.stop:
            body["stop"] = list(asked.stop)
        if asked.echo:
            body["echo"] = True
        if extra := {**self.server.extra, **asked.extra}:
            body["extra_body"] = extra

        async def call() -> Reply:
            made = await self._client.completions.with_raw_response.create(**body)
            return completion_of(made.http_response.text)

        reply, seconds, retries = await self._patiently(call)
        if not asked.echo:
            require_answer(reply, asked, self._who)
        return replace(reply, seconds=seconds, retries=retries)

    @property
    def _who(self) -> str:
        return f"{self.server.model} at {self.server.address}"

    async def draw(self, drawing: ImageRequest) -> ImageReply:
        """Images from the images endpoint (`images/generations`, `images/edits`). Raises as `ask` does."""
        body: dict[str, Any] = {
            "model": self.server.model,
            "prompt": sendable(drawing.prompt),
            "n": drawing.count,
        }
        if drawing.size:
            body["size"] = drawing.size
        if drawing.extra:
            body["extra_body"] = dict(drawing.extra)
        files = [_file(place, image, self.server) for place, image in enumerate(drawing.images)]

        async def call() -> ImageReply:
            images = self._client.images
            if files:
                made = await images.with_raw_response.edit(
                    image=files if len(files) > 1 else files[0], **body
                )
            else:
                made = await images.with_raw_response.generate(**body)
            return images_of(made.http_response.text)

        drawn, seconds, retries = await self._patiently(call)
        return replace(drawn, seconds=seconds, retries=retries)

    def models(self) -> list[str]:
        """What the server offers. Raises UnavailableError when it cannot be asked."""

        async def call() -> list[str]:
            made = await self._client.models.with_raw_response.list()
            return names_of(made.http_response.text)

        _refuse_inside_a_loop()
        try:
            return self._requests.run(self._patiently(call))[0]
        except SampleError as error:
            raise UnavailableError(error.what, error.remedy) from error

    def close(self) -> None:
        """Closes connections, and the loop where it is its own."""
        try:
            self._requests.run(self._client.close())
        finally:
            if self._shared is None:
                self._requests.close()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _patiently(self, call: Callable[[], Awaitable[_Raw]]) -> tuple[_Raw, float, int]:
        """The result with the seconds of the attempt that succeeded and the number of those that did not."""
        for attempt in range(self.server.retries + 1):
            await self._pause()
            started = time.monotonic()
            try:
                async with asyncio.timeout(self.server.timeout):
                    result = await call()
            except _expected() as error:
                await self._wait_or_raise(error, attempt)
            else:
                self._reached = True
                return result, time.monotonic() - started, attempt
        raise AssertionError("the last attempt either returns or raises")

    async def _wait_or_raise(self, error: Exception, attempt: int) -> None:
        server = self.server
        asked = errors.asked_to_wait(error)
        too_long = asked is not None and asked > server.longest_wait
        # A server that was never reached is not there: waiting for a minute would only hide a wrong address.
        absent = errors.is_unreachable(error) and (self._replaceable or not self._reached)
        most = server.retries if errors.is_rate_limit(error) else self._retries
        if attempt >= most or too_long or absent or not errors.may_pass(error):
            raise errors.explain(error, server, attempt + 1, asked) from error
        wait = asked
        if wait is None:
            wait = min(server.longest_wait, server.backoff * 2.0**attempt) * random.uniform(0.5, 1.0)
        if errors.is_rate_limit(error):  # the others would only be refused too
            self._paused_until = max(self._paused_until, time.monotonic() + wait)
        else:
            await asyncio.sleep(wait)

    async def _pause(self) -> None:
        while (left := self._paused_until - time.monotonic()) > 0:
            # Not all at once when the pause is over.
            await asyncio.sleep(left + random.uniform(0.0, min(0.25, self.server.backoff)))

    def _body(self, chat: Chat, changes: list[str]) -> dict[str, Any]:
        server = self.server
        body: dict[str, Any] = {
            "model": server.model,
            "messages": chat_messages(
                chat.messages,
                image_detail=server.image_detail,
                image_format=server.image_format,
                orientation=server.orientation,
                changes=changes,
            ),
        }
        extra = {**server.extra, **chat.extra}
        if chat.prefill:
            if server.prefill == "refuse":
                raise SampleError(
                    f"The protocol begins the answer with {chat.prefill!r}, for which {server.address} "
                    "has no place.",
                    "Choose a protocol without prefill, or say how this server takes one "
                    "(prefill=continue for vLLM and SGLang, prefill=assistant).",
                )
            body["messages"].append({"role": "assistant", "content": chat.prefill})
            if server.prefill == "continue":
                extra |= {"continue_final_message": True, "add_generation_prompt": False}
        for name in ("temperature", "top_p", "seed"):
            if getattr(chat, name) is not None:
                body[name] = getattr(chat, name)
        if chat.max_tokens is not None:
            body[server.limit_name] = chat.max_tokens
        if chat.stop:
            body["stop"] = list(chat.stop)
        if chat.logprobs is not None:
            body["logprobs"] = True
            if chat.logprobs:
                body["top_logprobs"] = chat.logprobs
        if extra:
            body["extra_body"] = extra
        return body


def _refuse_inside_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise SpecError(
        "A server cannot be asked from inside a running event loop (a notebook's, for example).",
        "Call it in a thread: await asyncio.to_thread(function, …).",
    )


def _expected() -> tuple[type[Exception], ...]:
    import openai

    # A body that is not JSON comes through the package as the decoder's own error.
    own = (errors.Unusable, errors.Rejected, errors.TooLong, errors.Elsewhere)
    return (openai.APIError, json.JSONDecodeError, TimeoutError, *own)


def _readable(work: Callable[[_Item], Awaitable[_Result]]) -> Callable[[_Item], Awaitable[_Result]]:
    """`work` whose DataError, an image that cannot be read, is its item's own error."""

    async def one(item: _Item) -> _Result:
        try:
            return await work(item)
        except DataError as error:
            raise SampleError(error.what, error.remedy) from error

    return one


def _file(place: int, image: Image, server: Server) -> tuple[str, bytes, str]:
    made = encoded(image, server.image_format, server.orientation)
    return f"image-{place}.{made.kind.rpartition('/')[2]}", made.data, made.kind
