"""Text generation, and log-likelihoods of continuations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalsuite.dreamllm.beams import LENGTHS, Hypothesis, beam_search
from evalsuite.dreamllm.decoding import DecodingState
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.static import StaticDecoding
from evalsuite.errors import SpecError


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written for one prompt.

    Args:
        ids: new ids; the ending token is the last if `ended`.
        ended: the model ended it; otherwise the limit did, or `stop`.
        score: beam search's normalised log-probability.
        alternatives: the other finished beams, best first.
    """

    ids: tuple[int, ...]
    ended: bool
    score: float | None = None
    alternatives: tuple[Hypothesis, ...] = ()


def sampling_probabilities(logits: Tensor, temperature: float, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """Probabilities to draw from: temperature, then the k likeliest, then the smallest nucleus of mass top_p.

    Args:
        logits: (…, vocabulary).
    """
    scores = logits.float() / temperature
    if 0 < top_k < scores.shape[-1]:
        least = scores.topk(top_k, dim=-1).values[..., -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if top_p < 1.0:
        ascending, order = scores.sort(dim=-1)
        drop = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
        drop[..., -1] = False
        scores = scores.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), -torch.inf)
    return scores.softmax(-1)


@torch.no_grad()
def generate_text(
    model: DreamLLMForCausalLM,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    *,
    images: Tensor | None = None,
    image_features: Tensor | None = None,
    max_new_tokens: int = 64,
    num_beams: int = 1,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    length_penalty: float = 1.0,
    length_normalization: str = "generated",
    count_padding: bool = False,
    seeds: Sequence[int] | None = None,
    eos: int | None = None,
    suppress: Sequence[int] = (),
    stop: Callable[[int, Sequence[int]], bool] | None = None,
    strict: bool = True,
    static: StaticDecoding | None = None,
) -> list[Generated]:
    """Continue a batch of prompts. The vision tower runs once, not at every step, and not at all without
    images.

    Args:
        input_ids, attention_mask: (batch, sequence), padded left.
        images, image_features: see `DreamLLMForCausalLM.embed`.
        max_new_tokens: limit; the model's sequence limit may end a row earlier.
        num_beams: 1 is greedy, or sampling if temperature > 0; more is beam search, which takes no
            temperature.
        top_k: 0 is off. Upstream's sampling had the library's default of 50.
        length_penalty, length_normalization, count_padding: see `beams.beam_search`.
        seeds: one per row; each row draws from its own generator, so that the batch does not matter.
        eos: ending token, None for the model's.
        suppress: ids that are never chosen, e.g. `<dream_start>` where only text is wanted.
        stop: called with row and new ids after each token (not in beam search); True ends the row.
        static: decodes with a cache of fixed size (not in beam search).

    Raises:
        SampleError: a prompt fills the model's sequence limit, or images do not match.
        SpecError: contradictory options.
    """
    if length_normalization not in LENGTHS:
        raise SpecError(
            f"Unknown length_normalization {length_normalization!r}.", f"Known: {', '.join(LENGTHS)}."
        )
    if temperature > 0 and num_beams == 1 and seeds is None:
        raise SpecError("Sampling needs one seed per row.", "Pass seeds, or temperature=0.")
    end = model.config.tokens.eos if eos is None else eos
    static = static if num_beams == 1 else None
    room = model.config.sequence_limit - input_ids.shape[1]
    state = DecodingState(
        model,
        input_ids,
        attention_mask,
        images=images,
        image_features=image_features,
        strict=strict,
        # a short prompt of a padded batch may be continued where the longest may not
        ahead=max_new_tokens * num_beams if static else min(max_new_tokens, max(room, 1)) * num_beams,
        static=static,
    )
    limits = [min(max_new_tokens, model.config.sequence_limit - length) for length in state.counts]
    if num_beams > 1:
        found = beam_search(
            state,
            num_beams=num_beams,
            limits=limits,
            eos=end,
            length_penalty=length_penalty,
            length_normalization=length_normalization,
            count_padding=count_padding,
            suppress=suppress,
        )
        return [Generated(best[0].ids, best[0].ended, best[0].score, tuple(best[1:])) for best in found]
    draws = None
    if temperature > 0 and seeds is not None:
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]

    forbidden = token_index(suppress, state.mask.device)
    rows: list[list[int]] = [[] for _ in range(state.batch)]
    ended = [False] * state.batch
    active = list(range(state.batch))  # the rows of the state, in order
    done: set[int] = set()
    while True:
        some = None if draws is None else [draws[row] for row in active]
        chosen = choose(state.logits, some, temperature, top_k, top_p, forbidden)
        for row, token in zip(active, chosen.tolist(), strict=True):
            if row in done:
                continue
            rows[row].append(token)
            ended[row] = token == end
            if ended[row] or len(rows[row]) >= limits[row] or (stop and stop(row, rows[row])):
                done.add(row)
        going = [position for position, row in enumerate(active) if row not in done]
        if not going:
            break
        if static is None and len(going) < len(active):
            state.select(going)
            chosen = chosen[torch.tensor(going, device=chosen.device)]
            active = [active[position] for position in going]
        state.append(chosen[:, None])
    return [Generated(tuple(ids), done) for ids, done in zip(rows, ended, strict=True)]


def token_index(ids: Sequence[int], device: torch.device) -> Tensor | None:
    """Token ids on the device, once for a whole text; None for none."""
    return torch.tensor(list(ids), device=device) if ids else None


def choose(
    logits: Tensor,
    draws: Sequence[torch.Generator] | None,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    suppress: Tensor | None = None,
) -> Tensor:
    """The next token of each row, (rows, vocabulary) -> (rows,) on its device: the likeliest, or sampled.

    A row's token is that of `torch.multinomial` on the CPU with the row's generator: the token whose
    probability over an exponential variate is largest. Only the variates come from the CPU, so that neither
    device nor batch changes a seed's meaning; they are made while the device still computes the logits.

    Args:
        draws: a generator per row, on the CPU; None takes the likeliest token.
        suppress: ids that are never chosen, on the device.
    """
    noise = None
    if draws is not None:
        noise = torch.stack([torch.empty(logits.shape[-1]).exponential_(1, generator=one) for one in draws])
    if suppress is not None:
        logits = logits.index_fill(1, suppress, -torch.inf)
    if noise is None:
        return logits.argmax(-1)
    probabilities = sampling_probabilities(logits, temperature, top_k, top_p)
    return (probabilities / noise.to(logits.device)).argmax(-1)


@torch.no_grad()
def score_continuations(
    model: DreamLLMForCausalLM,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    continuations: Sequence[Sequence[Sequence[int]]],
    *,
    images: Tensor | None = None,
    image_features: Tensor | None = None,
) -> list[list[float]]:
    """Natural-log likelihood of continuations, summed over their tokens. Each prompt is read once.

    Args:
        input_ids, attention_mask: (batch, sequence), padded left.
        continuations: per prompt, the ids of each continuation (none empty).

    Returns:
        per prompt one value per continuation, in order.

    Raises:
        SampleError: prompt and continuation do not fit the model's limit.
        SpecError: an empty continuation.
    """
    if not all(ids for several in continuations for ids in several):
        raise SpecError("A continuation is empty.", "Every choice needs at least one token.")
    longest = max(len(ids) for several in continuations for ids in several)
    most = max(map(len, continuations))
    width = min(most, max(1, SCORED // longest))
    state = DecodingState(
        model,
        input_ids,
        attention_mask,
        images=images,
        image_features=image_features,
        room=longest,
        ahead=width * longest,
    )
    first = torch.log_softmax(state.logits, -1)
    values, real = [], []
    for start in range(0, most, width):
        several = [list(own[start : start + width]) for own in continuations]
        found, counted = _scored(state, several, width, longest, first)
        values.append(found)
        real.append(counted)
    sums = _sums(torch.cat(values, 1).flatten(0, 1).cpu(), torch.cat(real, 1).flatten(0, 1))
    columns = len(sums) // len(continuations)
    return [sums[row * columns : row * columns + len(own)] for row, own in enumerate(continuations)]


SCORED = 512
"""Tokens of a prompt's continuations that are computed at once."""


def _scored(
    state: DecodingState, several: Sequence[Sequence[Sequence[int]]], width: int, longest: int, first: Tensor
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the tokens of at most `width` continuations per prompt, and which are real:
    (rows, width, longest) both; the second on the CPU. Continuations that a prompt has not are padding.

    Args:
        first: (rows, vocabulary), log-probabilities of the first token.
    """
    chosen = torch.full((len(several), width, longest), state.model.config.tokens.pad)
    real = torch.zeros(chosen.shape, dtype=torch.long)
    for row, own in enumerate(several):
        for column, ids in enumerate(own):
            chosen[row, column, : len(ids)] = torch.tensor(list(ids))
            real[row, column, : len(ids)] = 1
    targets = chosen.to(first.device)
    found = first.gather(1, targets[:, :, 0])[:, :, None]
    if longest > 1:
        state.fork(width)
        # the last token of each continuation is scored, not read
        state.append(targets[:, :, :-1].flatten(0, 1), real[:, :, 1:].flatten(0, 1), every=True)
        rest = torch.log_softmax(state.logits, -1).gather(2, targets[:, :, 1:].flatten(0, 1)[..., None])
        found = torch.cat([found, rest[..., 0].view(len(several), width, -1)], -1)
        state.join()
    return found, real


def _sums(values: Tensor, real: Tensor) -> list[float]:
    """Per row, its real values added from the left: (rows, n), (rows, n) -> rows."""
    totals = values[:, 0]
    for position in range(1, values.shape[1]):
        totals = torch.where(real[:, position].bool(), totals + values[:, position], totals)
    return [float(total) for total in totals]
