"""Looking into networks while they answer: their next-token logits, and their answers in float32.

For the engine's self-check, which has to distinguish a bug of an adapter's batching from rounding.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evalsuite.model.memory import RESERVE, free_memory, gib

if TYPE_CHECKING:
    import torch

STEPS = 4
"""Decoding steps whose logits are kept."""


def networks_of(model: object) -> tuple[torch.nn.Module, ...]:
    """The modules that an adapter names in `networks`; none where it names none."""
    found: Sequence[torch.nn.Module] = getattr(model, "networks", None) or ()
    return tuple(found)


def float32_hindrance(networks: Sequence[torch.nn.Module]) -> str:
    """Why these networks cannot be computed in float32 where they are; empty when they can."""
    if not networks:
        return "the adapter does not name its networks"
    more = 0
    for module in networks:
        if any(
            getattr(part, "is_quantized", False) or hasattr(part, "_hf_hook") for part in module.modules()
        ):
            return "its weights are quantised, offloaded or spread over devices"
        for tensor in _distinct([module]):
            if tensor.device.type == "meta":
                return "its weights are offloaded"
            if tensor.is_floating_point():
                more += tensor.numel() * max(0, 4 - tensor.element_size())
    device = next((tensor.device for tensor in _distinct(networks)), None)
    if device is not None and more > RESERVE * free_memory(device):
        return f"it would take {gib(more)} more memory"
    return ""


@contextmanager
def in_float32(networks: Sequence[torch.nn.Module]) -> Iterator[None]:
    """Within it, the networks hold their weights in float32 and compute without TF32.

    Widening and narrowing again gives the same weights bit by bit. Raises what torch raises when memory runs
    out; the weights are then as before.
    """
    import torch

    kept = (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
    narrow: list[tuple[torch.Tensor, torch.dtype]] = []
    try:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        for tensor in _distinct(networks):
            if tensor.is_floating_point() and tensor.element_size() < 4:
                narrow.append((tensor, tensor.dtype))
                tensor.data = tensor.data.float()
        yield
    finally:
        for tensor, dtype in narrow:
            tensor.data = tensor.data.to(dtype)
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = kept


def uses_tf32(device: str) -> bool:
    """Whether float32 means TF32 somewhere on this device: on CUDA, convolutions by default."""
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda"):
        return False
    return bool(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)


@contextmanager
def next_token_logits(networks: Sequence[torch.nn.Module]) -> Iterator[list[torch.Tensor]]:
    """A list that fills with log-probabilities (rows, vocabulary) of what comes next, on the CPU, float32.

    One entry for each of the first `STEPS` times that a language model's output layer is run. It stays empty
    where the networks have no such layer.
    """
    seen: list[torch.Tensor] = []

    def keep(module: Any, inputs: Any, output: Any) -> None:
        if len(seen) < STEPS and getattr(output, "ndim", 0) in (2, 3):
            last = output if output.ndim == 2 else output[:, -1]
            seen.append(last.detach().float().cpu().log_softmax(-1))

    hooks = [head.register_forward_hook(keep) for head in _heads(networks)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _heads(networks: Sequence[torch.nn.Module]) -> list[torch.nn.Module]:
    """Output layers of language models, each once."""
    found: list[torch.nn.Module] = []
    for module in networks:
        ask = getattr(module, "get_output_embeddings", None)
        try:
            head = ask() if ask is not None else None
        except (AttributeError, NotImplementedError):
            head = None
        if head is not None and all(head is not known for known in found):
            found.append(head)
    return found


def _distinct(networks: Sequence[torch.nn.Module]) -> Iterator[torch.Tensor]:
    """Parameters and buffers, each once."""
    seen: set[int] = set()
    for module in networks:
        for tensor in (*module.parameters(), *module.buffers()):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor
