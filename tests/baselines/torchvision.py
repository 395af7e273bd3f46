"""torchvision beside a torch without CUDA.

torchvision's CUDA build does not find its libraries there, so that its two operators are not registered and
its import fails, although everything that processors need of it is Python. Registering them is enough.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

_kept: list[Any] = []


def available() -> bool:
    """Whether torchvision is installed and can be imported, if need be with its operators registered here."""
    if find_spec("torchvision") is None:
        return False
    import torch

    if not torch.cuda.is_available() and not _kept:
        library = torch.library.Library("torchvision", "DEF")
        _kept.append(library)
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    try:
        import torchvision  # noqa: F401
    except (RuntimeError, ImportError):
        return False
    return True
