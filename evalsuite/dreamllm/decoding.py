"""One prompt pass, then one token at a time: the state that greedy search, sampling, beams and documents
share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.errors import SampleError


class DecodingState:
    """A batch of left-padded prompts in the cache, and the logits of what comes next.

    Positions count real tokens only, so that padding does not move a prompt: a row gives the same alone and
    in a batch, up to rounding.

    Args:
        model: in evaluation mode.
        input_ids, attention_mask: (batch, sequence), padded left.
        images, image_features: see `DreamLLMForCausalLM.embed`.
        room: positions that each row must have left, at least.
        count_padding: padding counts as positions, as in upstream's text-to-image. Without effect for left
            padding (rotary positions are relative); with right padding it opens a gap, so that a row depends
            on the batch, which `False` does not allow: rows must be padded left then.

    Raises:
        SampleError: a row does not leave that room.
    """

    def __init__(
        self,
        model: DreamLLMForCausalLM,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        images: Tensor | None = None,
        image_features: Tensor | None = None,
        room: int = 1,
        strict: bool = True,
        count_padding: bool = False,
    ) -> None:
        device = model.dream_queries.device
        input_ids = input_ids.to(device)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask.to(device)
        self.model, self.mask = model, mask
        if not count_padding and not bool(mask[:, -1].all()):
            raise SampleError(
                "A prompt is padded on the right.", "Pad prompts left (DreamLLMProcessor.pad_left)."
            )
        self.lengths = torch.full_like(mask[:, 0], mask.shape[1]) if count_padding else mask.sum(1)
        limit = model.config.sequence_limit
        if int(self.lengths.max()) + room > limit:
            raise SampleError(
                f"A prompt of {int(self.lengths.max())} tokens leaves no room for {room} more; "
                f"the model's limit is {limit}.",
                "Use fewer images or a shorter text.",
            )
        embeddings = model.embed(
            input_ids,
            None if images is None else images.to(device),
            None if image_features is None else image_features.to(device),
            strict=strict,
        )
        counted = torch.ones_like(mask) if count_padding else mask
        positions = (counted.cumsum(1) - 1).clamp(min=0)
        self.cache: Any = None
        self.logits, self.states = self._pass(embeddings, positions)

    def _pass(self, embeddings: Tensor, positions: Tensor, every: bool = False) -> tuple[Tensor, Tensor]:
        output = self.model.model(
            inputs_embeds=embeddings,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.cache = output.past_key_values
        states = output.last_hidden_state
        return self.model.lm_head(states if every else states[:, -1]).float(), states

    @property
    def batch(self) -> int:
        return self.mask.shape[0]

    def append_embeddings(
        self, embeddings: Tensor, mask: Tensor | None = None, *, every: bool = False
    ) -> Tensor:
        """Feed (batch, n, hidden) and return the final states (batch, n, hidden); `logits` become the last
        position's, or with `every` all n positions'.

        Args:
            mask: (batch, n), 0 where a row has padding (at its right end).
        """
        more = (
            torch.ones(embeddings.shape[:2], dtype=self.mask.dtype, device=self.mask.device)
            if mask is None
            else mask
        )
        positions = self.lengths[:, None] + (more.cumsum(1) - 1).clamp(min=0)
        self.mask = torch.cat([self.mask, more], dim=1)
        self.lengths = self.lengths + more.sum(1)
        self.logits, self.states = self._pass(embeddings, positions, every)
        return self.states

    def append(self, ids: Tensor, mask: Tensor | None = None, *, every: bool = False) -> Tensor:
        """Feed token ids (batch, n); see `append_embeddings`."""
        return self.append_embeddings(self.model.model.embed_tokens(ids), mask, every=every)

    def select(self, rows: Sequence[int] | Tensor) -> None:
        """Keep (and repeat, reorder) rows of the batch."""
        index = torch.as_tensor(rows, device=self.mask.device)
        self.cache.reorder_cache(index)
        self.mask, self.lengths, self.logits = self.mask[index], self.lengths[index], self.logits[index]
