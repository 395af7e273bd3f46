"""Replies as servers send them, read without trust: more or less compatible, odd, empty or none at all."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

from evalsuite.content import Image
from evalsuite.endpoint.errors import NO_ANSWER, REFUSED, Rejected, Unusable
from evalsuite.endpoint.messages import sendable
from evalsuite.endpoint.types import Chat, Completion, ImageReply, Reply, TokenLogprob
from evalsuite.errors import SampleError

_QUOTED = 200


def reply_of(text: str) -> Reply:
    """The reply of `chat/completions`; one without content has an empty text (see `require_answer`).

    Raises:
        Unusable: it is no reply; asking again may help.
        Rejected: it is an error with status 200, which would come again.
    """
    made = _object(text)
    choice = _first_choice(made)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise Unusable(f"a choice without a message: {_short(choice)}")
    content, thought, refusal = _content(message.get("content"))
    reasoning = next(
        (v for v in (message.get("reasoning_content"), message.get("reasoning")) if isinstance(v, str)), ""
    )
    said_no = message.get("refusal")
    tools = message.get("tool_calls")
    return Reply(
        text=sendable(content),
        has_content=message.get("content") is not None,
        reasoning=sendable(reasoning or thought),
        refusal=sendable(said_no if isinstance(said_no, str) else refusal),
        tool_calls=len(tools) if isinstance(tools, list) else int(bool(message.get("function_call"))),
        logprobs=_logprobs(choice.get("logprobs")),
        **_common(made, choice),
    )


def completion_of(text: str) -> Reply:
    """The reply of `completions`. Raises as `reply_of`."""
    made = _object(text)
    choice = _first_choice(made)
    found = choice.get("text")
    if found is not None and not isinstance(found, str):
        raise Unusable(f"a text of another type: {_short(found)}")
    return Reply(
        text=sendable(found or ""),
        has_content=found is not None,
        logprobs=_old_logprobs(choice.get("logprobs")),
        **_common(made, choice),
    )


def images_of(text: str) -> ImageReply:
    """The reply of the images endpoint. Raises as `reply_of`; SampleError for addresses instead of images."""
    made = _object(text)
    entries = made.get("data")
    if not isinstance(entries, list) or not entries:
        raise Unusable(f"no images in {_short(made)}")
    images, revised = [], []
    for place, entry in enumerate(entries):
        data = entry.get("b64_json") if isinstance(entry, Mapping) else None
        if not isinstance(data, str) or not data:
            raise SampleError(
                "The server returns URLs instead of image data.",
                "Request the data with --option response_format=b64_json.",
            )
        try:
            images.append(Image(data=base64.b64decode(data, validate=True), name=f"image-{place}"))
        except ValueError as error:
            raise Unusable(f"image {place} is not base64 ({error})") from error
        revised.append(sendable(_string(entry.get("revised_prompt"))))
    usage = made.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    return ImageReply(
        tuple(images), tuple(revised), _count(counts.get("input_tokens")), _count(counts.get("output_tokens"))
    )


def names_of(text: str) -> list[str]:
    """The models in the reply of `models`. Raises as `reply_of`."""
    listed = _object(text).get("data")
    if not isinstance(listed, list):
        raise Unusable(f"no list of models: {_short(text)}")
    return [one["id"] for one in listed if isinstance(one, Mapping) and isinstance(one.get("id"), str)]


def require_answer(reply: Reply, chat: Chat | Completion, who: str) -> None:
    """Raises SampleError for a reply that is no answer, with the reason; an empty answer of a model that
    answered is one.

    A model answered with nothing where it ended at once (a token at most), or where one of the stop strings
    that were sent came first. A server that counts more tokens and shows none has lost the answer.
    """
    if reply.text.strip():
        return
    if reply.refusal:
        raise SampleError(f"{who} {REFUSED}: {_short(reply.refusal)}")
    if reply.finish_reason == "content_filter":
        raise SampleError(f"{who} {REFUSED}: its content filter removed the answer.")
    if reply.tool_calls:
        raise SampleError(
            f"{who} {NO_ANSWER}: it calls a tool instead.",
            "Start the server without automatic tool choice.",
        )
    spent = f" of {chat.max_tokens}" if chat.max_tokens is not None else ""
    if reply.finish_reason == "length" and (reply.reasoning or _many(reply)):
        raise SampleError(
            f"{who} {NO_ANSWER}: its {_tokens(reply)}{spent} tokens were used up by reasoning.",
            "Switch reasoning off (--option thinking=off, where the model can), or use a protocol with a "
            "larger max_new_tokens.",
        )
    if reply.reasoning:
        raise SampleError(
            f"{who} {NO_ANSWER}: it ended after its reasoning.",
            "Switch reasoning off (--option thinking=off), or see the server's reasoning parser.",
        )
    if not reply.has_content:
        ended = f" (finish_reason {reply.finish_reason!r})" if reply.finish_reason else ""
        raise SampleError(f"{who} {NO_ANSWER}: the reply has no content{ended}.", "See the server's own log.")
    stopped = bool(chat.stop) and reply.finish_reason in ("stop", "stop_sequence", "")
    if reply.completion_tokens is None or (_many(reply) and not stopped):
        counted = "the server does not count its tokens" if reply.completion_tokens is None else (
            f"the server counts {reply.completion_tokens} tokens and shows none"
        )  # fmt: skip
        if not reply.text and not (stopped and reply.completion_tokens is None):
            raise SampleError(
                f"{who} {NO_ANSWER}: its text is empty, and {counted}.",
                "See the server's own log; a reasoning or tool parser may take the answer away.",
            )


def _many(reply: Reply) -> bool:
    """More tokens than the one that ends an answer."""
    return (reply.completion_tokens or 0) > 1


def _tokens(reply: Reply) -> str:
    return str(reply.completion_tokens) if reply.completion_tokens is not None else "all"


def _object(text: str) -> Mapping[str, Any]:
    try:
        made = json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "nested too deeply" if isinstance(error, RecursionError) else "no JSON"
        raise Unusable(f"the body is {kind}: {_short(text)}") from error
    if not isinstance(made, Mapping):
        raise Unusable(f"the body is not an object: {_short(made)}")
    fault = made.get("error")
    if fault and not made.get("choices"):
        _raise(fault)
    return made


def _raise(fault: Any) -> None:
    """An error with status 200: as its own code says, or to be tried again."""
    said = fault.get("message") if isinstance(fault, Mapping) else fault
    code = fault.get("code") if isinstance(fault, Mapping) else None
    number = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdigit()) else 500
    text = _short(said if said else fault)
    if 400 <= number < 500 and number not in (408, 409, 429):
        raise Rejected(text)
    raise Unusable(f"an error in place of an answer: {text}")


def _first_choice(made: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = made.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise Unusable(f"no choices in {_short(made)}")
    return choices[0]


def _common(made: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
    usage = made.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    return {
        "finish_reason": _string(choice.get("finish_reason")),
        "prompt_tokens": _count(counts.get("prompt_tokens")),
        "completion_tokens": _count(counts.get("completion_tokens")),
        "model": sendable(_string(made.get("model")))[:_QUOTED],
        "system_fingerprint": sendable(_string(made.get("system_fingerprint")))[:_QUOTED],
    }


def _content(found: Any) -> tuple[str, str, str]:
    """Text, reasoning and refusal of a message's content: a string, or a list of parts.

    Raises Unusable for anything else.
    """
    if found is None or isinstance(found, str):
        return found or "", "", ""
    if not isinstance(found, list):
        raise Unusable(f"a content that is neither text nor parts: {_short(found)}")
    text, thought, refusal = [], [], []
    for part in found:
        if isinstance(part, str):
            text.append(part)
            continue
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("text", "output_text") and isinstance(part.get("text"), str):
            text.append(part["text"])
        elif kind == "refusal":
            refusal.append(_string(part.get("refusal")))
        elif kind in ("thinking", "reasoning", "reasoning_content", "redacted_thinking"):
            thought.append(_string(part.get(kind) or part.get("text") or part.get("thinking")) or "…")
        else:
            raise Unusable(f"a part of content that is not text: {_short(part)}")
    return "".join(text), "".join(thought), "".join(refusal)


def _logprobs(found: Any) -> tuple[TokenLogprob, ...]:
    content = found.get("content") if isinstance(found, Mapping) else None
    if not isinstance(content, list):
        return ()
    made = []
    for one in content:
        if not isinstance(one, Mapping) or not _is_number(one.get("logprob")):
            return ()
        tops = one.get("top_logprobs")
        top = tuple(
            (_string(each.get("token")), float(each["logprob"]))
            for each in (tops if isinstance(tops, list) else ())
            if isinstance(each, Mapping) and _is_number(each.get("logprob"))
        )
        made.append(TokenLogprob(_string(one.get("token")), float(one["logprob"]), top))
    return tuple(made)


def _old_logprobs(found: Any) -> tuple[TokenLogprob, ...]:
    """Those of `completions`: lists side by side; the first token of a prompt has none."""
    if not isinstance(found, Mapping):
        return ()
    tokens, values, offsets = (found.get(name) for name in ("tokens", "token_logprobs", "text_offset"))
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        return ()
    places: list[Any] = offsets if isinstance(offsets, list) and len(offsets) == len(tokens) else []
    return tuple(
        TokenLogprob(
            _string(token),
            float(value) if _is_number(value) else math.nan,
            offset=places[i] if places and isinstance(places[i], int) else None,
        )
        for i, (token, value) in enumerate(zip(tokens, values, strict=True))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(value: Any) -> str:
    line = " ".join(str(value)[: 4 * _QUOTED].split())
    return sendable(line if len(line) <= _QUOTED else f"{line[:_QUOTED]}…")
