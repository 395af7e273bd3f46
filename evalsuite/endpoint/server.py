"""Who is asked, and how patiently. Settings only: nothing is opened here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from evalsuite.endpoint.pixels import ImageFormat, Orientation
from evalsuite.errors import SpecError, UnavailableError

DEFAULT_KEY = "OPENAI_API_KEY"
_NO_KEY = "none"
"""Sent where no key is set: self-hosted servers need none, and the package insists on one."""


@dataclass(frozen=True, slots=True)
class Server:
    """A model on a server that speaks OpenAI's protocol (OpenAI, Azure, vLLM, SGLang, llama.cpp, Ollama …).

    Args:
        base_url: up to and with `/v1`, e.g. `http://localhost:8000/v1`.
        model: as the server calls it.
        key_env: environment variable that holds the API key. The key itself is never kept, shown or stored.
        timeout: seconds one attempt may take, from sending to the end of the reply.
        retries: maximum retries of a request after a transient error: 429, 408, 409, 5xx, a
            time-out, a connection that broke.
        backoff: seconds before the first retry; doubled each time, with jitter. A server's `Retry-After`
            overrides it.
        longest_wait: seconds; no wait is longer, and a server that asks for more patience is given up.
        in_flight: maximum concurrent requests.
        limit_name: the field that bounds the answer's length; OpenAI's reasoning models want
            `max_completion_tokens`.
        prefill: how the beginning of an answer is asked for. `refuse`: not at all, the protocol has no such
            thing; `continue`: the flags of vLLM and SGLang; `assistant`: a last turn of the assistant, which
            some servers take as the beginning.
        image_detail: `low` or `high`, where the server knows it; empty leaves it to the server.
        image_format: how images are sent; see `evalsuite.endpoint.pixels.ImageFormat`.
        orientation: `upright` turns photographs as their EXIF data say, `stored` does not.
        max_reply: MiB of a reply, unpacked; a longer one is that request's failure.
        extra: further fields of every request's body (`chat_template_kwargs`, `reasoning_effort` …).

    Raises:
        SpecError: a URL that is none, or that carries a user, a password or a query (where keys stand); a
            number that is out of range.
    """

    base_url: str
    model: str
    key_env: str = DEFAULT_KEY
    timeout: float = 120.0
    retries: int = 6
    backoff: float = 1.0
    longest_wait: float = 120.0
    in_flight: int = 8
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    prefill: Literal["refuse", "continue", "assistant"] = "refuse"
    image_detail: str = ""
    image_format: ImageFormat = "auto"
    orientation: Orientation = "stored"
    max_reply: float = 64.0
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            usable = False
        if not usable:
            raise SpecError(
                f"{self.base_url!r} is not the address of a server.",
                "Write http://localhost:8000/v1, for example.",
            )
        if parts.username or parts.password:
            raise SpecError(
                f"The address of {parts.hostname} carries a user or password.",
                "Put the key into an environment variable and name that.",
            )
        if parts.query or parts.fragment:
            raise SpecError(
                f"The address {self.address} carries more behind its path, which requests cannot keep.",
                "Leave it out; a key belongs into the environment variable.",
            )
        if not self.model:
            raise SpecError(f"No model of {self.address} is named.", "Name one; `GET /models` lists them.")
        least = {"timeout": 0.001, "retries": 0, "backoff": 0.0, "longest_wait": 0.0, "in_flight": 1}
        least["max_reply"] = 0.001
        for name, bound in least.items():
            if not getattr(self, name) >= bound:
                raise SpecError(f"{name}={getattr(self, name)!r} is out of range.", f"At least {bound:g}.")

    @property
    def address(self) -> str:
        """The URL as messages and records show it: without its query."""
        return urlsplit(self.base_url)._replace(query="", fragment="").geturl().rstrip("/")

    def key(self) -> str:
        """The API key; a placeholder where the default variable is unset.

        Raises UnavailableError where a variable was named that is not set.
        """
        key = os.environ.get(self.key_env, "").strip()
        if key:
            return key
        if self.key_env != DEFAULT_KEY:
            raise UnavailableError(
                f"The environment variable {self.key_env}, named for the key of {self.address}, is not set.",
                f"Set it: export {self.key_env}=…",
            )
        return _NO_KEY
