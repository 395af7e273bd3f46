"""Documents: the model writes, draws where it says `<dream_start>`, looks at what it drew, and goes on.

Upstream published no code for this; the loop follows the author's description and the layout of the training
documents (dream block, directly behind it the image block of the same picture, then text).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from evalsuite.dreamllm.decoding import DecodingState
from evalsuite.dreamllm.diffusion import Drawing, Painter, dream_states, to_images
from evalsuite.dreamllm.generation import choose
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.processing import DreamLLMProcessor
from evalsuite.errors import SpecError


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """A document.

    Args:
        parts: runs of text, and pictures, in order.
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
    painter: Painter,
    input_ids: Sequence[int],
    *,
    pixels: Tensor | None = None,
    how: Drawing | None = None,
    max_new_tokens: int = 512,
    max_images: int = 4,
    sampling: Sampling = Sampling(),
    seed: int = 0,
) -> WrittenDocument:
    """Continue one prompt into a document.

    Sampled text comes from a generator seeded with `seed`, picture i from one seeded with `seed + i`, so that
    a document depends on nothing but prompt, options and seed. After `max_images` pictures, and where the
    room left in the model's sequence limit does not hold another one, `<dream_start>` is not chosen any more.

    Args:
        input_ids: the prompt, `processor.encode(...)`.
        pixels: pictures in the prompt, (n, 3, side, side), see `DreamLLMForCausalLM.embed`.
        how: drawing; None for the defaults.
        max_new_tokens: text tokens; blocks do not count.

    Raises:
        SampleError: the prompt is too long, or a drawing is not finite.
        SpecError: a limit is negative.
    """
    if max_new_tokens < 0 or max_images < 0:
        raise SpecError("Limits of a document must not be negative.", "Use 0 for none.")
    with torch.no_grad():
        state = DecodingState(model, torch.tensor([list(input_ids)]), images=pixels, room=0)
        writer = _Writer(processor, painter, state, how or Drawing(), sampling, max_images, seed)
        return writer.write(max_new_tokens)


class _Writer:
    """One document in the making."""

    def __init__(
        self,
        processor: DreamLLMProcessor,
        painter: Painter,
        state: DecodingState,
        how: Drawing,
        sampling: Sampling,
        max_images: int,
        seed: int,
    ) -> None:
        self.processor, self.painter, self.state = processor, painter, state
        self.how, self.sampling, self.max_images, self.seed = how, sampling, max_images, seed
        self.model, self.tokens = painter.model, painter.model.config.tokens
        self.run: list[int] = []
        self.parts: list[str | Image.Image] = []
        self.drawn = 0
        self.draws = [torch.Generator().manual_seed(seed)] if sampling.temperature > 0 else None

    def write(self, max_new_tokens: int) -> WrittenDocument:
        state, written, ended = self.state, 0, False
        while True:
            room = self.model.config.sequence_limit - int(state.lengths)
            token = self._next(room)
            if token == self.tokens.eos:
                ended = True
                break
            if token == self.tokens.dream_start:
                self._draw()
                continue
            if written >= max_new_tokens or room < 1:
                break
            self.run.append(token)
            written += 1
            state.append(torch.tensor([[token]], device=state.mask.device))
        self._close_run()
        return WrittenDocument(tuple(self.parts), ended, written)

    def _next(self, room: int) -> int:
        # fillers and ends of blocks are placed by this loop, never written by the model
        tokens = self.tokens
        suppress = [tokens.image_start, tokens.image_end, tokens.image_patch, tokens.dream_end, tokens.pad]
        if self.drawn >= self.max_images or room < self._picture_length():
            suppress.append(tokens.dream_start)
        how = self.sampling
        return choose(self.state.logits, [0], self.draws, how.temperature, how.top_k, how.top_p, suppress)[0]

    def _picture_length(self) -> int:
        return len(self.processor.dream_block) + len(self.processor.image_block)

    def _draw(self) -> None:
        self._close_run()
        condition = dream_states(self.model, self.state)
        generator = torch.Generator().manual_seed(self.seed + self.drawn)
        picture = to_images(self.painter.paint(condition, [generator], self.how))[0]
        self.parts.append(picture)
        self.drawn += 1
        device = self.state.mask.device
        pixels = self.processor.pixels([picture]).to(device)
        block = torch.tensor([self.processor.image_block], device=device)
        self.state.append_embeddings(self.model.embed(block, pixels))

    def _close_run(self) -> None:
        text = self.processor.decode(self.run).strip()
        if text:
            self.parts.append(text)
        self.run = []
