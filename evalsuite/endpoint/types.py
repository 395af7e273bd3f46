"""What is asked of a server and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalsuite.content import Image, Message
from evalsuite.request import describe_document, fingerprint


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation to be continued.

    Args:
        messages: the turns so far.
        max_tokens: limit on the answer; None leaves it to the server.
        temperature, top_p, seed: None leaves them to the server.
        stop: strings that end the answer.
        prefill: beginning of the answer; see `Server.prefill`.
        logprobs: how many alternatives of each token to give with their log-probabilities (0: the chosen one
            only); None: none at all.
        extra: further fields of the request's body, as the server documents them (`top_k` …).
        choices: answers whose log-likelihoods are wanted instead of words (`evalsuite.judging.likelihood`).
    """

    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    prefill: str = ""
    logprobs: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    def describe(self, digest: Callable[[Image], str] = Image.sha256) -> dict[str, Any]:
        """JSON-able form; images stand by their digest, names left out: the server does not see them."""
        messages = [
            {
                "role": message.role,
                "parts": [
                    {"image": part["sha256"]} if "sha256" in part else part
                    for part in describe_document(message.parts, digest)
                ],
            }
            for message in self.messages
        ]
        parameters = {name: getattr(self, name) for name in _PARAMETERS}
        said = {"messages": messages, **parameters, "stop": list(self.stop), "extra": dict(self.extra)}
        return said | ({"choices": list(self.choices)} if self.choices else {})

    def fingerprint(self, digest: Callable[[Image], str] = Image.sha256) -> str:
        """sha256 over all of it: equal fingerprints mean the same was asked."""
        return fingerprint(self.describe(digest))


@dataclass(frozen=True, slots=True)
class Completion:
    """A bare text to be continued (`completions`): no chat template stands between it and the model.

    Args:
        prompt: the text.
        max_tokens, temperature, top_p, seed, stop, extra: as in `Chat`.
        logprobs: alternatives of each token; None for none.
        echo: the prompt's own tokens come back too, with their log-probabilities.
    """

    prompt: str
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    echo: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


_PARAMETERS = ("max_tokens", "temperature", "top_p", "seed", "prefill", "logprobs")


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token of an answer with its natural-log probability, and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()
    offset: int | None = None
    """Where it begins in the text, in characters; of `completions` only."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Args:
        text: without the prefill.
        finish_reason: as the server says: `stop`, `length`, `content_filter` …
        prompt_tokens, completion_tokens: None where the server does not count.
        model: as the server names it: often more exact than what was asked for (`gpt-4o-2024-08-06`).
        system_fingerprint: of the server's configuration, where it gives one.
        logprobs: per token, where they were asked for.
        seconds: from sending to receiving, of the attempt that succeeded.
        retries: attempts that failed before it.
        has_content: whether the reply had a content at all; null is none.
        reasoning: what the server's parser took for reasoning.
        refusal: why the model does not answer, where it says so.
        tool_calls: how many the model makes instead of, or beside, an answer.
        image_changes: what was done to images before they were sent, one entry per image that was changed.
    """

    text: str
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    model: str = ""
    system_fingerprint: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    seconds: float = 0.0
    retries: int = 0
    has_content: bool = True
    reasoning: str = ""
    refusal: str = ""
    tool_calls: int = 0
    image_changes: tuple[str, ...] = ()

    @property
    def truncated(self) -> bool:
        """It ended because of the token limit."""
        return self.finish_reason == "length"


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """An image to be generated, or edited where there are images.

    Args:
        prompt: what to generate, or how to change the images.
        images: what to edit.
        size: `1024x1024`; empty leaves it to the server.
        count: images.
        extra: further fields of the request's body.
    """

    prompt: str
    images: tuple[Image, ...] = ()
    size: str = ""
    count: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageReply:
    """Images as the server encoded them.

    Args:
        revised_prompts: what the server made of the prompt, where it says so.
    """

    images: tuple[Image, ...]
    revised_prompts: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    retries: int = 0
