"""The client against a real server on loopback that speaks the protocol, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Image, assistant, system, user
from evalsuite.endpoint import Chat, Endpoint, ImageRequest, Reply, Server
from evalsuite.endpoint.pixels import encoded as sent
from evalsuite.errors import DataError, SampleError, SpecError, StoreError, UnavailableError
from tests.data.image_files import encoded
from tests.endpoint.server import KEY, PIXEL, Local, serving


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with serving(tmp_path_factory.mktemp("server")) as local:
        yield local


def server(local: Local, **more: Any) -> Server:
    return Server(local.url, **{"model": "judge", "backoff": 0.01, "timeout": 10.0, **more})


def chat(text: str = "How many?", **more: Any) -> Chat:
    return Chat((user(text),), **more)


def one(local: Local, asked: Chat, **more: Any) -> Reply:
    """The reply to one chat; raises what went wrong with it."""
    with Endpoint(server(local, **more)) as endpoint:
        (found,) = endpoint.map([asked])
    if isinstance(found, Exception):
        raise found
    return found


def since(local: Local, before: int) -> list[dict[str, Any]]:
    return local.requests()[before:]


def test_a_reply_tells_what_the_server_told(running: Local) -> None:
    reply = one(running, chat("one two three", max_tokens=2, logprobs=1))
    assert (reply.text, reply.finish_reason, reply.truncated) == ("one two", "length", True)
    assert (reply.model, reply.system_fingerprint) == ("judge-2026-01-01", "fp_local")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.retries) == (3, 2, 0)
    assert [(token.token, token.logprob, token.top) for token in reply.logprobs] == [
        ("one", -0.5, (("x", -3.0),)), ("two", -0.5, (("x", -3.0),)),
    ]  # fmt: skip
    assert reply.seconds > 0


def test_half_a_surrogate_pair_is_asked_about_as_a_replacement_character(running: Local) -> None:
    assert one(running, chat("an emoji, cut: \ud83d")).text == "an emoji, cut: \ufffd"
    assert one(running, chat("a whole one: \U0001f600")).text == "a whole one: \U0001f600"


def test_conversations_keep_the_order_of_text_and_images(running: Local) -> None:
    before = len(running.requests())
    png, bitmap = encoded("PNG"), encoded("BMP")
    shown = user("See", Image(data=png), "and", Image(data=bitmap))
    messages = (system("Be brief."), shown, assistant("I see"), user("So?"))
    one(
        running, Chat(messages, temperature=0.0, stop=("\n",), seed=3, extra={"top_k": 5}), image_detail="low"
    )
    (request,) = since(running, before)
    body = request["body"]
    first, second, third, last = body["messages"]
    assert first == {"role": "system", "content": "Be brief."}
    assert third == {"role": "assistant", "content": "I see"}
    assert last == {"role": "user", "content": "So?"}
    kinds = [part["type"] for part in second["content"]]
    assert kinds == ["text", "image_url", "text", "image_url"]
    pictures = [part["image_url"] for part in second["content"] if part["type"] == "image_url"]
    assert pictures[0] == {"url": "data:image/png;base64," + base64.b64encode(png).decode(), "detail": "low"}
    assert pictures[1]["url"].startswith("data:image/png;base64,")  # servers need not read bitmaps
    assert (body["temperature"], body["stop"], body["seed"], body["top_k"]) == (0.0, ["\n"], 3, 5)
    assert "max_tokens" not in body


def test_a_prefill_is_asked_for_as_the_server_takes_it_or_refused(running: Local) -> None:
    with pytest.raises(SampleError, match="begins the answer"):
        one(running, chat(prefill="The answer is"))
    before = len(running.requests())
    one(running, chat(prefill="The answer is"), prefill="continue", limit_name="max_completion_tokens")
    one(
        running,
        chat(prefill="The answer is", max_tokens=4),
        prefill="assistant",
        limit_name="max_completion_tokens",
    )
    flags, bare = (request["body"] for request in since(running, before))
    assert flags["messages"][-1] == bare["messages"][-1] == {"role": "assistant", "content": "The answer is"}
    assert (flags["continue_final_message"], flags["add_generation_prompt"]) == (True, False)
    assert "continue_final_message" not in bare
    assert bare["max_completion_tokens"] == 4


def test_images_have_no_place_in_other_turns_than_the_users(running: Local) -> None:
    with pytest.raises(SampleError, match="turn of the assistant"):
        one(running, Chat((assistant(Image(data=PIXEL)), user("?"))))


def test_replies_come_in_the_order_of_the_requests_and_never_more_at_once_than_allowed(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, delay=0.3) as local, Endpoint(server(local, in_flight=4)) as endpoint:
        replies = endpoint.map([chat(str(i)) for i in range(8)])
        assert [reply.text for reply in replies if isinstance(reply, Reply)] == [str(i) for i in range(8)]
        at_once = max(request["active"] for request in local.requests())
    assert 2 <= at_once <= 4


def test_passing_faults_are_tried_again_and_counted(running: Local) -> None:
    running.script(
        {"status": 500}, {"cut": True}, {"raw": "[]"}, {"raw": "no JSON"}, {"status": 503}, {"status": 408}
    )
    assert one(running, chat()).retries == 6


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "0.6"},
        {"Retry-After-Ms": "600"},
        # A date has whole seconds: two ahead is more than one.
        {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)},
    ],
)
def test_a_rate_limit_is_waited_for_as_long_as_the_server_says(
    running: Local, headers: dict[str, str]
) -> None:
    if "GMT" in headers.get("Retry-After", ""):
        headers = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)}
    before = len(running.requests())
    running.script({"status": 429, "headers": headers})
    assert one(running, chat()).retries == 1
    refused, answered = (request["time"] for request in since(running, before))
    assert answered - refused > 0.5


def test_a_rate_limit_stops_the_other_requests_too(running: Local) -> None:
    before = len(running.requests())
    running.script({"status": 429, "headers": {"Retry-After": "0.5"}})
    with Endpoint(server(running, in_flight=1)) as endpoint:

        async def work(text: str) -> Reply:
            return await endpoint.ask(chat(text))

        found = dict(endpoint.each("ab", work))
    assert set(found) == {"a", "b"}
    first, *rest = (request["time"] for request in since(running, before))
    assert all(later - first > 0.45 for later in rest)


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ({"status": 429}, UnavailableError, "limits the rate of requests \\(2 attempts\\)"),
        ({"status": 429, "headers": {"Retry-After": "9000"}}, UnavailableError, "asks to wait 9000 s"),
        ({"status": 429, "error": {"code": "insufficient_quota"}}, UnavailableError, "quota"),
        ({"status": 500}, SampleError, "status 500 \\(2 attempts\\)"),
        ({"cut": True}, SampleError, "connection to judge at http://127.* broke"),
        ({"raw": "{}"}, SampleError, "no usable answer"),
        (
            {"status": 400, "error": {"message": "too big", "code": "context_length_exceeded"}},
            SampleError,
            "too long for judge at http",
        ),
        (
            {"status": 400, "error": {"message": "This model's maximum context length is 8 tokens"}},
            SampleError,
            "too long for judge",
        ),
        ({"status": 400, "error": {"code": "content_filter"}}, SampleError, "refuses the con"),
        ({"status": 422, "error": {"message": "no top_k"}}, SampleError, r"\(status 422\): no top"),
    ],
)  # fmt: skip
def test_what_does_not_pass_is_told_with_server_and_reason(
    running: Local, fault: dict[str, Any], kind: type[Exception], message: str
) -> None:
    running.script(fault, fault)
    with pytest.raises(kind, match=message):
        one(running, chat(), retries=1)
    running.script()


def test_a_server_that_is_too_slow_costs_the_sample_only(running: Local) -> None:
    running.script({"sleep": 3.0})
    with Endpoint(server(running, timeout=1.5, retries=0, in_flight=1)) as endpoint:
        slow, quick = endpoint.map([chat("slow"), chat("quick")])
    assert isinstance(slow, SampleError)
    assert "did not answer within 1.5 s" in str(slow)
    assert isinstance(quick, Reply)


def test_a_filtered_answer_is_no_empty_answer(tmp_path: Path) -> None:
    with (
        serving(tmp_path, answers="tests.endpoint.test_endpoint:filtered") as local,
        pytest.raises(SampleError, match="content filter removed the answer"),
    ):
        one(local, chat())


def filtered(body: dict[str, Any]) -> dict[str, Any]:
    return {"text": "", "finish_reason": "content_filter"}


def test_keys_come_from_the_environment_and_stand_in_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_KEY", KEY)
    with serving(tmp_path, key=KEY) as local:
        assert one(local, chat("hello"), key_env="LOCAL_KEY").text == "hello"
        local.script({"status": 400, "error": {"message": f"a key like {KEY} is odd"}})
        with pytest.raises(SampleError, match=r"a key like \[key\] is odd"):
            one(local, chat(), key_env="LOCAL_KEY")
        monkeypatch.setenv("LOCAL_KEY", "sk-wrong-9876543210")
        with pytest.raises(UnavailableError, match="refuses the key in LOCAL_KEY") as refused:
            one(local, chat(), key_env="LOCAL_KEY")
    assert "9876543210" not in str(refused.value)
    assert KEY not in repr(Server("http://localhost/v1", "judge", key_env="LOCAL_KEY"))
    with pytest.raises(UnavailableError, match=r"ABSENT_KEY.* is not set"):
        Endpoint(Server("http://localhost/v1", "judge", key_env="ABSENT_KEY"))


@pytest.mark.parametrize("address", ["http://me:secret@h/v1", "http://h/v1?api-key=secret"])
def test_an_address_that_may_carry_a_key_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(SpecError, match="environment variable") as refused:
        Server(address, "judge")
    assert "secret" not in str(refused.value)


def test_a_server_of_ones_own_needs_no_key(running: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert one(running, chat("hello")).text == "hello"


def test_an_absent_server_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    started = time.monotonic()
    with (
        Endpoint(Server(address, "judge", backoff=100.0)) as endpoint,
        pytest.raises(UnavailableError) as told,
    ):
        endpoint.map([chat()])
    assert f"There is no server at {address}" in str(told.value)
    assert time.monotonic() - started < 50  # the first retry would wait that long


def test_an_absent_model_is_told_with_where_to_look(running: Local) -> None:
    with pytest.raises(UnavailableError, match=r"has no 'absent'.*/v1/models"):
        one(running, chat(), model="absent")
    with Endpoint(server(running)) as endpoint:
        assert endpoint.models() == ["judge", "painter"]


def test_what_was_on_its_way_is_kept_when_the_server_goes_away(tmp_path: Path) -> None:
    with serving(tmp_path, delay=0.2) as local, Endpoint(server(local, in_flight=3)) as endpoint:
        local.script({"sleep": 2.5}, {"sleep": 2.5}, {"status": 401})
        kept: list[Any] = []
        with pytest.raises(UnavailableError, match="refuses the key"):
            kept.extend(endpoint.each(range(9), lambda i: endpoint.ask(chat(str(i)))))
        assert len(kept) == 2
        assert len(local.requests()) == 3


def test_errors_of_the_work_itself_end_it(running: Local) -> None:
    async def work(item: str) -> None:
        raise StoreError("The disk is full.")

    async def unread(item: str) -> None:
        raise DataError("Image x.png is truncated.")

    with Endpoint(server(running)) as endpoint:
        with pytest.raises(StoreError):
            list(endpoint.each("abc", work))
        ((_, result),) = endpoint.each("a", unread)
    assert isinstance(result, SampleError)


def test_a_running_loop_is_told_what_to_do(running: Local) -> None:
    async def notebook() -> None:
        with pytest.raises(SpecError, match=r"asyncio\.to_thread"):
            endpoint.map([chat()])

    endpoint = Endpoint(server(running))
    try:
        asyncio.run(notebook())
    finally:
        endpoint.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "localhost:8000"}, {"base_url": "http://me:secret@host/v1"}, {"base_url": "http://[/v1"},
        {"model": ""}, {"in_flight": 0}, {"timeout": float("nan")}, {"retries": -1},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as refused:
        Server(**{"base_url": "http://localhost/v1", "model": "judge", **wrong})
    assert "secret" not in str(refused.value)


def test_equal_questions_have_equal_fingerprints_whatever_the_image_is_called(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PIXEL)
    named, plain = Image(path=tmp_path / "a.png"), Image(data=PIXEL, name="b")
    assert Chat((user(named),)).fingerprint() == Chat((user(plain),)).fingerprint()
    assert Chat((user(named),)).fingerprint() != Chat((user(named),), temperature=0.5).fingerprint()
    assert Chat((user("a", "b"),)).fingerprint() != Chat((user("ab"), user())).fingerprint()


def test_images_are_drawn_and_edited(running: Local) -> None:
    before = len(running.requests())
    with Endpoint(server(running, model="painter")) as endpoint:
        asked = {
            "draw": ImageRequest("a dot", size="64x64", count=2, extra={"response_format": "b64_json"}),
            "edit": ImageRequest("make it red", (Image(data=PIXEL),)),
        }
        found = dict(endpoint.each(asked, lambda name: endpoint.draw(asked[name])))
    drawn, edited = found["draw"], found["edit"]
    assert not isinstance(drawn, SampleError)
    assert not isinstance(edited, SampleError)
    assert [image.data for image in drawn.images] == [PIXEL, PIXEL]
    assert drawn.revised_prompts == ("a pixel", "a pixel")
    assert (drawn.prompt_tokens, drawn.completion_tokens) == (3, 7)
    assert len(edited.images) == 1
    bodies = {request["path"]: request["body"] for request in since(running, before)}
    assert bodies["/v1/images/generations"]["size"] == "64x64"
    shown = sent(Image(data=PIXEL)).data  # the colour of a transparent pixel, as local adapters show it
    assert shown.decode("latin-1") in bodies["/v1/images/edits"]["form"]
