"""Beam search as transformers 4.35 did it, with the length that scores are divided by as a choice.

The published numbers were made with prompt plus generated length (`prompt+generated`): for long prompts that
takes nearly all force from the normalisation, so early ends win more often. Newer transformers divide by the
generated length alone (`generated`) and pick other beams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from evalsuite.dreamllm.decoding import DecodingState

LENGTHS = ("generated", "prompt+generated")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished beam: new ids (with the ending token, if it ended) and its normalised score."""

    ids: tuple[int, ...]
    score: float
    ended: bool


@dataclass(slots=True)
class _Finished:
    """The best finished beams of one prompt, at most `size`."""

    size: int
    best: list[Hypothesis] = field(default_factory=list)
    done: bool = False

    def add(self, hypothesis: Hypothesis) -> None:
        if len(self.best) < self.size or hypothesis.score > self.worst:
            self.best.append(hypothesis)
            self.best.sort(key=lambda kept: -kept.score)
            del self.best[self.size :]

    @property
    def worst(self) -> float:
        return self.best[-1].score

    def close(self, attainable: float) -> None:
        """No running beam can beat the worst finished one any more."""
        self.done = self.done or (len(self.best) >= self.size and self.worst >= attainable)


def beam_search(
    state: DecodingState,
    *,
    num_beams: int,
    limits: Sequence[int],
    eos: int,
    length_penalty: float = 1.0,
    length_normalization: str = "generated",
    count_padding: bool = False,
    suppress: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Search from the prompts in `state`; it is used up.

    Args:
        limits: new tokens of each prompt, at least 1. What the model's sequence limit leaves a long one must
            not cut short another of its batch.
        length_penalty: score = sum of log-probabilities / length ** length_penalty.
        length_normalization: which length, see LENGTHS. `generated` counts the ending token,
            `prompt+generated` does not (each as its version of transformers).
        count_padding: with `prompt+generated`, count padding as prompt (upstream does; results then depend on
            the batch).
        suppress: ids that are never chosen.

    Returns:
        per prompt `num_beams` hypotheses, best first.
    """
    batch, device = state.batch, state.mask.device
    with_prompt = length_normalization == "prompt+generated"
    prompts = [state.mask.shape[1]] * batch if count_padding else list(state.counts)
    state.fork(num_beams)
    forbidden = torch.tensor(list(suppress), device=device) if suppress else None
    scores = torch.full((batch, num_beams), -1e9, device=device)
    scores[:, 0] = 0.0
    finished = [_Finished(num_beams) for _ in range(batch)]
    running: list[list[list[int]]] = [[[] for _ in range(num_beams)] for _ in range(batch)]

    def normalised(row: int, total: float, generated: int, ended: bool) -> float:
        length = prompts[row] + generated if with_prompt else generated + ended
        score: float = total / length**length_penalty
        return score

    for step in range(max(limits)):
        log_probabilities = torch.log_softmax(state.logits, dim=-1)
        if step == 0:  # the prompt's, which all beams share
            log_probabilities = log_probabilities.repeat_interleave(num_beams, dim=0)
        if forbidden is not None:
            log_probabilities.index_fill_(1, forbidden, -1e9)
        vocabulary = log_probabilities.shape[-1]
        totals = (log_probabilities.view(batch, num_beams, vocabulary) + scores[:, :, None]).flatten(1)
        values, indices = totals.topk(2 * num_beams, dim=1)
        # both in one copy to the host; float64 holds them exactly
        pairs = torch.stack([values.double(), indices.double()], -1).tolist()
        chosen_beams, chosen_tokens, chosen_scores = [], [], []
        for row in range(batch):
            ranked = [(value, int(index)) for value, index in pairs[row]]
            beams, tokens, kept = _extend(
                ranked, vocabulary, eos, finished[row], running[row], partial(normalised, row)
            )
            # what a running beam could reach at best if it ended with the coming token
            finished[row].close(ranked[0][0] / (prompts[row] * with_prompt + step + 1) ** length_penalty)
            running[row] = [[*running[row][beam], token] for beam, token in zip(beams, tokens, strict=True)]
            chosen_beams += [row * num_beams + beam for beam in beams]
            chosen_tokens += tokens
            chosen_scores.append(kept)
            if step + 1 >= limits[row] and not finished[row].done:
                for ids, total in zip(running[row], kept, strict=True):
                    unended = normalised(row, total, len(ids), False)
                    finished[row].add(Hypothesis(tuple(ids), unended, False))
                finished[row].done = True
        scores = torch.tensor(chosen_scores, device=device)
        if all(one.done for one in finished):
            break
        state.follow(chosen_beams)
        state.append(torch.tensor(chosen_tokens, device=device)[:, None])

    return [one.best for one in finished]


def _extend(
    ranked: Sequence[tuple[float, int]],
    vocabulary: int,
    eos: int,
    finished: _Finished,
    running: Sequence[Sequence[int]],
    normalised: Callable[[float, int, bool], float],
) -> tuple[list[int], list[int], list[float]]:
    """One prompt's step: candidates that end go to `finished`, the best others continue.

    Returns:
        beam, token and score of each beam that continues; fillers when the prompt is done.
    """
    beams: list[int] = []
    tokens: list[int] = []
    kept: list[float] = []
    size = finished.size
    if finished.done:
        return [0] * size, [eos] * size, [0.0] * size
    for rank, (total, index) in enumerate(ranked):
        beam, token = divmod(index, vocabulary)
        if token == eos:
            if rank < size:
                ids = running[beam]
                finished.add(Hypothesis((*ids, eos), normalised(total, len(ids), True), True))
        else:
            beams.append(beam)
            tokens.append(token)
            kept.append(total)
        if len(beams) == size:
            break
    return beams, tokens, kept
