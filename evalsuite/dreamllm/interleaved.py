"""Interleaved documents: the model writes text, generates an image at `<dream_start>`, and reads it.

Upstream published no code for this; the loop follows the author's description and the layout of the training
documents (dream block, directly behind it the image block of the same image, then text).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from evalsuite.dreamllm.decoding import DecodingState
from evalsuite.dreamllm.diffusion import ImageSampler, SamplingConfig, dream_embeddings, to_images
from evalsuite.dreamllm.generation import choose, token_index
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.processing import DreamLLMProcessor
from evalsuite.errors import SpecError


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """A document.

    Args:
        parts: runs of text, and images, in order.
        ended: the model ended it; otherwise a limit did.
        tokens: text tokens written.
    """

    parts: tuple[str | Image.Image, ...]
    ended: bool
    tokens: int

    @property
    def images(self) -> tuple[Image.Image, ...]:
        return tuple(part for part in self.parts if isinstance(part, Image.Image))

    @property
    def text(self) -> str:
        """All text, runs joined by a space."""
        return " ".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Sampling:
    """How text is chosen: temperature 0 takes the likeliest token, top_k 0 and top_p 1 are off."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0


def write_document(
    model: DreamLLMForCausalLM,
    processor: DreamLLMProcessor,
    sampler: ImageSampler,
    input_ids: Sequence[int],
    *,
    seed: int = 0,
    **options: Any,
) -> WrittenDocument:
    """Continue one prompt into a document; the options are those of `write_documents`."""
    return write_documents(model, processor, sampler, [input_ids], seeds=[seed], **options)[0]


def write_documents(
    model: DreamLLMForCausalLM,
    processor: DreamLLMProcessor,
    sampler: ImageSampler,
    prompts: Sequence[Sequence[int]],
    *,
    seeds: Sequence[int],
    pixels: Tensor | None = None,
    how: SamplingConfig | None = None,
    max_new_tokens: int = 512,
    max_images: int = 4,
    sampling: Sampling = Sampling(),
) -> list[WrittenDocument]:
    """Continue a batch of prompts into documents. Images that are due at the same step are
    generated together; the other documents wait.

    Sampled text of a document comes from a generator seeded with its seed, image i from one seeded with
    seed + i, so that a document depends on nothing but prompt, options and seed. After `max_images` images,
    and where the room left in the model's sequence limit does not hold another one, `<dream_start>` is not
    chosen any more.

    Args:
        prompts: `processor.encode(...)` of each.
        seeds: one per prompt.
        pixels: images in the prompts, (n, 3, side, side), see `DreamLLMForCausalLM.embed`.
        how: image sampling; None for the defaults.
        max_new_tokens: text tokens; blocks do not count.

    Raises:
        SampleError: a prompt is too long, or an image is not finite.
        SpecError: a limit is negative.
    """
    if max_new_tokens < 0 or max_images < 0:
        raise SpecError("Limits of a document must not be negative.", "Use 0 for none.")
    pages = [_Page(seed, sampling) for seed in seeds]
    with torch.no_grad():
        ids, mask = processor.pad_left(prompts)
        state = DecodingState(model, ids, mask, images=pixels, room=0)
        writer = _Writer(
            processor, sampler, state, how or SamplingConfig(), sampling, max_images, max_new_tokens
        )
        writer.write(pages)
    return [page.document(processor) for page in pages]


class _Page:
    """One document in the making."""

    def __init__(self, seed: int, sampling: Sampling) -> None:
        self.seed = seed
        self.draws = torch.Generator().manual_seed(seed)
        self.parts: list[list[int] | Image.Image] = [[]]
        self.written = self.drawn = 0
        self.ended = False

    def say(self, token: int) -> None:
        run = self.parts[-1]
        assert isinstance(run, list)
        run.append(token)
        self.written += 1

    def show(self, image: Image.Image) -> None:
        self.parts += [image, []]
        self.drawn += 1

    def generator(self) -> torch.Generator:
        """Of the next image."""
        return torch.Generator().manual_seed(self.seed + self.drawn)

    def document(self, processor: DreamLLMProcessor) -> WrittenDocument:
        texts = [processor.decode(part).strip() if isinstance(part, list) else part for part in self.parts]
        return WrittenDocument(tuple(part for part in texts if part), self.ended, self.written)


class _Writer:
    """Writes a batch of pages, row by row of `state`."""

    def __init__(
        self,
        processor: DreamLLMProcessor,
        sampler: ImageSampler,
        state: DecodingState,
        how: SamplingConfig,
        sampling: Sampling,
        max_images: int,
        max_new_tokens: int,
    ) -> None:
        self.processor, self.sampler, self.state, self.how = processor, sampler, state, how
        self.sampling, self.max_images, self.max_new_tokens = sampling, max_images, max_new_tokens
        self.model, self.tokens = sampler.model, sampler.model.config.tokens
        # fillers and ends of blocks are placed by this loop, never written by the model
        tokens = self.tokens
        never = [tokens.image_start, tokens.image_end, tokens.image_patch, tokens.dream_end, tokens.pad]
        self.suppress = token_index(never, state.mask.device)

    def write(self, pages: Sequence[_Page]) -> None:
        while pages:
            tokens = self._next(pages)
            going = [row for row, page in enumerate(pages) if self._goes_on(page, row, tokens[row])]
            if len(going) < len(pages):
                if not going:
                    return
                self.state.select(going)
                pages, tokens = [pages[row] for row in going], [tokens[row] for row in going]
            draws = [token == self.tokens.dream_start for token in tokens]
            self._draw(pages, [row for row, draw in enumerate(draws) if draw])
            self._say(pages, {row: tokens[row] for row, draw in enumerate(draws) if not draw})

    def _room(self, row: int) -> int:
        return self.model.config.sequence_limit - self.state.counts[row]

    def _next(self, pages: Sequence[_Page]) -> list[int]:
        """The next token of every page; the host waits for the device once."""
        full = [
            row
            for row, page in enumerate(pages)
            if page.drawn >= self.max_images or self._room(row) < self._picture_length()
        ]
        logits, how = self.state.logits, self.sampling
        if full:
            logits = logits.index_put(
                (
                    torch.tensor(full, device=logits.device),
                    torch.tensor(self.tokens.dream_start, device=logits.device),
                ),
                logits.new_tensor(-torch.inf),
            )
        draws = [page.draws for page in pages] if how.temperature > 0 else None
        return choose(logits, draws, how.temperature, how.top_k, how.top_p, self.suppress).tolist()

    def _goes_on(self, page: _Page, row: int, token: int) -> bool:
        page.ended = token == self.tokens.eos
        if page.ended or token == self.tokens.dream_start:
            return not page.ended
        return page.written < self.max_new_tokens and self._room(row) >= 1

    def _picture_length(self) -> int:
        return len(self.processor.dream_block) + len(self.processor.image_block)

    def _draw(self, pages: Sequence[_Page], rows: list[int]) -> None:
        """Generate the next image of these rows and put it into their contexts."""
        if not rows:
            return
        count, device = len(pages), self.state.mask.device
        condition = self._append(dream_embeddings(self.model, count), rows)[rows, 1:-1]
        generators = [pages[row].generator() for row in rows]
        images = to_images(self.sampler.sample(condition, generators, self.how))
        pixels = self.processor.pixels(images).to(device)
        block = torch.tensor([self.processor.image_block])
        seen = self.model.embed(block.expand(len(rows), -1), pixels)
        embeddings = seen.new_zeros(count, *seen.shape[1:])
        embeddings[rows] = seen
        self._append(embeddings, rows)
        for row, image in zip(rows, images, strict=True):
            pages[row].show(image)

    def _say(self, pages: Sequence[_Page], tokens: Mapping[int, int]) -> None:
        if not tokens:
            return
        for row, token in tokens.items():
            pages[row].say(token)
        ids = torch.tensor([[tokens.get(row, self.tokens.pad)] for row in range(len(pages))])
        self._append(self.model.model.embed_tokens(ids.to(self.state.mask.device)), list(tokens))

    def _append(self, embeddings: Tensor, rows: list[int]) -> Tensor:
        """Feed embeddings (batch, n, hidden) to these rows; the others wait as they are."""
        state = self.state
        if len(rows) == state.batch:
            return state.append_embeddings(embeddings)
        mask = torch.zeros(embeddings.shape[:2], dtype=state.mask.dtype)
        mask[rows] = 1
        before = state.logits
        states = state.append_embeddings(embeddings, mask)
        state.logits = torch.where(mask[:, :1].bool().to(before.device), state.logits, before)
        return states
