"""A chat model on a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalsuite.errors import SampleError, SpecError, UnavailableError, suggest
from evalsuite.model import ModelInfo, ModelOptions, Prepared
from evalsuite.model.endpoint import Chat, Completion, Endpoint, Reply
from evalsuite.request import ChoiceResponse, GenerateText, Request, ScoreChoices, TextResponse

from ..options import switch
from . import plain, probing
from .serving import info_of, server_of, usage_of

TOP = 20
"""Alternatives of a token that servers give log-probabilities of; OpenAI's limit."""

CHAT = "chat"
"""Value of the option `template`: messages, which the server puts into its chat template."""

CHAT_OPTIONS = ("omit", "ignore_beams", "thinking", "template", "probe")
"""Options of chat models beside those of `serving.OPTIONS`."""

PARAMETERS = ("temperature", "top_p", "seed", "max_tokens", "stop")


class ServedChat:
    """Asks a batch's requests at once, as many in flight as the server is to get.

    Options: those of `serving.OPTIONS`; `omit` names parameters, with commas, that are left to the server
    (reasoning models refuse a temperature); `ignore_beams=yes` asks greedily where a protocol wants beams;
    `thinking` (`on`, `off`, or OpenAI's efforts) is the switch of reasoning models; `template=plain` sends
    the bare text to `completions` in place of messages, which the server puts into its chat template;
    `probe=no` asks nothing before a task.

    Likelihoods of the bare text are those of whole continuations, as the adapter `causal` computes them; in
    the chat template those of an answer's first token.

    A request that fails costs its own sample; an unusable server stops the run, which can be resumed.
    """

    independent_requests = True

    def __init__(self, options: ModelOptions) -> None:
        given = options.options
        server = server_of(options, "openai", CHAT_OPTIONS)
        template = given.get("template", CHAT)
        if template not in (CHAT, plain.PLAIN):
            raise SpecError(
                f"Option template={template!r} is not a template that servers take.",
                suggest(template, (CHAT, plain.PLAIN)),
            )
        self._plain = template == plain.PLAIN
        self._probe = switch(given, "probe", default=True)
        self._omit = tuple(name for name in given.get("omit", "").split(",") if name)
        for name in self._omit:
            if name not in PARAMETERS:
                raise SpecError(f"There is no parameter {name!r} to omit.", suggest(name, PARAMETERS))
        self._ignore_beams = switch(given, "ignore_beams")
        self._endpoint = Endpoint(server)
        self._info = info_of(
            server, given, omitted=list(self._omit), prefill=server.prefill,
            ignore_beams=self._ignore_beams,
            prompt=plain.PLAIN if self._plain else "chat template",
            choices_prompt=plain.PLAIN if self._plain else "chat template, first token",
            **({"template": template} if "template" in given else {}),
            **({"thinking": given["thinking"]} if "thinking" in given else {}),
        )  # fmt: skip

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        output = request.output
        if isinstance(output, GenerateText) and output.num_beams > 1 and not self._ignore_beams:
            raise SampleError(
                f"The protocol wants {output.num_beams} beams, which chat servers do not search.",
                "Choose another protocol, or --option ignore_beams=yes.",
            )
        if self._plain and request.images:
            raise SampleError(
                "Bare text has no place for an image.", "Omit --option template=plain, or add --blind."
            )
        return Prepared(request, None, cost=float(sum(len(m.text) for m in request.messages)))

    def probe(self, request: Request) -> list[str]:
        """Whether the server can do what a task needs, found out with a few requests before the first sample;
        gives notes for readers of the results.

        Raises UnavailableError where it cannot.
        """
        if not self._probe:
            return []
        if isinstance(request.output, ScoreChoices):
            probing.require_logprobs(self._endpoint, request, plain=self._plain)
        return probing.images_seen(self._endpoint) if request.images else []

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse | SampleError | UnavailableError]:
        if self._plain:
            asked = [self._completion(item.request) for item in batch]
            replies = self._endpoint.in_order(asked, self._endpoint.complete)
        else:
            replies = self._endpoint.map([self._chat(item.request) for item in batch])
        return [_text(reply) if isinstance(reply, Reply) else reply for reply in replies]

    def score_choices(
        self, batch: Sequence[Prepared]
    ) -> list[ChoiceResponse | SampleError | UnavailableError]:
        """Log-probabilities of choices that are one token, as letters are: those of the answer's first token.

        Servers give the likeliest alternatives only. A choice that is not among them gets the least of their
        log-probabilities, which it cannot exceed; the response's details name it.
        """
        if self._plain:
            return self._endpoint.in_order(
                [item.request for item in batch], lambda one: plain.likelihoods(self._endpoint, one)
            )
        asked = [self._first_token(item.request) for item in batch]
        replies = self._endpoint.in_order(asked, self._endpoint.reply)
        return [
            _choices(item.request, reply) if isinstance(reply, Reply) else reply
            for item, reply in zip(batch, replies, strict=True)
        ]

    def _chat(self, request: Request) -> Chat:
        return Chat(request.messages, prefill=request.prefill, **self._decoding(request))

    def _completion(self, request: Request) -> Completion:
        return Completion(plain.text_of(request), **self._decoding(request))

    def _decoding(self, request: Request) -> dict[str, Any]:
        output = request.output
        assert isinstance(output, GenerateText)
        wanted = {
            "max_tokens": output.max_new_tokens,
            "temperature": output.temperature,
            "top_p": output.top_p if output.temperature > 0 else None,
            "seed": request.seed if output.temperature > 0 else None,
            "stop": output.stop,
        }
        return {name: value for name, value in wanted.items() if name not in self._omit}

    def _first_token(self, request: Request) -> Chat:
        temperature = None if "temperature" in self._omit else 0.0
        return Chat(
            request.messages, max_tokens=1, temperature=temperature, prefill=request.prefill, logprobs=TOP
        )


def _text(reply: Reply) -> TextResponse:
    more = {
        "reasoning": reply.reasoning, "refusal": reply.refusal, "images_sent": ", ".join(reply.image_changes),
        "filtered": reply.finish_reason == "content_filter",
    }  # fmt: skip
    details = usage_of(reply) | {
        name: value for name, value in more.items() if value not in ("", None, False)
    }
    details.pop("completion_tokens", None)  # they are the response's own
    cut = reply.truncated or reply.finish_reason == "content_filter"
    return TextResponse(reply.text.strip(), reply.completion_tokens, cut, details)


def _choices(request: Request, reply: Reply) -> ChoiceResponse | SampleError:
    assert isinstance(request.output, ScoreChoices)
    if not reply.logprobs:
        return SampleError("The server gave no log-probabilities.", probing.NO_LOGPROBS)
    first = reply.logprobs[0]
    found: dict[str, float] = {}
    for token, value in [(first.token, first.logprob), *first.top]:
        found.setdefault(token.strip(), value)  # the likeliest spelling: with or without a space
    least = min(found.values())
    choices = [choice.strip() for choice in request.output.choices]
    unseen = [choice for choice in choices if choice not in found]
    if len(unseen) == len(choices):
        return SampleError(
            f"None of the choices {', '.join(map(repr, choices[:4]))} is among the first tokens that the "
            "server gives log-probabilities of.",
            f"In a chat, servers score choices of one token, as letters are. {probing.WHOLE}",
        )
    details = usage_of(reply) | ({"at_most": unseen} if unseen else {})
    return ChoiceResponse(tuple(found.get(choice, least) for choice in choices), (1,) * len(choices), details)
