"""Questions that are answered by log-likelihoods: what a judge gives instead of words, stored as its reply.

A model in this process gives the log-likelihood of each choice as a continuation. A server gives the
log-probabilities of its likeliest first tokens: a choice that is none of them has no number, and counts as
impossible. The two are the same where every choice is one token.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalsuite.endpoint.types import Chat, Reply
from evalsuite.errors import SampleError

ALTERNATIVES = 20
"""Likeliest first tokens that a server is asked for: as many as OpenAI's protocol allows."""


def likelihood_reply(values: Mapping[str, float]) -> str:
    """Natural-log likelihoods by choice as the text of a reply; impossible choices are left out.

    >>> likelihood_reply({"Yes": -0.25, "No": -math.inf})
    '{"Yes": -0.25}'
    """
    return json.dumps({name: value for name, value in values.items() if value > -math.inf})


def served_question(chat: Chat) -> Chat:
    """The chat that asks a server for the first token's alternatives."""
    return replace(chat, choices=(), max_tokens=1, logprobs=ALTERNATIVES)


def served_reply(reply: Reply, choices: Sequence[str]) -> Reply:
    """A server's reply to `served_question`, with the log-likelihoods as its text.

    Raises SampleError where it gave no log-probabilities.
    """
    if not reply.logprobs:
        raise SampleError(
            "The judge's server gives no log-probabilities, and the question asks for likelihoods.",
            "Judge with --judge-model, or a server that gives `top_logprobs`.",
        )
    first = reply.logprobs[0]
    known = {first.token: first.logprob, **dict(first.top)}
    found = {choice: known.get(choice, -math.inf) for choice in choices}
    return replace(reply, text=likelihood_reply(found), finish_reason="stop")
