"""Identity of loaded weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def fingerprint(modules: Iterable[torch.nn.Module]) -> str:
    """sha256 over names, dtypes, shapes and values of all weights, however they were stored."""
    import torch

    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(memoryview(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def count(modules: Iterable[torch.nn.Module]) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
