"""Where and in which precision an adapter loads its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.errors import SpecError, suggest
from evalsuite.model.entry import ModelOptions

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")


def resolve(options: ModelOptions) -> tuple[torch.device, torch.dtype]:
    """The device and dtype that `options` mean on this machine.

    `auto` is the first GPU (CUDA, then MPS) in bfloat16 where it can do that, else the CPU in float32.
    Raises SpecError for a dtype or device that does not exist here.
    """
    import torch

    name = options.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SpecError(
            f"Device {name!r} is not a torch device.", "Use cpu, cuda, cuda:1, mps or auto."
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SpecError(f"Device {name!r} was asked for, but torch sees no GPU.", "Use --device cpu or auto.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SpecError(
            f"There is no {name}: torch sees {torch.cuda.device_count()} GPUs.", "Use --device cuda."
        )
    if options.dtype == "auto":
        half = torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float16
        return device, torch.float32 if device.type == "cpu" else half
    if options.dtype not in DTYPES:
        raise SpecError(f"There is no dtype {options.dtype!r}.", suggest(options.dtype, DTYPES))
    return device, getattr(torch, options.dtype)
