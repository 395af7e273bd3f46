"""How far two answers to the same request are apart, and how far rounding may take them.

Rounding depends on the shape of a batch: another shape is computed by another kernel, which adds in another
order. What it costs was measured on the miniature between batch shapes and attention kernels: bfloat16 up to
27 grey levels (PSNR 55 dB and more) and 0.003 to 0.15 nats, float16 one level and 0.001 to 0.01 nats.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image, Text
from evalsuite.engine.checks import Answer
from evalsuite.errors import SampleError
from evalsuite.request import ChoiceResponse, DocumentResponse, ImageResponse, TextResponse

if TYPE_CHECKING:
    import torch

LIKELIEST = 32
"""Number of most likely next tokens that are compared."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What rounding alone may do.

    Args:
        nats: to log-likelihoods and to next-token log-probabilities.
        grey: to images: the largest difference of a pixel when `largest`, else the root mean square over the
            image.
        texts: share of texts that may differ.
        largest: judge by the largest difference.
    """

    nats: float
    grey: float
    texts: float
    largest: bool = False


TOLERANCES: Mapping[str, Tolerance] = MappingProxyType(
    {
        "float32": Tolerance(1e-3, 2.0, 0.0, largest=True),
        "tf32": Tolerance(0.03, 1.0, 0.4),
        "float16": Tolerance(0.03, 1.0, 0.4),
        "bfloat16": Tolerance(0.25, 4.0, 0.4),
    }
)
"""By the precision of an adapter; another's is taken for float32."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer, and what could be seen of its network.

    Args:
        logits: log-probabilities (vocabulary,) of its first next tokens; empty where nothing was seen.
    """

    answer: Answer
    logits: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two answers are apart.

    Args:
        nats, grey: see `Tolerance`; None where there was nothing of the kind to compare.
        other: texts, or the forms of the answers, differ.
    """

    nats: float | None = None
    grey: float | None = None
    other: bool = False

    def within(self, tolerance: Tolerance) -> bool:
        """Whether rounding explains it, text for text."""
        nats, grey = self.nats or 0.0, self.grey or 0.0
        return nats <= tolerance.nats and grey <= tolerance.grey and not self.other

    def __str__(self) -> str:
        parts = [f"{self.nats:.3g} nats"] if self.nats else []
        parts += [f"{self.grey:.3g} grey levels"] if self.grey else []
        parts += ["another text"] if self.other else []
        return ", ".join(parts) or "nothing"


def difference(one: Seen, other: Seen, *, largest: bool) -> Difference:
    """How far two answers to the same request are apart.

    Args:
        largest: see `Tolerance`.
    """
    nats = _logits(one.logits, other.logits, largest)
    match one.answer, other.answer:
        case TextResponse(), TextResponse():
            return Difference(nats, other=one.answer.text != other.answer.text)
        case ChoiceResponse(), ChoiceResponse():
            return Difference(_nats(one.answer.log_likelihoods, other.answer.log_likelihoods, largest))
        case ImageResponse(), ImageResponse():
            return _images(one.answer.images, other.answer.images, largest)
        case DocumentResponse(), DocumentResponse():
            texts, images = _split(one.answer.parts), _split(other.answer.parts)
            if texts[0] != images[0]:
                return Difference(nats, other=True)
            pixels = _images(texts[1], images[1], largest)
            return Difference(nats, pixels.grey, pixels.other)
        case SampleError(), SampleError():
            return Difference()
        case _:
            return Difference(other=True)


def identical(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same bit by bit; images by their pixels."""
    found = difference(Seen(one), Seen(other), largest=True)
    return not (found.nats or found.grey or found.other)


def _split(parts: Sequence[Any]) -> tuple[list[str | None], list[Image]]:
    """The texts in their places, None standing for an image; and the images."""
    texts = [part.text if isinstance(part, Text) else None for part in parts]
    return texts, [part for part in parts if isinstance(part, Image)]


def _nats(one: Sequence[float], other: Sequence[float], largest: bool) -> float:
    gaps = [0.0 if a == b else abs(a - b) for a, b in zip(one, other, strict=True)]
    gaps = [math.inf if math.isnan(gap) else gap for gap in gaps]
    return _summary(gaps, largest)


def _summary(gaps: Sequence[float], largest: bool) -> float:
    if not gaps:
        return 0.0
    return max(gaps) if largest else math.sqrt(sum(gap * gap for gap in gaps) / len(gaps))


def _logits(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor], largest: bool) -> float | None:
    """Over the likeliest tokens of each step, as long as both chose the same ones."""
    found: list[float] = []
    for mine, theirs in zip(one, other, strict=False):
        if mine.shape != theirs.shape:
            break
        likeliest = mine.topk(min(LIKELIEST, len(mine))).indices
        gaps = (mine[likeliest] - theirs[likeliest]).abs().nan_to_num(math.inf, math.inf)
        found.append(float(gaps.max() if largest else gaps.square().mean().sqrt()))
        if int(mine.argmax()) != int(theirs.argmax()):
            break
    return max(found) if found else None


def _images(one: Sequence[Image], other: Sequence[Image], largest: bool) -> Difference:
    if len(one) != len(other):
        return Difference(other=True)
    gaps = [_grey(a, b, largest) for a, b in zip(one, other, strict=True)]
    if any(gap is None for gap in gaps):
        return Difference(other=True)
    return Difference(grey=max((gap for gap in gaps if gap is not None), default=0.0))


def _grey(one: Image, other: Image, largest: bool) -> float | None:
    """Difference of two images in grey levels; None when their sizes differ."""
    first, second = one.read(), other.read()
    if first == second:
        return 0.0
    import numpy
    from PIL import Image as pil

    left, right = (
        numpy.asarray(pil.open(io.BytesIO(data)).convert("RGB"), float) for data in (first, second)
    )
    if left.shape != right.shape:
        return None
    gaps = abs(left - right)
    return float(gaps.max(initial=0) if largest else math.sqrt((gaps**2).mean()))
