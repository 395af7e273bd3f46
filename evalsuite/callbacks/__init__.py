"""Callbacks that measure checkpoints inside a training and log the numbers where the training logs its own.

`EvalsuiteCallback` is for `transformers.Trainer`, `LightningCallback` for Lightning. Their libraries are
imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach

if TYPE_CHECKING:
    from evalsuite.callbacks.lightning import LightningCallback
    from evalsuite.callbacks.trainer import EvalsuiteCallback

__all__ = ["EvalsuiteCallback", "LightningCallback"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.callbacks.lightning": "LightningCallback",
            "evalsuite.callbacks.trainer": "EvalsuiteCallback",
        },
    )
