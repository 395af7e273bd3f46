"""A reply is bounded in time and size, and a request goes to no other host."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import user
from evalsuite.endpoint import Chat, Endpoint, Reply, Server
from evalsuite.errors import SampleError, UnavailableError
from tests.endpoint.server import Local, serving


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with serving(tmp_path_factory.mktemp("server")) as local:
        yield local


def ask(local: Local, url: str = "", **more: Any) -> Reply | SampleError | UnavailableError:
    settings = {"model": "judge", "backoff": 0.01, "timeout": 10.0, "retries": 0, **more}
    with Endpoint(Server(url or local.url, **settings)) as endpoint:
        (found,) = endpoint.map([Chat((user("hi"),))])
    return found


@pytest.mark.slow
def test_a_byte_now_and_then_does_not_outlive_the_timeout(running: Local) -> None:
    running.script({"drip": 0.2})
    found = ask(running, timeout=1.0)
    assert isinstance(found, SampleError)
    assert "did not answer within 1 s" in str(found)


def test_a_drip_is_tried_again_like_any_other_time_out(running: Local) -> None:
    running.script({"drip": 0.2}, {})
    found = ask(running, timeout=1.0, retries=1)
    assert isinstance(found, Reply)
    assert found.retries == 1


@pytest.mark.parametrize("fault", [{"endless": True}, {"gzip": 300}], ids=["endless", "bomb"])
def test_a_reply_that_is_too_long_costs_the_sample_and_little_memory(
    fault: dict[str, Any], running: Local
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    running.script(fault)
    found = ask(running, max_reply=4.0, retries=3, timeout=60.0)
    assert isinstance(found, SampleError)
    assert "more than 4 MiB" in str(found)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 * 1024, "KiB; the bomb holds 300 MiB"


def test_a_packed_reply_within_the_bounds_is_read(running: Local) -> None:
    running.script({"gzip": 1})
    found = ask(running)
    assert isinstance(found, SampleError)
    assert "no JSON" in str(found), "zeros were unpacked, which are no answer"


def test_a_reply_that_announces_too_much_is_not_read(running: Local) -> None:
    running.script({"raw": " " * 3_000_000})
    assert "more than 1 MiB" in str(ask(running, max_reply=1.0))


def test_prompts_do_not_follow_a_redirect_to_another_host(running: Local, tmp_path: Path) -> None:
    with serving(tmp_path) as other:
        for status in (301, 302, 303, 307, 308):
            target = other.url.replace("127.0.0.1", "localhost") + "/chat/completions"
            running.script({"status": status, "headers": {"Location": target}})
            with pytest.raises(UnavailableError, match=r"redirects to http://localhost.*not sent to another"):
                ask(running)
        port = {"status": 307, "headers": {"Location": other.url + "/chat/completions"}}
        running.script(port)
        with pytest.raises(UnavailableError, match="another host"):
            ask(running)
        assert other.requests() == []


@pytest.mark.slow
def test_a_redirect_on_the_same_host_is_followed(running: Local) -> None:
    running.script({"status": 307, "headers": {"Location": running.url + "/chat/completions"}}, {})
    found = ask(running)
    assert isinstance(found, Reply)
    assert found.text == "hi"
