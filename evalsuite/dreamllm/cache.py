"""Key-value caches of decoding: buffers that are written in place, not joined anew for every token."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

AHEAD = 512
"""Tokens for which room is kept at most before they are written."""
BLOCK = 64
"""Tokens by which a full buffer grows at least."""


class BufferLayer(CacheLayerMixin):
    """Keys and values of one layer, (rows, heads, capacity, width), of which the first `length` are written.

    Args:
        ahead: tokens to keep room for behind the first ones.
    """

    is_sliding = False
    is_croppable = True

    def __init__(self, ahead: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ahead, self.length = ahead, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = _longer(key_states[:, :, :0], key_states.shape[2] + self.ahead)
        self.values = _longer(value_states[:, :, :0], value_states.shape[2] + self.ahead)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write (rows, heads, n, width) behind the others; views of all that is written."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        end = self.length + key_states.shape[2]
        if end > self.keys.shape[2]:
            wanted = max(end + BLOCK, self.keys.shape[2] * 3 // 2)
            self.keys = _longer(self.keys[:, :, : self.length], wanted)
            self.values = _longer(self.values[:, :, : self.length], wanted)
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def reset(self) -> None:
        self.length = 0

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens; a negative number, as in the library."""
        self.length -= abs(tokens_to_remove)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep these rows; only what is written is copied."""
        if self.is_initialized:
            assert self.keys is not None
            assert self.values is not None
            capacity = self.keys.shape[2]
            self.keys = _longer(self.keys[:, :, : self.length].index_select(0, beam_idx), capacity)
            self.values = _longer(self.values[:, :, : self.length].index_select(0, beam_idx), capacity)


class BufferCache(Cache):
    """A cache of `BufferLayer`s.

    Args:
        layers: of the language model.
        ahead: tokens that will be written after the prompt, as far as is known; more make the buffers grow.
    """

    def __init__(self, layers: int, ahead: int = 0) -> None:
        super().__init__(layers=[BufferLayer(min(ahead, AHEAD)) for _ in range(layers)])


def _longer(states: Tensor, capacity: int) -> Tensor:
    """The states at the beginning of a new buffer, (rows, heads, capacity, width)."""
    rows, heads, length, width = states.shape
    buffer = torch.empty(rows, heads, capacity, width, dtype=states.dtype, device=states.device)
    if length:
        buffer[:, :, :length] = states
    return buffer
