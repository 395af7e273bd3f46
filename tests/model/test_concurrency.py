"""Requests to a service: at once, again, not too fast; and what becomes of those that fail."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from email.utils import formatdate
from typing import Any

import pytest
import requests

from evalsuite.errors import SampleError, SpecError, UnavailableError
from evalsuite.model import ConcurrentRequests, RequestLimits, RetryableError, http_fault
from evalsuite.model.faults import retry_after
from tests.model.service import Service, one_in_eight, serving

QUICK = RequestLimits(concurrency=8, backoff=0.05)


def asker(service: Service) -> Any:
    """The plain function of an adapter, with `requests`."""

    def ask(prompt: str) -> str:
        reply = requests.post(service.url, json={"prompt": prompt}, timeout=10)
        reply.raise_for_status()
        return str(reply.json()["text"])

    return ask


def with_urllib(service: Service) -> Any:
    def ask(prompt: str) -> str:
        data = json.dumps({"prompt": prompt}).encode()
        with urllib.request.urlopen(urllib.request.Request(service.url, data), timeout=10) as reply:
            return str(json.load(reply)["text"])

    return ask


def test_eighty_requests_at_once_outrun_serial_ones_although_one_in_eight_is_refused() -> None:
    prompts = [f"prompt {number}" for number in range(80)]
    with serving(0.1) as service:
        started = time.monotonic()
        for prompt in prompts[:10]:
            asker(service)(prompt)
        serial = (time.monotonic() - started) * len(prompts) / 10
    with serving(0.1, one_in_eight) as service, ConcurrentRequests(RequestLimits()) as pool:
        started = time.monotonic()
        answers = pool.map(asker(service), prompts)
        took = time.monotonic() - started
        assert service.refused >= 10
        assert 1 < service.most_active <= 8
    assert answers == [prompt.upper() for prompt in prompts]
    assert took < 0.8 * serial


@pytest.mark.parametrize("library", [asker, with_urllib])
def test_one_bad_request_costs_its_own_sample_and_is_not_sent_again(library: Any) -> None:
    def plan(number: int, body: dict[str, Any]) -> Any:
        return (400, {}, "prompt too long") if body["prompt"] == "bad" else None

    with serving(plan=plan) as service, ConcurrentRequests(QUICK) as pool:
        first, bad, last = pool.map(library(service), ["a", "bad", "c"])
        assert (first, last) == ("A", "C")
        assert isinstance(bad, SampleError)
        assert "status 400" in bad.what
        assert [body["prompt"] for body in service.bodies].count("bad") == 1


def test_a_fault_that_stays_is_given_up_after_the_retries_and_counts_them() -> None:
    limits = RequestLimits(concurrency=2, retries=2, backoff=0.01)
    with serving(plan=lambda number, body: (503, {}, "busy")) as service, ConcurrentRequests(limits) as pool:
        (found,) = pool.map(asker(service), ["a"])
        assert isinstance(found, SampleError)
        assert "status 503: busy" in found.what
        assert "(3 attempts)" in found.what
        assert len(service.bodies) == 3


@pytest.mark.parametrize("dated", [False, True])
def test_the_wait_that_a_service_asks_for_is_kept(dated: bool) -> None:
    def plan(number: int, body: dict[str, Any]) -> Any:
        wait = formatdate(time.time() + 2, usegmt=True) if dated else "0.5"
        return (429, {"Retry-After": wait}, "slow down") if number == 0 else None

    with serving(plan=plan) as service, ConcurrentRequests(RequestLimits(backoff=0.0)) as pool:
        assert pool.map(asker(service), ["a"]) == ["A"]
        assert service.times[1] - service.times[0] >= 0.5


def test_a_service_that_asks_for_more_than_the_longest_wait_is_given_up_at_once() -> None:
    limits = RequestLimits(longest_wait=5.0)
    plan = lambda number, body: (429, {"Retry-After": "3600"}, "quota")  # noqa: E731
    with serving(plan=plan) as service, ConcurrentRequests(limits) as pool:
        with pytest.raises(UnavailableError, match="asks to wait 3600 s"):
            pool.map(asker(service), ["a"])
        assert len(service.bodies) == 1


def test_a_refused_key_ends_the_map_and_keeps_what_was_answered() -> None:
    def plan(number: int, body: dict[str, Any]) -> Any:
        return (401, {}, "key sk-secret is wrong") if number >= 3 else None

    limits = RequestLimits(concurrency=1)
    with serving(plan=plan) as service, ConcurrentRequests(limits) as pool:
        found = pool.map(asker(service), list("abcdef"))
        assert found[:3] == ["A", "B", "C"]
        assert all(isinstance(one, UnavailableError) for one in found[3:])
        assert len(service.bodies) == 4
        assert "sk-secret" not in str(found[3])
        with pytest.raises(UnavailableError, match="the key is refused"):
            pool.map(asker(service), ["g"])


def test_nobody_listening_is_said_at_once_with_the_default_patience() -> None:
    with serving() as service:
        pass
    for ask in (asker(service), with_urllib(service)):
        with ConcurrentRequests() as pool, pytest.raises(UnavailableError, match="cannot be reached"):
            pool.map(ask, ["a"])


def test_a_connection_that_breaks_later_is_tried_again() -> None:
    calls: list[str] = []

    def flaky(prompt: str) -> str:
        calls.append(prompt)
        if calls.count(prompt) == 1 and prompt != "first":
            raise requests.ConnectionError("connection reset by peer")
        return prompt.upper()

    with ConcurrentRequests(QUICK) as pool:
        assert pool.map(flaky, ["first"]) == ["FIRST"]
        assert pool.map(flaky, ["a", "b"]) == ["A", "B"]


def test_coroutine_functions_run_concurrently_without_threads() -> None:
    running, most = 0, 0

    async def ask(prompt: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return prompt.upper()

    with ConcurrentRequests(RequestLimits(concurrency=5)) as pool:
        assert pool.map(ask, list("abcdefghij")) == list("ABCDEFGHIJ")
    assert most == 5


def test_an_attempt_that_hangs_is_ended_and_a_deadline_ends_all_attempts() -> None:
    attempts = 0

    async def hangs(prompt: str) -> str:
        nonlocal attempts
        attempts += 1
        if prompt == "once" and attempts > 1:
            return "answered"
        await asyncio.sleep(60)
        return "never"

    with ConcurrentRequests(RequestLimits(timeout=0.05, backoff=0.01)) as pool:
        assert pool.map(hangs, ["once"]) == ["answered"]
    with ConcurrentRequests(RequestLimits(timeout=None, deadline=0.1)) as pool:
        (late,) = pool.map(hangs, ["always"])
        assert isinstance(late, SampleError)
        assert "not answered within 0.1 s" in late.what
    limits = RequestLimits(timeout=0.05, deadline=0.4, backoff=0.01, retries=1000)
    with ConcurrentRequests(limits) as pool:
        (late,) = pool.map(hangs, ["always"])
        assert isinstance(late, SampleError)


def test_an_adapter_says_itself_what_may_pass() -> None:
    calls = 0

    def ask(prompt: str) -> str:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise RetryableError("The model is being loaded.", after=0.01)
        return prompt

    with ConcurrentRequests(RequestLimits()) as pool:
        assert pool.map(ask, ["a"]) == ["a"]
    assert calls == 3


def test_a_reply_of_another_shape_fails_its_sample_only() -> None:
    def ask(prompt: str) -> str:
        return {"a": "A"}[prompt]

    with ConcurrentRequests(QUICK) as pool:
        good, bad = pool.map(ask, ["a", "b"])
    assert good == "A"
    assert isinstance(bad, SampleError)
    assert "KeyError" in bad.what


def test_rate_limits_space_requests_and_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalsuite.model.concurrency._MINUTE", 1.0)

    def spread(limits: RequestLimits, count: int, tokens: Any = None) -> float:
        times: list[float] = []
        with ConcurrentRequests(limits, tokens=tokens) as pool:
            pool.map(lambda item: times.append(time.monotonic()), range(count))
        return times[-1] - times[0]

    # The bucket holds four; two more have to leak, a quarter of the minute each.
    assert spread(RequestLimits(requests_per_minute=4.0), 6) >= 0.4
    assert spread(RequestLimits(tokens_per_minute=100.0), 4, tokens=lambda item: 50.0) >= 0.8
    # More tokens than a minute has are one minute's worth: the request is sent.
    assert spread(RequestLimits(tokens_per_minute=100.0), 1, tokens=lambda item: 1e6) == 0.0
    with pytest.raises(SpecError, match="needs to know tokens"):
        ConcurrentRequests(RequestLimits(tokens_per_minute=5.0))


def test_it_works_inside_a_running_loop_as_in_a_notebook() -> None:
    async def cell() -> Any:
        with ConcurrentRequests(QUICK) as pool:
            return pool.map(str.upper, ["a", "b"])

    assert asyncio.run(cell()) == ["A", "B"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_the_standard_has_it(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_limits_out_of_range_are_refused_and_options_become_limits() -> None:
    with pytest.raises(SpecError, match="concurrency=0 is out of range"):
        RequestLimits(concurrency=0)
    with pytest.raises(SpecError, match="backoff=nan"):
        RequestLimits(backoff=float("nan"))
    found = RequestLimits.of({"concurrency": "4", "deadline": "30", "name": "mine"})
    assert (found.concurrency, found.deadline, found.retries) == (4, 30.0, 6)
    with pytest.raises(SpecError, match="retries='many' is not a whole number"):
        RequestLimits.of({"retries": "many"})


def test_an_error_of_an_image_is_the_samples_own() -> None:
    from evalsuite.errors import DataError

    fault = http_fault(DataError("The image is broken.", "Fetch it again."))
    assert isinstance(fault.error, SampleError)
    assert not fault.retry
