"""What is an answer, what is none, and why: replies in the shapes that servers send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalsuite.content import user
from evalsuite.endpoint import Chat, Reply
from evalsuite.endpoint.errors import NO_ANSWER, REFUSED, Rejected, Unusable
from evalsuite.endpoint.replies import completion_of, images_of, reply_of, require_answer
from evalsuite.errors import SampleError

CHAT = Chat((user("Is there a dog?"),), max_tokens=64)


def body(message: Any, finish: Any = "stop", **more: Any) -> str:
    usage = {"prompt_tokens": 50, "completion_tokens": 64}
    return json.dumps({
        "model": "m", "usage": usage, "choices": [{"message": message, "finish_reason": finish}], **more
    })  # fmt: skip


def checked(text: str, chat: Chat = CHAT) -> Reply:
    reply = reply_of(text)
    require_answer(reply, chat, "m at here")
    return reply


ANSWERS: dict[str, tuple[Any, str]] = {
    "text": ({"content": "no"}, "no"),
    "parts": ({"content": [{"type": "text", "text": "n"}, {"type": "output_text", "text": "o"}]}, "no"),
    "strings": ({"content": ["no"]}, "no"),
    "thought in parts": (
        {"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "no"}]},
        "no",
    ),
    "thought beside": ({"content": "no", "reasoning_content": "no dog"}, "no"),
    "no tools": ({"content": "no", "tool_calls": []}, "no"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_read(name: str) -> None:
    message, text = ANSWERS[name]
    assert checked(body(message)).text == text


NONE: dict[str, tuple[Any, str, str]] = {
    "null, used up": ({"content": None, "reasoning_content": "I see"}, "length", "64 of 64 tokens were used"),
    "empty, used up": ({"content": "", "reasoning": "I see"}, "length", "used up by reasoning"),
    "null after reasoning": ({"content": None, "reasoning": "so no"}, "stop", "ended after its reasoning"),
    "null": ({"content": None}, "stop", "no content"),
    "no content at all": ({}, "stop", "no content"),
    "refusal": ({"content": None, "refusal": "I can't."}, "stop", f"{REFUSED}: I can't."),
    "refusal in parts": ({"content": [{"type": "refusal", "refusal": "No."}]}, "stop", f"{REFUSED}: No."),
    "tool": ({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls", "calls a tool"),
    "function": ({"content": None, "function_call": {"name": "f"}}, "function_call", "calls a tool"),
    "filtered": ({"content": ""}, "content_filter", "content filter removed the answer"),
    "lost": ({"content": ""}, "stop", "counts 64 tokens and shows none"),
    "no parts": ({"content": []}, "stop", "shows none"),
}


@pytest.mark.parametrize("name", NONE)
def test_a_reply_without_an_answer_is_a_failure_with_a_reason(name: str) -> None:
    message, finish, reason = NONE[name]
    with pytest.raises(SampleError) as caught:
        checked(body(message, finish))
    assert reason in str(caught.value)
    assert NO_ANSWER in str(caught.value) or REFUSED in str(caught.value)


@pytest.mark.parametrize("tokens", [0, 1])
def test_a_model_that_ends_at_once_has_answered_with_nothing(tokens: int) -> None:
    made = body({"content": ""}, usage={"completion_tokens": tokens})
    assert checked(made).text == ""


def test_a_stop_string_that_comes_first_leaves_an_empty_answer() -> None:
    made = body({"content": ""}, usage={"completion_tokens": 3})
    assert checked(made, Chat((user("?"),), stop=("\n",))).text == ""
    assert checked(body({"content": "\n"})).text == "\n", "white space is an answer"


def test_an_empty_text_of_a_server_that_does_not_count_is_no_answer() -> None:
    with pytest.raises(SampleError, match="does not count"):
        checked(body({"content": ""}, usage=None))


ODD = [
    "", "no", "[]", "null", "{}", "NaN", '{"choices": null}', '{"choices": []}', '{"choices": {}}',
    '{"choices": [null]}', '{"choices": [{}]}', '{"choices": [{"message": null}]}',
    '{"choices": [{"message": "no"}]}', body({"content": 7}), body({"content": {"text": "no"}}),
    body({"content": [{"type": "image_url"}]}), body({"content": [7]}), "[" * 100_000,
    '{"error": "overloaded"}', '{"error": {"message": "image decode failed", "code": 500}}',
    '{"error": {"message": "slow down", "code": "429"}}',
]  # fmt: skip


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_what_is_no_reply_may_pass_and_is_told_in_words(text: str) -> None:
    with pytest.raises(Unusable) as caught:
        reply_of(text)
    assert len(str(caught.value)) < 400
    assert "Error" not in str(caught.value), "no name of a Python exception"


def test_an_error_in_the_dress_of_a_reply_says_itself_whether_it_comes_again() -> None:
    with pytest.raises(Rejected, match="too odd"):
        reply_of('{"error": {"message": "too odd", "code": 400}}')


@pytest.mark.parametrize("usage", [None, "many", {"completion_tokens": "7"}, {"completion_tokens": -1}])
def test_odd_counts_are_unknown(usage: Any) -> None:
    assert reply_of(body({"content": "no"}, usage=usage)).completion_tokens is None


@pytest.mark.parametrize(
    "logprobs", [None, [], "x", {"content": None}, {"content": [{}]}, {"content": [{"logprob": "a"}]}]
)
def test_odd_log_probabilities_are_none(logprobs: Any) -> None:
    choice = {"message": {"content": "no"}, "logprobs": logprobs}
    assert reply_of(json.dumps({"choices": [choice]})).logprobs == ()


@pytest.mark.parametrize(
    "text",
    ['{"data": null}', '{"data": []}', '{"data": {}}', '{"data": [{"b64_json": "no base64!"}]}', "[]", "no"],
)
def test_what_are_no_images_may_pass(text: str) -> None:
    with pytest.raises(Unusable):
        images_of(text)


def test_addresses_instead_of_images_are_refused_with_the_remedy() -> None:
    for one in ({"url": "http://elsewhere/1.png"}, {"b64_json": None}, "text", None):
        with pytest.raises(SampleError, match="response_format=b64_json"):
            images_of(json.dumps({"data": [one]}))


def test_completions_have_texts_and_the_log_probabilities_of_the_prompt() -> None:
    found = {"tokens": ["a", " b"], "token_logprobs": [None, -0.5], "text_offset": [0, 1]}
    made = completion_of(json.dumps({"choices": [{"text": "a b", "logprobs": found}]}))
    assert made.text == "a b"
    assert [(token.token, token.offset) for token in made.logprobs] == [("a", 0), (" b", 1)]
    assert made.logprobs[1].logprob == -0.5
