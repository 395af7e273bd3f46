"""Requests to a service, many at once: concurrency, retries with back-off, rate limits, errors per request.

For adapters of any API. `ConcurrentRequests.map` sends a batch's requests and gives responses and errors in
order, as a device step with `independent_requests = True` returns them. Retries are tenacity's, rate limits
aiolimiter's.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from evalsuite.errors import EvalsuiteError, SampleError, SpecError, UnavailableError
from evalsuite.model.faults import Fault, http_fault
from evalsuite.options import Option, option_values

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter
    from tenacity import RetryCallState

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Value = TypeVar("_Value")

REQUEST_OPTIONS = (
    Option("concurrency", "maximum concurrent requests", int, 8, minimum=1),
    Option("retries", "maximum retries of a request after a transient error", int, 6, minimum=0),
    Option("backoff", "seconds before the first retry; doubled each time", float, 0.5, minimum=0),
    Option("longest_wait", "longest wait in seconds; a service that asks for more is given up", float, 120.0,
           minimum=0),
    Option("timeout", "seconds one attempt may take", float, 120.0, minimum=0.001),
    Option("deadline", "seconds for a request and its retries; none by default", float, minimum=0.001),
    Option("requests_per_minute", "rate limit; none by default", float, minimum=0.001),
    Option("tokens_per_minute", "rate limit; none by default", float, minimum=0.001),
)  # fmt: skip
"""The fields of `RequestLimits` as options of an adapter."""


_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How many requests at once, how fast and how patiently.

    Args:
        concurrency: maximum concurrent requests.
        retries: maximum retries of a request after a transient error: 408, 409, 425, 429, 5xx, a time-out, a
            connection that broke.
        backoff: seconds before the first retry; doubled each time, times a random factor from 0.5 to 1. A
            service's `Retry-After` overrides it.
        longest_wait: seconds; no wait is longer, and a service that asks for more is given up.
        timeout: seconds one attempt may take; None: no limit. A plain function keeps running in its thread
            after that, so give its HTTP library the same limit.
        deadline: seconds one request may take, waits and retries included; None: no limit.
        requests_per_minute, tokens_per_minute: rate limits (leaky buckets, which allow a minute's worth at
            the start); None: none.
        pause_after: refusals (429) of one request in a row after which the others wait too. A request that
            waits keeps its place, so that fewer are sent anyway.

    Raises:
        SpecError: a number out of range.
    """

    concurrency: int = 8
    retries: int = 6
    backoff: float = 0.5
    longest_wait: float = 120.0
    timeout: float | None = 120.0
    deadline: float | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    pause_after: int = 2

    def __post_init__(self) -> None:
        least = {option.name: option.minimum for option in REQUEST_OPTIONS}
        for each in fields(self):
            value, bound = getattr(self, each.name), least.get(each.name, 1)
            if value is not None and bound is not None and not value >= bound:
                raise SpecError(f"{each.name}={value!r} is out of range.", f"At least {bound:g}.")

    @classmethod
    def of(cls, options: Mapping[str, str]) -> RequestLimits:
        """The limits among a model's options; `REQUEST_OPTIONS` declares them. Raises SpecError."""
        return cls(**option_values(REQUEST_OPTIONS, options))


@dataclass(frozen=True, slots=True)
class Attempted(Generic[_Value]):
    """What a call gave in the end.

    Args:
        seconds: of the attempt that succeeded.
        retries: attempts that failed before it.
    """

    value: _Value
    seconds: float
    retries: int


class ConcurrentRequests:
    """Sends requests, `concurrency` at a time, each retried until it is answered or given up.

    It owns an event loop, which runs only inside its calls: on the caller's thread, or on one of its own
    where the caller is inside a running loop (a notebook). Plain functions are called in `concurrency`
    threads, coroutine functions in the loop. One thread may use it at a time. Close it, or use it as a
    context manager.

    Args:
        limits: how many at once, how fast, how patiently.
        fault: what an exception of `work` means; see `evalsuite.model.http_fault`.
        tokens: how many tokens an item costs, for `tokens_per_minute`.
    """

    def __init__(
        self,
        limits: RequestLimits | None = None,
        *,
        fault: Callable[[Exception], Fault] = http_fault,
        tokens: Callable[[Any], float] | None = None,
    ) -> None:
        self.limits = limits or RequestLimits()
        if self.limits.tokens_per_minute is not None and tokens is None:
            raise SpecError("tokens_per_minute needs to know tokens.", "Give `tokens`, or leave it out.")
        self._fault = fault
        self._tokens = tokens
        # With a factory, it does not become the caller's current loop.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._threads = ThreadPoolExecutor(self.limits.concurrency, thread_name_prefix="requests")
        self._aside: ThreadPoolExecutor | None = None
        self._request_rate = _limiter(self.limits.requests_per_minute)
        self._token_rate = _limiter(self.limits.tokens_per_minute)
        self._reached = False
        self._paused_until = 0.0

    @overload
    def map(
        self, work: Callable[[_Item], Coroutine[Any, Any, _Result]], items: Sequence[_Item]
    ) -> list[_Result | SampleError | UnavailableError]: ...
    @overload
    def map(
        self, work: Callable[[_Item], _Result], items: Sequence[_Item]
    ) -> list[_Result | SampleError | UnavailableError]: ...
    def map(
        self, work: Callable[[_Item], Any], items: Sequence[_Item]
    ) -> list[Any | SampleError | UnavailableError]:
        """`work` of every item, results in the order of `items`.

        A request that failed for good has its SampleError in place of a result. Once the service cannot be
        used at all nothing more is sent; what was on its way is waited for, and the rest has the
        UnavailableError.

        Raises UnavailableError when that happened before anything was answered.
        """
        return self.in_order(lambda item: self._item(work, item), items)

    def in_order(
        self, work: Callable[[_Item], Awaitable[_Result]], items: Sequence[_Item]
    ) -> list[_Result | SampleError | UnavailableError]:
        """As `each`, with the results in the order of `items`, and errors as `map` has them."""
        found: dict[int, _Result | SampleError] = {}
        try:
            for place, result in self.each(lambda place: work(items[place]), range(len(items))):
                found[place] = result
        except UnavailableError as error:
            if not found:
                raise
            return [found.get(place, error) for place in range(len(items))]
        return [found[place] for place in range(len(items))]

    def each(
        self, work: Callable[[_Item], Awaitable[_Result]], items: Iterable[_Item]
    ) -> Iterator[tuple[_Item, _Result | SampleError]]:
        """Runs a coroutine function for each item, `concurrency` at a time; yields items with results as they
        end.

        `work` may call `call` as often as it likes, one call after the other. Items are taken when there is
        room. A SampleError is a result.

        Raises UnavailableError when the service cannot be used: nothing more is taken, and what was on its
        way is yielded first. Whatever else `work` raises is raised at once.
        """
        waiting = iter(items)
        running: dict[asyncio.Task[_Result], _Item] = {}
        fatal: UnavailableError | None = None
        loop = self._runner.get_loop()
        try:
            while True:
                if fatal is None:
                    for item in islice(waiting, self.limits.concurrency - len(running)):
                        running[loop.create_task(_awaited(work(item)))] = item
                if not running:
                    break
                for task in self.run(_first(running)):
                    item = running.pop(task)
                    try:
                        result: _Result | SampleError = task.result()
                    except UnavailableError as error:
                        fatal = fatal or error
                        continue
                    except SampleError as error:
                        result = error
                    yield item, result
        finally:
            if running:
                for task in running:
                    task.cancel()
                self.run(_ended(running))
        if fatal is not None:
            raise fatal

    async def call(
        self, attempt: Callable[[], Awaitable[_Value]], tokens: float | None = None
    ) -> Attempted[_Value]:
        """One request with its retries, for `each`.

        Args:
            attempt: sends it once.
            tokens: what it counts for `tokens_per_minute`.

        Raises:
            SampleError, UnavailableError: as `fault` has it, when nothing more is tried.
        """
        import tenacity

        limits = self.limits
        last: list[Fault] = []
        seconds = 0.0

        async def once() -> _Value:
            nonlocal seconds
            await self._may_send(tokens)
            started = time.monotonic()
            try:
                async with asyncio.timeout(limits.timeout):
                    value = await attempt()
            except Exception as error:
                last.append(self._fault(error))
                raise
            seconds = time.monotonic() - started
            self._reached = True
            return value

        def again(error: BaseException) -> bool:
            if not isinstance(error, Exception):  # cancelled
                return False
            fault = last[-1]
            too_long = fault.after is not None and fault.after > limits.longest_wait
            absent = fault.unreachable and not self._reached
            return fault.retry and not too_long and not absent

        def wait(state: RetryCallState) -> float:
            return self._wait(last[-1], state.attempt_number)

        stop: Any = tenacity.stop_after_attempt(limits.retries + 1)
        if limits.deadline is not None:
            stop = tenacity.stop_any(stop, tenacity.stop_before_delay(limits.deadline))
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(again), wait=wait, stop=stop, sleep=asyncio.sleep, reraise=True
        )
        scope = asyncio.timeout(limits.deadline)
        try:
            async with scope:
                value: _Value = await retrying(once)
        except Exception as error:
            raise _final(last, limits.deadline if scope.expired() else None) from error
        return Attempted(value, seconds, len(last))

    def close(self) -> None:
        """Ends its loop and its threads."""
        try:
            if self._aside is not None:
                self._aside.submit(self._runner.close).result()
            else:
                self._runner.close()
        finally:
            for pool in filter(None, (self._threads, self._aside)):
                pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> ConcurrentRequests:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _item(self, work: Callable[[_Item], Any], item: _Item) -> Any:
        tokens = None if self._tokens is None else self._tokens(item)
        if _is_coroutine_function(work):
            return (await self.call(lambda: work(item), tokens)).value
        loop = asyncio.get_running_loop()
        return (await self.call(lambda: loop.run_in_executor(self._threads, work, item), tokens)).value

    async def _may_send(self, tokens: float | None) -> None:
        """Waits for the pause after a refusal to be over, and for the rate limits."""
        while (left := self._paused_until - time.monotonic()) > 0:
            # Not all at once when the pause is over.
            await asyncio.sleep(left + random.uniform(0.0, min(0.25, self.limits.backoff)))
        if self._request_rate is not None:
            await self._request_rate.acquire()
        if self._token_rate is not None and tokens:
            await self._token_rate.acquire(min(tokens, self._token_rate.max_rate))

    def _wait(self, fault: Fault, attempts: int) -> float:
        wait = fault.after
        if wait is None:
            # The exponent is bounded: 2.0**1024 is no float.
            grown = self.limits.backoff * 2.0 ** min(attempts - 1, 64)
            wait = min(self.limits.longest_wait, grown) * random.uniform(0.5, 1.0)
        if fault.rate_limit and attempts >= self.limits.pause_after:  # the others would only be refused too
            self._paused_until = max(self._paused_until, time.monotonic() + wait)
        return wait

    def run(self, work: Coroutine[Any, Any, _Value]) -> _Value:
        """Runs a coroutine in its loop, and waits for it."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self._aside is None:
                return self._runner.run(work)
        if self._aside is None:
            self._aside = ThreadPoolExecutor(1, thread_name_prefix="requests-loop")
        return self._aside.submit(self._runner.run, work).result()


def _final(faults: Sequence[Fault], expired: float | None) -> EvalsuiteError:
    """The error as it is reported, with the number of attempts; `expired`: the deadline that has passed."""
    if expired is not None:
        last = f" The last attempt: {faults[-1].error.what}" if faults else ""
        return SampleError(f"The request was not answered within {expired:g} s.{last}", "Allow more time.")
    found = faults[-1].error
    if len(faults) == 1:
        return found
    return type(found)(f"{found.what} ({len(faults)} attempts)", found.remedy)


def _limiter(per_minute: float | None) -> AsyncLimiter | None:
    if per_minute is None:
        return None
    from aiolimiter import AsyncLimiter

    # A bucket must hold one request: below one a minute the period grows instead.
    return AsyncLimiter(max(per_minute, 1.0), _MINUTE * max(1.0, 1.0 / per_minute))


def _is_coroutine_function(work: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(work) or inspect.iscoroutinefunction(type(work).__call__)


async def _awaited(work: Awaitable[_Result]) -> _Result:
    return await work


async def _first(running: Iterable[asyncio.Task[_Result]]) -> set[asyncio.Task[_Result]]:
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _ended(running: Iterable[asyncio.Task[_Result]]) -> None:
    await asyncio.wait(running)
