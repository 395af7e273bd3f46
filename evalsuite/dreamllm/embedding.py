"""Putting image features and dream queries in the place of their filler tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from evalsuite.errors import SampleError


def find_blocks(
    input_ids: Tensor, start_id: int, patch_id: int, length: int, what: str, *, strict: bool = True
) -> tuple[Tensor, Tensor]:
    """Where the blocks are: rows and columns of the start tokens, in reading order.

    A block is a start token that is followed by a filler token; a start token alone (one the model has just
    written) is none.

    Args:
        input_ids: (batch, sequence).
        length: fillers that a block of this model has.
        what: `image` or `dream`, for the message.
        strict: check that each block has exactly `length` fillers; otherwise only that they fit into the row.

    Returns:
        rows (n,), columns (n,), both long.

    Raises:
        SampleError: a block is cut off or of another length.
    """
    followed = torch.zeros_like(input_ids, dtype=torch.bool)
    followed[:, :-1] = input_ids[:, 1:] == patch_id
    rows, columns = torch.nonzero((input_ids == start_id) & followed, as_tuple=True)
    if not len(rows):
        return rows, columns
    if int(columns.max()) + length >= input_ids.shape[1]:
        raise SampleError(
            f"A {what} block needs {length} positions; the sequence of {input_ids.shape[1]} ends inside it.",
            "Shorten the prompt, or drop the block whole.",
        )
    if strict:
        filler = input_ids[
            rows[:, None], columns[:, None] + 1 + torch.arange(length, device=input_ids.device)
        ]
        after = columns + 1 + length
        too_long = (after < input_ids.shape[1]) & (
            input_ids[rows, after.clamp(max=input_ids.shape[1] - 1)] == patch_id
        )
        if bool((filler != patch_id).any()) or bool(too_long.any()):
            raise SampleError(
                f"A {what} block does not have exactly {length} filler tokens.",
                "Build it with this model's processor.",
            )
    return rows, columns


def splice(embeddings: Tensor, rows: Tensor, columns: Tensor, values: Tensor) -> Tensor:
    """Replace the positions after each block's start token.

    Args:
        embeddings: (batch, sequence, hidden).
        rows, columns: (n,), the start tokens.
        values: (m, length, hidden), m <= n, used in order.

    Returns:
        a new tensor; gradients flow into `embeddings` (elsewhere) and `values`.
    """
    count, length = values.shape[0], values.shape[1]
    rows, columns = rows.to(embeddings.device), columns.to(embeddings.device)
    positions = columns[:count, None] + 1 + torch.arange(length, device=columns.device)
    index = (rows[:count, None].expand_as(positions), positions)
    return embeddings.index_put(index, values.to(embeddings.dtype))


def gather(states: Tensor, rows: Tensor, columns: Tensor, length: int) -> Tensor:
    """The `length` positions after each start token: (batch, sequence, hidden) -> (n, length, hidden)."""
    rows, columns = rows.to(states.device), columns.to(states.device)
    positions = columns[:, None] + 1 + torch.arange(length, device=columns.device)
    return states[rows[:, None], positions]
