"""Continuations of one prompt side by side in one row: beams and choices share the prompt's cache.

Tokens of all forks stand behind the prompt in the same row; a mask lets each see the prompt and what its own
fork wrote, and positions count along the fork. Nothing of the prompt is copied: a row of a cache holds
prompt + width * written tokens, not width * (prompt + written).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Forks:
    """What each fork has written and sees.

    Args:
        rows: prompts.
        width: forks of each.
    """

    def __init__(self, rows: int, width: int, device: torch.device) -> None:
        self.rows, self.width, self._device = rows, width, device
        self._same = torch.eye(width, dtype=torch.bool, device=device)
        self._seen = torch.zeros(rows, width, 0, dtype=torch.bool, device=device)
        self._lengths = torch.zeros(rows, width, dtype=torch.long, device=device)
        self._mask = self._seen

    @property
    def written(self) -> int:
        """Positions of the cache that are taken behind the prompt."""
        return self._seen.shape[-1]

    def put(self, embeddings: Tensor, real: Tensor | None, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens of all forks, to be computed in one row per prompt.

        Args:
            embeddings: (rows * width, n, hidden).
            real: (rows * width, n), 0 for padding at a fork's right end; None for none.
            prompts: (rows,), lengths of the prompts.

        Returns:
            embeddings (rows, width * n, hidden) and positions (rows, width * n).
        """
        rows, width, n = self.rows, self.width, embeddings.shape[1]
        if real is None:
            given = torch.ones(rows, width, n, dtype=torch.long, device=self._device)
        else:
            given = real.to(self._device).view(rows, width, n)
        before = (prompts[:, None] + self._lengths)[:, :, None]
        positions = before + (given.cumsum(-1) - 1).clamp(min=0)
        self._lengths = self._lengths + given.sum(-1)
        # within a call: one's own fork, up to oneself
        causal = torch.ones(n, n, dtype=torch.bool, device=self._device).tril()
        new = (self._same[:, None, :, None] & causal[None, :, None, :]).reshape(width * n, width * n)
        past = self._seen[:, :, None].expand(-1, -1, n, -1).reshape(rows, width * n, -1)
        self._mask = torch.cat([past, new.expand(rows, -1, -1)], -1)
        own = self._same[None, :, :, None] & given[:, None].bool()
        self._seen = torch.cat([self._seen, own.reshape(rows, width, width * n)], -1)
        return embeddings.reshape(rows, width * n, -1), positions.reshape(rows, width * n)

    def attention_mask(self, prompt: Tensor, dtype: torch.dtype, kind: str) -> Tensor:
        """Mask of the tokens that were put last: (rows, 1, width * n, prompt + written).

        Args:
            prompt: (rows, prompt), 1 for real tokens.
            kind: attention of the library; `sdpa` takes truth values, others what is added to the scores.
        """
        seen = torch.cat([prompt.bool()[:, None].expand(-1, self._mask.shape[1], -1), self._mask], -1)[
            :, None
        ]
        if kind == "sdpa":
            return seen
        return torch.zeros_like(seen, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)

    def follow(self, parents: Sequence[int]) -> None:
        """Each fork goes on from a fork of its row."""
        index = torch.tensor(list(parents), device=self._device)
        self._seen = self._seen.flatten(0, 1)[index].view(self.rows, self.width, -1)
        self._lengths = self._lengths.flatten()[index].view(self.rows, self.width)
