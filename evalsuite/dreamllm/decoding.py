"""One prompt pass, then one token at a time: the state that greedy search, sampling, beams and documents
share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from evalsuite.dreamllm.cache import BufferCache
from evalsuite.dreamllm.forks import Forks
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.static import StaticDecoding
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
        ahead: tokens that will follow, as far as is known: the cache keeps room for them.
        static: decodes with a cache of fixed size, see `StaticDecoding`; `ahead` tokens must be all.

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
        ahead: int = 0,
        static: StaticDecoding | None = None,
    ) -> None:
        device = model.dream_queries.device
        # the host keeps a copy, so that it need not wait for the device to know lengths and padding
        here = (
            torch.ones(input_ids.shape, dtype=torch.long) if attention_mask is None else attention_mask.cpu()
        )
        if not count_padding and not bool(here[:, -1].all()):
            raise SampleError(
                "A prompt is padded on the right.", "Pad prompts left (DreamLLMProcessor.pad_left)."
            )
        counted = torch.ones_like(here) if count_padding else here
        self._here = here
        self.model, self.mask = model, here.to(device)
        self.lengths = counted.sum(1).to(device)
        self.counts: list[int] = counted.sum(1).tolist()
        limit = model.config.sequence_limit
        if max(self.counts) + room > limit:
            raise SampleError(
                f"A prompt of {max(self.counts)} tokens leaves no room for {room} more; "
                f"the model's limit is {limit}.",
                "Use fewer images or a shorter text.",
            )
        embeddings = model.embed(
            input_ids,
            None if images is None else images.to(device),
            None if image_features is None else image_features.to(device),
            strict=strict,
        )
        positions = (counted.cumsum(1) - 1).clamp(min=0).to(device)
        self.cache: Any = None
        self.forks: Forks | None = None
        self._ahead, self._static = ahead, static
        self.logits, self.states = self._pass(embeddings, positions)

    def _pass(self, embeddings: Tensor, positions: Tensor, every: bool = False) -> tuple[Tensor, Tensor]:
        static = self._static
        if static is not None and self.cache is not None and embeddings.shape[1] == 1:
            return static.step(embeddings, positions, self.mask, self.cache)
        cache = self.cache
        if cache is None and static is not None:
            cache = static.cache(embeddings.shape[1] + self._ahead)
        elif cache is None:
            cache = BufferCache(self.model.config.text_config.num_hidden_layers, self._ahead)
        output = self.model.model(
            inputs_embeds=embeddings,
            attention_mask=self._attention_mask(embeddings),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        self.cache = cache
        states = output.last_hidden_state
        return self.model.lm_head(states if every else states[:, -1]).float(), states

    def _attention_mask(self, embeddings: Tensor) -> Tensor | None:
        """What the library would make of the mask for one more token, without asking the device whether
        anything is padded; and what forks see of each other."""
        kind = self.model.config.text_config._attn_implementation
        if self.forks is not None:
            return self.forks.attention_mask(self.mask, embeddings.dtype, kind)
        if embeddings.shape[1] > 1 or self.cache is None or kind != "sdpa":
            return self.mask
        return None if bool(self._here.all()) else self.mask[:, None, None, :].bool()

    @property
    def batch(self) -> int:
        return self.mask.shape[0]

    def append_embeddings(
        self, embeddings: Tensor, mask: Tensor | None = None, *, every: bool = False
    ) -> Tensor:
        """Feed (batch, n, hidden) and return the final states (batch, n, hidden); `logits` become the last
        position's, or with `every` all n positions'.

        Args:
            mask: (batch, n), 0 where a row has padding (at its right end); better on the CPU.

        After `fork` there is a row for each fork: (batch * width, n, hidden).
        """
        if self.forks is not None:
            together, positions = self.forks.put(embeddings, mask, self.lengths)
            logits, states = self._pass(together, positions, True)
            count = embeddings.shape[1]
            # the forks of a row lie behind one another: back to a row for each
            self.states = states.reshape(-1, count, states.shape[-1])
            logits = logits.reshape(-1, count, logits.shape[-1])
            self.logits = logits if every else logits[:, -1]
            return self.states
        here = torch.ones(embeddings.shape[:2], dtype=self._here.dtype) if mask is None else mask.cpu()
        more = torch.ones_like(here, device=self.mask.device) if mask is None else mask.to(self.mask.device)
        self._here = torch.cat([self._here, here], dim=1)
        self.counts = [count + n for count, n in zip(self.counts, here.sum(1).tolist(), strict=True)]
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
        here = torch.as_tensor(rows, device="cpu")
        index = here.to(self.mask.device)
        self._here, self.counts = self._here[here], [self.counts[row] for row in here.tolist()]
        self.cache.reorder_cache(index)
        self.mask, self.lengths, self.logits = self.mask[index], self.lengths[index], self.logits[index]

    def fork(self, width: int) -> None:
        """Continue each row in `width` ways from here. The prompt's cache stays as it is, once per row: forks
        are written behind it, and see of what is written there only their own.

        `logits` stay a row's until something is appended.
        """
        self.forks = Forks(self.batch, width, self.mask.device)

    def follow(self, parents: Sequence[int]) -> None:
        """Each fork goes on from another of its row (or itself): (batch * width), row * width + fork."""
        assert self.forks is not None
        self.forks.follow(parents)

    def join(self) -> None:
        """Forget the forks and what they wrote."""
        assert self.forks is not None
        self.cache.crop(-self.forks.written)
        self.forks = None
