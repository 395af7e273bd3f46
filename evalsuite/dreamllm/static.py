"""Decoding with a cache of fixed size, whose steps can be compiled (on a GPU: recorded as a CUDA graph)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import StaticCache

from evalsuite.dreamllm.modeling import DreamLLMForCausalLM

BUCKET = 128
"""Caches are rounded up to so many tokens: a compiled step holds for one size."""


class StaticDecoding:
    """Makes caches of fixed size, and steps of one token on them.

    A row that has ended stays in the batch: shapes do not change within a text. Attention reads the whole
    cache, masked beyond what is written, so that it pays where launching kernels is what takes the time.

    Args:
        compiled: compile the step; for a GPU with `reduce-overhead`, which records CUDA graphs.
    """

    def __init__(self, model: DreamLLMForCausalLM, *, compiled: bool = False) -> None:
        self._model = model
        self._call: Any = self._computed
        if compiled:
            on_gpu = model.dream_queries.device.type == "cuda"
            self._call = torch.compile(
                self._computed, mode="reduce-overhead" if on_gpu else None, dynamic=False
            )

    def cache(self, tokens: int) -> StaticCache:
        """A cache for so many tokens of each row."""
        length = min(-(-tokens // BUCKET) * BUCKET, self._model.config.sequence_limit)
        return StaticCache(config=self._model.config.text_config, max_cache_len=max(length, tokens))

    def step(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, cache: StaticCache
    ) -> tuple[Tensor, Tensor]:
        """Logits (rows, vocabulary) and states (rows, 1, hidden) of one more token.

        Args:
            embeddings, positions: (rows, 1, hidden), (rows, 1).
            mask: (rows, tokens), this one included; 1 for real ones.
        """
        whole = torch.zeros(
            len(mask), 1, 1, cache.get_max_length(), dtype=torch.bool, device=embeddings.device
        )
        whole[:, 0, 0, : mask.shape[1]] = mask.bool()
        if self._model.config.text_config._attn_implementation != "sdpa":
            least = torch.finfo(embeddings.dtype).min
            whole = torch.zeros_like(whole, dtype=embeddings.dtype).masked_fill_(~whole, least)
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        logits, states = self._call(embeddings, positions, whole, cache)
        return logits.clone(), states.clone()

    def _computed(
        self, embeddings: Tensor, positions: Tensor, mask: Tensor, cache: StaticCache
    ) -> tuple[Tensor, Tensor]:
        states = self._model.model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return self._model.lm_head(states[:, -1]).float(), states
