"""Log-likelihoods of continuations with `transformers`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

from evalsuite.errors import SampleError
from evalsuite.model import Prepared
from evalsuite.request import ChoiceResponse, ScoreChoices

from .decoding import padded
from .shared import SharedPrompts, can_share

_log = logging.getLogger(__name__)

Encode = Callable[[Sequence[tuple[Prepared, str]], str], Any]
"""Prompts, each with a continuation, to model inputs on the CPU, padded on the side that is named."""

TOLERANCE = {"float32": 1e-3, "float16": 0.1, "bfloat16": 0.5}
"""Nats by which a continued cache and a whole pass may differ, relative to 1 + their size / 10."""


class Likelihoods:
    """Scores the choices of one model.

    Where the model can continue a cache, each prompt is computed once, without a copy of its cache per
    choice; the first request of every kind of prompt is computed in both ways, and a model that answers
    otherwise is asked the long way from then on.
    """

    def __init__(self, model: Any, encode: Encode) -> None:
        self._model, self._encode = model, encode
        self._shares: dict[Any, bool] = {} if can_share(model) else {"": False}

    def score(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        """Sums the log-probabilities of each choice's tokens after the prompt.

        A choice is tokenised together with its prompt; its tokens are those beyond the longest common
        beginning with the prompt alone (lm-evaluation-harness counts the same ones wherever tokens do not
        merge across the border).

        Raises SampleError for a choice that adds no token.
        """
        import torch

        rows = [(item, choice) for item in batch for choice in _choices(item)]
        prompts = self._encode([(item, "") for item in batch], "left")
        alone = dict(zip(map(id, batch), _ids(prompts), strict=True))
        wholes, starts = [], []
        for chunk in _chunks(rows, len(batch)):
            for ids, (item, choice) in zip(_ids(self._encode(chunk, "right")), chunk, strict=True):
                wholes.append(ids)
                starts.append(_start(ids, alone[id(item)], choice))
        owners = [position for position, item in enumerate(batch) for _ in _choices(item)]
        merged = any(start < len(alone[id(item)]) for start, (item, _) in zip(starts, rows, strict=True))
        with torch.inference_mode():
            if not merged and self._may_share(batch[0]):
                tails = [ids[start:] for ids, start in zip(wholes, starts, strict=True)]
                sums = _continued(self._model, prompts, owners, tails, len(batch))
            else:
                sums = self._whole(rows, wholes, starts, len(batch))
        values = iter(zip(sums, wholes, starts, strict=True))
        responses = []
        for item in batch:
            own = [(value, len(ids) - start) for value, ids, start in (next(values) for _ in _choices(item))]
            responses.append(ChoiceResponse(tuple(s for s, _ in own), tuple(n for _, n in own)))
        return responses

    def _whole(
        self, rows: Sequence[tuple[Prepared, str]], wholes: list[Any], starts: list[int], size: int
    ) -> list[float]:
        """Every prompt with every choice in a pass of its own; as many at once as the batch has requests."""
        found: list[float] = []
        for chunk in _chunks(range(len(rows)), size):
            inputs = self._encode([rows[i] for i in chunk], "right").to(self._model.device)
            found += _sums(self._model, inputs, [wholes[i] for i in chunk], [starts[i] for i in chunk])
        return found

    def _may_share(self, item: Prepared) -> bool:
        """Whether a continued cache gives what a whole pass gives, by a first request with and without
        images."""
        if "" in self._shares:
            return False
        kind = (str(self._model.dtype), bool(item.request.images))
        if kind not in self._shares:
            self._shares[kind] = True
            try:
                shared = self.score([item])[0].log_likelihoods
            except (TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError) as error:
                if any(
                    each.__name__ in ("OutOfMemoryError", "AcceleratorError") for each in type(error).__mro__
                ):
                    del self._shares[kind]
                    raise
                _log.info("prompts are not shared between choices: %s", error)
                self._shares[kind] = False
                return False
            self._shares[kind] = False
            whole = self.score([item])[0].log_likelihoods
            allowed = TOLERANCE.get(kind[0].removeprefix("torch."), 1e-3)
            gap = max(abs(a - b) / (1 + abs(b) / 10) for a, b in zip(shared, whole, strict=True))
            self._shares[kind] = gap <= allowed
            if gap > allowed:
                _log.info("prompts are not shared between choices: likelihoods differ by %.3g", gap)
        return self._shares[kind]


def _choices(item: Prepared) -> tuple[str, ...]:
    assert isinstance(item.request.output, ScoreChoices)
    return item.request.output.choices


def _chunks(rows: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _ids(inputs: Any) -> list[Any]:
    """Each row's tokens without its padding, on the CPU."""
    ids, mask = inputs["input_ids"].cpu(), inputs.get("attention_mask")
    if mask is None:
        return list(ids)
    return [row[real] for row, real in zip(ids, mask.cpu().bool(), strict=True)]


def _start(ids: Any, alone: Any, choice: str) -> int:
    """Where a choice begins in the tokens of prompt and choice."""
    shared = min(len(ids), len(alone))
    start = int((ids[:shared] == alone[:shared]).long().cumprod(0).sum())
    if start == len(ids):
        raise SampleError(f"Choice {choice!r} adds no token to the prompt.", "Choices must not be empty.")
    if start == 0:
        raise SampleError("The prompt is empty.", "Likelihoods need at least one token before the choice.")
    return start


def _continued(
    model: Any, prompts: Any, owners: Sequence[int], tails: Sequence[Any], size: int
) -> list[float]:
    """Sums of log-probabilities of tokens behind prompts that are computed once.

    Args:
        owners: the prompt of each tail.
        size: tails that are computed at once.
    """

    device = model.device
    mask = prompts.get("attention_mask")
    is_padded = mask is not None and not bool(mask.all())
    with padded(is_padded and device.type != "cpu"):
        return _behind(model, SharedPrompts(model, prompts.to(device), is_padded), owners, tails, size)


def _behind(
    model: Any, state: SharedPrompts, owners: Sequence[int], tails: Sequence[Any], size: int
) -> list[float]:
    import torch

    device = model.device
    first = state.logits.log_softmax(-1)
    sums = []
    for chunk in _chunks(range(len(tails)), size):
        longest = max(len(tails[i]) for i in chunk)
        tokens = torch.zeros(len(chunk), longest, dtype=torch.long)
        real = torch.zeros(len(chunk), longest, dtype=torch.bool)
        for row, i in enumerate(chunk):
            tokens[row, : len(tails[i])] = tails[i]
            real[row, : len(tails[i])] = True
        tokens, real = tokens.to(device), real.to(device)
        some = [owners[i] for i in chunk]
        found = first[torch.tensor(some, device=device)].gather(1, tokens[:, :1])
        if longest > 1:
            # the last token is scored, not read
            logits = state.after(some, tokens[:, :-1]).float().log_softmax(-1)
            found = torch.cat([found, logits.gather(2, tokens[:, 1:, None])[..., 0]], 1)
        sums.append(found.masked_fill(~real, 0).sum(1))
    values: list[float] = torch.cat(sums).tolist()  # the only wait for the device
    return values


def _sums(model: Any, inputs: Any, wholes: Sequence[Any], starts: Sequence[int]) -> list[float]:
    """The same in one pass over prompts and continuations, padded on the right: a decoder's numbers for the
    text before the padding then cannot depend on it, and no position has to be told."""
    import torch

    width = inputs["input_ids"].shape[1]
    first = min(starts) - 1
    arguments: dict[str, Any] = {}
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        # only what is read is computed: the vocabulary times the whole prompt would be the largest tensor
        arguments["logits_to_keep"] = torch.arange(first, width, device=inputs["input_ids"].device)
    logits = model(**inputs, **arguments).logits
    offset = width - logits.shape[1]
    sums = []
    for i, (ids, start) in enumerate(zip(wholes, starts, strict=True)):
        own = logits[i, start - 1 - offset : len(ids) - 1 - offset].float().log_softmax(-1)
        sums.append(own.gather(1, ids[start:, None].to(own.device)).sum())
    values: list[float] = torch.stack(sums).tolist()
    return values
