"""Bare text to a server's `completions`: what the adapter `causal` computes of the same weights."""

from __future__ import annotations

import math

from evalsuite.errors import SampleError
from evalsuite.model.endpoint import Completion, Endpoint, Reply
from evalsuite.request import ChoiceResponse, Request, ScoreChoices

PLAIN = "plain"
"""Value of the option `template`."""

NO_PROMPT = (
    "vLLM gives them (echo with logprobs); without --option template=plain, choices of one token are scored "
    "in the chat template."
)


def text_of(request: Request) -> str:
    """The turns one after the other, separated by a space, with the beginning of the answer; as `causal`."""
    return " ".join(message.text for message in request.messages) + request.prefill


async def likelihoods(endpoint: Endpoint, request: Request) -> ChoiceResponse:
    """The summed log-probability of each whole continuation, one request per choice.

    Raises SampleError where the server does not give those of a prompt's own tokens.
    """
    assert isinstance(request.output, ScoreChoices)
    prompt = text_of(request)
    sums, counts = [], []
    for choice in request.output.choices:
        # one token more than needed: not every server takes a limit of 0
        reply = await endpoint.complete(
            Completion(prompt + choice, max_tokens=1, temperature=0.0, logprobs=1, echo=True)
        )
        value, count = _of_choice(reply, prompt, choice)
        sums.append(value)
        counts.append(count)
    return ChoiceResponse(tuple(sums), tuple(counts))


def _of_choice(reply: Reply, prompt: str, choice: str) -> tuple[float, int]:
    """Sum over the tokens that reach into the choice; one that holds the prompt's end too counts whole, as in
    `evalsuite_baselines.likelihood`."""
    if not reply.logprobs:
        raise SampleError("The server gave no log-probabilities of the prompt's tokens.", NO_PROMPT)
    begins, at = [], 0
    for token in reply.logprobs:
        begins.append(at if token.offset is None else token.offset)
        at = begins[-1] + len(token.token)
    end = len(prompt) + len(choice)
    ends = [*begins[1:], at]
    own = [
        token.logprob
        for token, first, last in zip(reply.logprobs, begins, ends, strict=True)
        if last > len(prompt) and first < end
    ]
    if ends[-1] < end or not own:
        raise SampleError("The server echoes no prompt, or another than was sent.", NO_PROMPT)
    if any(math.isnan(value) for value in own):
        raise SampleError(
            "The server gave no log-probability of a choice's first token.",
            "The prompt is empty: likelihoods need a token before the choice.",
        )
    return sum(own), len(own)
