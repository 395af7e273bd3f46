"""evalsuite's exact scorers as `torchmetrics.Metric`, for validation loops on one process or many.

`update` takes what the plain functions take, `compute` returns what they return, bit by bit: in float64, and
in any number of processes when `indices` names the samples. A sampler that repeats samples to fill the last
batch (`DistributedSampler`) then changes nothing: a sample counts once.

    accuracy = VQAAccuracy()
    accuracy.update(answers, human_answers, indices=batch["index"])
    self.log("val/vqa", accuracy)

Needs the extra: `pip install "evalsuite[torchmetrics]"`.
"""

from __future__ import annotations

from evalsuite.errors import UnavailableError

try:
    import torchmetrics as _torchmetrics  # noqa: F401
except ImportError as error:
    raise UnavailableError(
        "evalsuite.torchmetrics needs the package torchmetrics.", "pip install 'evalsuite[torchmetrics]'"
    ) from error

from evalsuite.torchmetrics.answers import POPE, VQAAccuracy
from evalsuite.torchmetrics.captions import BLEU, ROUGEL, CaptionMetrics, CIDEr
from evalsuite.torchmetrics.images import CMMD, FrechetDistance, KernelDistance

__all__ = [
    "BLEU",
    "CMMD",
    "POPE",
    "ROUGEL",
    "CIDEr",
    "CaptionMetrics",
    "FrechetDistance",
    "KernelDistance",
    "VQAAccuracy",
]
