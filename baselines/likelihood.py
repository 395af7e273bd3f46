"""Log-likelihoods of continuations with `transformers`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from evalsuite.errors import SampleError
from evalsuite.model import Prepared
from evalsuite.request import ChoiceResponse, ScoreChoices

Encode = Callable[[Sequence[tuple[Prepared, str]]], Any]
"""Prompts, each with a continuation, to model inputs that are padded on the right: a decoder's numbers for
the text before the padding then cannot depend on it, and no position has to be told."""


def score(model: Any, encode: Encode, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
    """Sums the log-probabilities of each choice's tokens after the prompt.

    A choice is tokenised together with its prompt; its tokens are those beyond the longest common beginning
    with the prompt alone (lm-evaluation-harness counts the same ones wherever tokens do not merge across the
    border). As many continuations are computed at once as the batch has requests.

    Raises SampleError for a choice that adds no token.
    """
    rows = [(item, choice) for item in batch for choice in _choices(item)]
    alone = {id(item): _ids(encode([(item, "")]))[0] for item in batch}
    found: list[tuple[float, int]] = []
    for chunk in _chunks(rows, len(batch)):
        found += _sums(model, encode(chunk), [(alone[id(item)], choice) for item, choice in chunk])
    responses, position = [], 0
    for item in batch:
        own = found[position : position + len(_choices(item))]
        position += len(own)
        responses.append(ChoiceResponse(tuple(s for s, _ in own), tuple(n for _, n in own)))
    return responses


def _choices(item: Prepared) -> tuple[str, ...]:
    assert isinstance(item.request.output, ScoreChoices)
    return item.request.output.choices


def _chunks(rows: Sequence[tuple[Prepared, str]], size: int) -> list[Sequence[tuple[Prepared, str]]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _ids(inputs: Any) -> list[Any]:
    """Each row's tokens without its padding, on the CPU."""
    ids = inputs["input_ids"].cpu()
    mask = inputs.get("attention_mask")
    lengths = [ids.shape[1]] * len(ids) if mask is None else mask.sum(1).tolist()
    return [row[:length] for row, length in zip(ids, lengths, strict=True)]


def _sums(model: Any, inputs: Any, rows: Sequence[tuple[Any, str]]) -> list[tuple[float, int]]:
    import torch

    whole = _ids(inputs)
    starts = []
    for ids, (alone, choice) in zip(whole, rows, strict=True):
        shared = min(len(ids), len(alone))
        start = int((ids[:shared] == alone[:shared]).long().cumprod(0).sum())
        if start == len(ids):
            raise SampleError(f"Choice {choice!r} adds no token to the prompt.", "Choices must not be empty.")
        if start == 0:
            raise SampleError(
                "The prompt is empty.", "Likelihoods need at least one token before the choice."
            )
        starts.append(start)
    width = inputs["input_ids"].shape[1]
    first = min(starts) - 1
    arguments: dict[str, Any] = {}
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        # only what is read is computed: the vocabulary times the whole prompt would be the largest tensor
        arguments["logits_to_keep"] = torch.arange(first, width, device=inputs["input_ids"].device)
    with torch.inference_mode():
        logits = model(**inputs, **arguments).logits
    offset = width - logits.shape[1]
    sums = []
    for i, (ids, start) in enumerate(zip(whole, starts, strict=True)):
        own = logits[i, start - 1 - offset : len(ids) - 1 - offset].float().log_softmax(-1)
        sums.append(own.gather(1, ids[start:, None].to(own.device)).sum())
    values = torch.stack(sums).tolist()  # the only wait for the device
    return [(value, len(ids) - start) for value, ids, start in zip(values, whole, starts, strict=True)]
