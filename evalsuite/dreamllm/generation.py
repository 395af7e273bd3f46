"""Text generation, and log-likelihoods of continuations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalsuite.dreamllm.beams import LENGTHS, Hypothesis, beam_search
from evalsuite.dreamllm.decoding import DecodingState
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
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
    state = DecodingState(
        model, input_ids, attention_mask, images=images, image_features=image_features, strict=strict
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
    active = list(range(state.batch))
    while active:
        some = None if draws is None else [draws[row] for row in active]
        chosen = choose(state.logits, some, temperature, top_k, top_p, forbidden)
        going: list[int] = []
        for position, (row, token) in enumerate(zip(active, chosen.tolist(), strict=True)):
            rows[row].append(token)
            ended[row] = token == end
            if not ended[row] and len(rows[row]) < limits[row] and not (stop and stop(row, rows[row])):
                going.append(position)
        if not going:
            break
        if len(going) < len(active):
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
    flat = [(row, list(ids)) for row, several in enumerate(continuations) for ids in several]
    if not all(ids for _, ids in flat):
        raise SpecError("A continuation is empty.", "Every choice needs at least one token.")
    longest = max(len(ids) for _, ids in flat)
    state = DecodingState(
        model, input_ids, attention_mask, images=images, image_features=image_features, room=longest
    )
    device = state.mask.device
    state.select([row for row, _ in flat])
    chosen = torch.full((len(flat), longest), model.config.tokens.pad)
    real = torch.zeros((len(flat), longest), dtype=torch.long)
    for index, (_, ids) in enumerate(flat):
        chosen[index, : len(ids)] = torch.tensor(ids)
        real[index, : len(ids)] = 1
    targets = chosen.to(device)
    found = [torch.log_softmax(state.logits, -1).gather(1, targets[:, :1])]
    if longest > 1:
        # the last token of each continuation is scored, not read
        state.append(targets[:, :-1], real[:, 1:], every=True)
        found.append(torch.log_softmax(state.logits, -1).gather(2, targets[:, 1:, None])[..., 0])
    values = iter(_sums(torch.cat(found, 1).cpu(), real))
    return [[next(values) for _ in several] for several in continuations]


def _sums(values: Tensor, real: Tensor) -> list[float]:
    """Per row, its real values added from the left: (rows, n), (rows, n) -> rows."""
    totals = values[:, 0]
    for position in range(1, values.shape[1]):
        totals = torch.where(real[:, position].bool(), totals + values[:, position], totals)
    return [float(total) for total in totals]
