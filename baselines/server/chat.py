"""A chat model on a server."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.errors import SampleError, SpecError, UnavailableError, suggest
from evalsuite.model import ModelInfo, ModelOptions, Prepared
from evalsuite.model.endpoint import Chat, Endpoint, Reply
from evalsuite.request import ChoiceResponse, GenerateText, Request, ScoreChoices, TextResponse

from ..options import switch
from .serving import info_of, server_of, usage_of

TOP = 20
"""Alternatives of a token that servers give log-probabilities of; OpenAI's limit."""

PARAMETERS = ("temperature", "top_p", "seed", "max_tokens", "stop")


class ServedChat:
    """Asks a batch's requests at once, as many in flight as the server is to get.

    Options: those of `serving.OPTIONS`; `omit` names parameters, with commas, that are left to the server
    (reasoning models refuse a temperature); `ignore_beams=yes` asks greedily where a protocol wants beams.

    A request that fails costs its own sample; a server that cannot be used stops the run, to go on later.
    """

    independent_requests = True

    def __init__(self, options: ModelOptions) -> None:
        given = options.options
        server = server_of(options, "openai", ("omit", "ignore_beams"))
        self._omit = tuple(name for name in given.get("omit", "").split(",") if name)
        for name in self._omit:
            if name not in PARAMETERS:
                raise SpecError(f"There is no parameter {name!r} to omit.", suggest(name, PARAMETERS))
        self._ignore_beams = switch(given, "ignore_beams")
        self._endpoint = Endpoint(server)
        self._info = info_of(
            server, given, omitted=list(self._omit), prefill=server.prefill,
            ignore_beams=self._ignore_beams,
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
        return Prepared(request, None, cost=float(sum(len(m.text) for m in request.messages)))

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse | SampleError | UnavailableError]:
        replies = self._endpoint.map([self._chat(item.request) for item in batch])
        return [_text(reply) if isinstance(reply, Reply) else reply for reply in replies]

    def score_choices(
        self, batch: Sequence[Prepared]
    ) -> list[ChoiceResponse | SampleError | UnavailableError]:
        """Log-probabilities of choices that are one token, as letters are: those of the answer's first token.

        Servers give the likeliest alternatives only. A choice that is not among them gets the least of their
        log-probabilities, which it cannot exceed; the response's details name it.
        """
        replies = self._endpoint.map([self._first_token(item.request) for item in batch])
        return [
            _choices(item.request, reply) if isinstance(reply, Reply) else reply
            for item, reply in zip(batch, replies, strict=True)
        ]

    def _chat(self, request: Request) -> Chat:
        output = request.output
        assert isinstance(output, GenerateText)
        wanted = {
            "max_tokens": output.max_new_tokens,
            "temperature": output.temperature,
            "top_p": output.top_p if output.temperature > 0 else None,
            "seed": request.seed if output.temperature > 0 else None,
            "stop": output.stop,
        }
        return Chat(
            request.messages,
            prefill=request.prefill,
            **{name: value for name, value in wanted.items() if name not in self._omit},  # type: ignore[arg-type]
        )

    def _first_token(self, request: Request) -> Chat:
        temperature = None if "temperature" in self._omit else 0.0
        return Chat(
            request.messages, max_tokens=1, temperature=temperature, prefill=request.prefill, logprobs=TOP
        )


def _text(reply: Reply) -> TextResponse:
    details = usage_of(reply)
    details.pop("completion_tokens", None)  # they are the response's own
    return TextResponse(reply.text.strip(), reply.completion_tokens, reply.truncated, details)


def _choices(request: Request, reply: Reply) -> ChoiceResponse | SampleError:
    assert isinstance(request.output, ScoreChoices)
    if not reply.logprobs:
        return SampleError(
            "The server gave no log-probabilities.", "Use a protocol that generates the answer."
        )
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
            "Servers score choices of one token, as letters are; else generate the answer.",
        )
    details = usage_of(reply) | ({"at_most": unseen} if unseen else {})
    return ChoiceResponse(tuple(found.get(choice, least) for choice in choices), (1,) * len(choices), details)
