"""From an adapter's options to a server, and what is said about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from evalsuite.errors import SpecError, suggest
from evalsuite.model import ModelInfo, ModelOptions
from evalsuite.model.endpoint import ImageReply, Reply, Server
from evalsuite.request import fingerprint

from ..options import check_known, integer, number

OPENAI = "https://api.openai.com/v1"

OPTIONS = (
    "name", "base_url", "key_env", "in_flight", "timeout", "retries", "backoff", "longest_wait", "limit_name",
    "prefill", "image_detail", "image_format", "orientation", "max_reply", "extra_body", "price_in",
    "price_out",
)  # fmt: skip
"""Those of `evalsuite.endpoint.Server`; `name` (in leaderboards); `extra_body`, a JSON object of further
fields of every request; the prices of a million tokens, which `evalsuite runs show` multiplies out."""


def server_of(options: ModelOptions, adapter: str, more: tuple[str, ...] = ()) -> Server:
    """The server that the options describe. Raises SpecError for one that is unknown or out of range."""
    given = options.options
    check_known(given, (*OPTIONS, *more), adapter)
    settings: dict[str, Any] = {"base_url": OPENAI, "model": options.argument}
    settings |= {name: given[name] for name in ("base_url", "key_env", "image_detail") if name in given}
    settings |= {name: integer(given, name) for name in ("in_flight", "retries") if name in given}
    settings |= {
        name: number(given, name)
        for name in ("timeout", "backoff", "longest_wait", "max_reply")
        if name in given
    }
    kinds = get_type_hints(Server)
    for name in ("limit_name", "prefill", "image_format", "orientation"):
        if name in given:
            known = get_args(kinds[name])
            if given[name] not in known:
                raise SpecError(
                    f"Option {name}={given[name]!r} is not a known value.", suggest(given[name], known)
                )
            settings[name] = given[name]
    extra = {**extra_body(given.get("extra_body", "")), **thinking(given)}
    return Server(**settings, extra=extra)


def thinking(options: Mapping[str, str]) -> dict[str, Any]:
    """Fields of the request's body for the option `thinking`: `on` and `off` switch chat templates (vLLM,
    SGLang), `minimal`, `low`, `medium`, `high` set OpenAI's effort.

    Raises SpecError for anything else.
    """
    value = options.get("thinking", "")
    if not value:
        return {}
    if value in EFFORTS:
        return {"reasoning_effort": value}
    if value not in ("on", "off"):
        raise SpecError(
            f"Option thinking={value!r} is not a known value.", suggest(value, ("on", "off", *EFFORTS))
        )
    wanted = value == "on"
    return {"chat_template_kwargs": {"enable_thinking": wanted, "thinking": wanted}}


EFFORTS = ("none", "minimal", "low", "medium", "high")


def extra_body(text: str) -> dict[str, Any]:
    """The option of that name: a JSON object. Raises SpecError for anything else."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SpecError(
            f"Option extra_body={text[:80]!r} is not a JSON object.", """Write extra_body='{"top_k": 1}'."""
        )
    return found


def usage_of(reply: Reply | ImageReply) -> dict[str, Any]:
    """Usage and origin of an answer, for its details; what the server does not report is left out.

    Generated tokens of a text are part of the response itself.
    """
    found = {
        "model": getattr(reply, "model", ""),
        "system_fingerprint": getattr(reply, "system_fingerprint", ""),
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "retries": reply.retries,
    }
    return {name: value for name, value in found.items() if value not in ("", None, 0)}


def _price(given: Mapping[str, str], name: str) -> float:
    price = number(given, name)
    if price is None or not 0 <= price < float("inf"):
        raise SpecError(f"Option {name}={given[name]!r} is not a price.", "Give it per million tokens.")
    return price


def info_of(server: Server, given: Mapping[str, str], **more: Any) -> ModelInfo:
    """Identity of the served model. What the server really runs is in each response's details."""
    address = server.address
    prices = {key: _price(given, key) for key in ("price_in", "price_out") if key in given}
    return ModelInfo(
        given.get("name", "") or server.model,
        fingerprint([server.model, address]),
        None,
        {
            "server": address,
            "model": server.model,
            "in_flight": server.in_flight,
            "image_format": server.image_format,
            "orientation": server.orientation,
            **({"extra_body": dict(server.extra)} if server.extra else {}),
            **more,
            **prices,
        },
    )
