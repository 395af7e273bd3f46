"""Bugs of batching as adapters have had them, planted in DreamLLM's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from evalsuite.dreamllm import adapter as adapters
from evalsuite.dreamllm import diffusion
from evalsuite.dreamllm.adapter import DreamLLMAdapter
from evalsuite.dreamllm.decoding import DecodingState
from evalsuite.dreamllm.diffusion import ImageSampler

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """What to plant, and the miniature's task on which it must be found."""

    name: str
    task: str
    plant: Callable[[Patch], None]


def _mask(change: Callable[[torch.Tensor], torch.Tensor], only: str = "all") -> Callable[[Patch], None]:
    """Shows the language model a changed attention mask; `only` the first pass (`prompt`) or later ones."""

    def plant(patch: Patch) -> None:
        right = DecodingState._pass

        def wrong(self: DecodingState, *arguments: Any, **more: Any) -> Any:
            first = self.cache is None
            if only == "all" or (only == "prompt") == first:
                kept, self.mask = self.mask, change(self.mask)
                try:
                    return right(self, *arguments, **more)
                finally:
                    self.mask = kept
            return right(self, *arguments, **more)

        patch.setattr(DecodingState, "_pass", wrong)

    return plant


def _states(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Patch], None]:
    """Changes what comes out of the language model's last layer."""

    def plant(patch: Patch) -> None:
        right = LlamaRMSNorm.forward

        def wrong(self: Any, hidden: torch.Tensor) -> torch.Tensor:
            return change(right(self, hidden))

        patch.setattr(LlamaRMSNorm, "forward", wrong)

    return plant


def _answers(method: str, change: Callable[[list[Any]], list[Any]]) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        right = getattr(DreamLLMAdapter, method)
        patch.setattr(DreamLLMAdapter, method, lambda self, batch: change(right(self, batch)))

    return plant


def _pixels(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        right = DreamLLMAdapter._pixels

        def wrong(self: DreamLLMAdapter, batch: Sequence[Any]) -> torch.Tensor | None:
            found = right(self, batch)
            return None if found is None else change(found)

        patch.setattr(DreamLLMAdapter, "_pixels", wrong)

    return plant


def _generators(change: Callable[[list[torch.Generator]], Any]) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        right = ImageSampler.denoise

        def wrong(self: ImageSampler, condition: Any, generators: Any, *rest: Any, **more: Any) -> Any:
            return right(self, condition, change(generators), *rest, **more)

        patch.setattr(ImageSampler, "denoise", wrong)

    return plant


def _one_more(mask: torch.Tensor) -> torch.Tensor:
    """The last padding token of each padded row is attended to."""
    return torch.maximum(mask, torch.cat([mask[:, 1:], mask[:, -1:]], 1))


def _gap(patch: Patch) -> None:
    """What is written comes to stand behind the padding, not behind the prompt."""
    right = DecodingState.append_embeddings

    def wrong(self: DecodingState, *arguments: Any, **more: Any) -> Any:
        self.lengths = torch.full_like(self.lengths, self.mask.shape[1])
        return right(self, *arguments, **more)

    patch.setattr(DecodingState, "append_embeddings", wrong)


def _stale_cache(patch: Patch) -> None:
    """Rows that have ended leave the batch, but not the cache."""

    right = DecodingState.select

    def wrong(self: DecodingState, rows: Any) -> None:
        if len(rows) == self.batch:
            right(self, rows)
            return
        reorder = self.cache.reorder_cache
        self.cache.reorder_cache = lambda index: reorder(torch.arange(len(index)))
        try:
            right(self, rows)
        finally:
            del self.cache.reorder_cache

    patch.setattr(DecodingState, "select", wrong)


def _cut_at_the_shortest(texts: list[Any]) -> list[Any]:
    shortest = min(len(response.text) for response in texts)
    return [replace(response, text=response.text[:shortest]) for response in texts]


def _padded_to_the_longest(patch: Patch) -> None:
    """Continuations are padded by repeating their last token, and the padding is counted."""
    right: Any = vars(adapters)["score_continuations"]

    def wrong(model: Any, ids: Any, mask: Any, continuations: Any, **more: Any) -> Any:
        longest = max(len(one) for several in continuations for one in several)
        width = longest if len(continuations) > 1 else 0
        padded = [[[*one, *[one[-1]] * (width - len(one))] for one in several] for several in continuations]
        return right(model, ids, mask, padded, **more)

    patch.setattr(adapters, "score_continuations", wrong)


def _guided_by_all(patch: Patch) -> None:
    right = diffusion.guide

    def wrong(predicted: torch.Tensor, *rest: Any) -> torch.Tensor:
        without, conditional = predicted.chunk(2)
        return right(torch.cat([without.mean(0, keepdim=True).expand_as(without), conditional]), *rest)

    patch.setattr(diffusion, "guide", wrong)


def _stretched_by_the_brightest(patch: Patch) -> None:
    right: Any = vars(adapters)["to_images"]
    patch.setattr(adapters, "to_images", lambda pixels: right(pixels / pixels.std() * pixels[:1].std()))


def _mixed(rows: torch.Tensor) -> torch.Tensor:
    return 0.9 * rows + 0.1 * rows.roll(1, 0)


def _centred(rows: torch.Tensor) -> torch.Tensor:
    return rows + 0.2 * (rows.mean(0, keepdim=True) - rows)


def _conditions(patch: Patch) -> None:
    right = ImageSampler.sample

    def wrong(self: ImageSampler, condition: torch.Tensor, *rest: Any, **more: Any) -> Any:
        return right(self, condition.roll(1, 0), *rest, **more)

    patch.setattr(ImageSampler, "sample", wrong)


def _by_position(generators: Any) -> Any:
    return [torch.Generator().manual_seed(i) for i in range(len(generators))]


def _shared(generators: Any) -> Any:
    return [generators[0]] * len(generators)


TEXT, CAPTIONS, CHOICES, IMAGES, EDITS, DOCUMENTS = (
    "mini-vqav2", "mini-coco-caption", "mini-mmbench-likelihood", "mini-coco-t2i", "mini-magicbrush",
    "mini-stories",
)  # fmt: skip
LIKELIHOODS = "likelihoods"
"""The requests of mini-vqav2 with continuations of several tokens."""
ones = torch.ones_like

BUGS = (
    Bug("padding is attended to", TEXT, _mask(ones)),
    Bug("padding of the prompt is attended to when writing", TEXT, _mask(ones, "later")),
    Bug("one padding token is attended to", TEXT, _mask(_one_more)),
    Bug("positions count padding", TEXT, _gap),
    Bug("images in reverse order", TEXT, _pixels(lambda pixels: pixels.flip(0))),
    Bug("everybody sees the first image", TEXT, _pixels(lambda pixels: pixels[:1].expand_as(pixels))),
    Bug("answers shifted by one row", TEXT, _answers("generate_text", lambda rows: rows[1:] + rows[:1])),
    Bug("ended rows stay in the cache", CAPTIONS, _stale_cache),
    Bug("all end with the first", CAPTIONS, _answers("generate_text", _cut_at_the_shortest)),
    Bug("states mixed with the row before", TEXT, _states(_mixed)),
    Bug("states centred over the batch", TEXT, _states(_centred)),
    Bug("padding is attended to by choices", CHOICES, _mask(ones)),
    Bug("padding of the prompt is attended to by continuations", LIKELIHOODS, _mask(ones, "later")),
    Bug("one padding token is attended to by choices", CHOICES, _mask(_one_more)),
    Bug("positions of continuations count padding", LIKELIHOODS, _gap),
    Bug(
        "choices shifted by one row", LIKELIHOODS, _answers("score_choices", lambda rows: rows[1:] + rows[:1])
    ),
    Bug("padding counts as continuation", LIKELIHOODS, _padded_to_the_longest),
    Bug("log-likelihoods mixed with the row before", CHOICES, _states(_mixed)),
    Bug("one generator for the batch", IMAGES, _generators(_shared)),
    Bug("seeds by position", IMAGES, _generators(_by_position)),
    Bug("padding is attended to by the condition", IMAGES, _mask(ones)),
    Bug("guidance away from the mean of the batch", IMAGES, _guided_by_all),
    Bug("the condition of the row before", IMAGES, _conditions),
    Bug("brightness of the batch", IMAGES, _stretched_by_the_brightest),
    Bug("another source image", EDITS, _pixels(lambda pixels: pixels.flip(0))),
    Bug("padding is attended to by the edit", EDITS, _mask(ones)),
    Bug("padding is attended to by documents", DOCUMENTS, _mask(ones)),
    Bug("images of documents seeded by position", DOCUMENTS, _generators(_by_position)),
)
