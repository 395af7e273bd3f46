"""Distances between an edited image and what it should be, as the editing benchmarks measure them.

Images are uint8 arrays of shape (height, width, 3). Feature similarities take features, not images: which
network makes them is part of a benchmark's protocol.

* `pixel_distance`, `pair_turns`: MagicBrush `evaluation/image_eval.py`;
* `mse`, `psnr`, `ssim`, `decode_mask`, `masked_quality`: PIE-Bench (cure-lab/PnPInversion), torchmetrics'
  defaults;
* `cosine`, `edit_similarity`: InstructPix2Pix `metrics/clip_similarity.py`.

Checked against the recorded output of those programs to 1e-6 (tests/metrics/test_images.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.errors import DataError, SampleError

__all__ = [
    "EditSimilarity",
    "MaskedQuality",
    "PixelDistance",
    "Quality",
    "TurnPair",
    "cosine",
    "decode_mask",
    "edit_similarity",
    "masked_quality",
    "mse",
    "pair_turns",
    "pixel_distance",
    "psnr",
    "ssim",
]

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


def _rgb(image: ArrayLike) -> Pixels:
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise SampleError(f"Expected an RGB image of bytes, got {array.dtype} of shape {array.shape}.")
    return array


@dataclass(frozen=True, slots=True)
class PixelDistance:
    """Mean absolute and mean squared difference of values in [0, 1]."""

    l1: float
    l2: float


def pixel_distance(generated: ArrayLike, target: ArrayLike) -> PixelDistance:
    """MagicBrush's L1 and L2: `generated` is brought to the target's size with PIL's default, bicubic.

    Args:
        generated: (height, width, 3), uint8, of any size.
        target: the same; its size counts.

    Returns:
        Means over all pixels and channels, each in [0, 1], lower is better. A set's score is the mean over
        pairs.

    Raises:
        SampleError: not an RGB image of bytes.
    """
    from PIL import Image

    first, second = _rgb(generated), _rgb(target)
    if first.shape != second.shape:
        height, width = second.shape[:2]
        first = np.asarray(Image.fromarray(first).resize((width, height)))
    difference = _unit(first) - _unit(second)
    return PixelDistance(
        l1=float(np.abs(difference).mean(dtype=np.float64)),
        l2=float(np.square(difference).mean(dtype=np.float64)),
    )


def _unit(image: Pixels) -> NDArray[np.float32]:
    return image.astype(np.float32) / np.float32(255)


def _kept(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None) -> tuple[Floats, Floats]:
    a, b = _rgb(first), _rgb(second)
    if a.shape != b.shape:
        raise SampleError(f"Images of shapes {a.shape} and {b.shape} cannot be compared pixel by pixel.")
    keep: Floats = np.ones((1, 1, 1))
    if mask is not None:
        keep = np.asarray(mask, dtype=np.float64)[:, :, None]
        if keep.shape[:2] != a.shape[:2]:
            raise SampleError(f"A mask of shape {keep.shape[:2]} does not fit an image of shape {a.shape}.")
    # What is masked out becomes black on both sides and counts in the mean, as in PIE-Bench.
    return _unit(a).astype(np.float64) * keep, _unit(b).astype(np.float64) * keep


def mse(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Mean squared error of values in [0, 1], over all pixels and channels; lower is better.

    Args:
        first, second: (height, width, 3), uint8, of one size.
        mask: (height, width); where it is 0, both images are black, and count as equal. None: no mask.

    Raises:
        SampleError: not RGB images of bytes, or of different sizes.
    """
    a, b = _kept(first, second, mask)
    return float(np.square(a - b).mean())


def psnr(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Peak signal-to-noise ratio -10 log10(MSE) in dB, for values in [0, 1]; higher is better.

    Infinite for equal images. Arguments and errors as of `mse`.
    """
    error = mse(first, second, mask)
    return -10 * math.log10(error) if error else math.inf


_SSIM_SIGMA = 1.5
_SSIM_RADIUS = 5


def ssim(first: ArrayLike, second: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Structural similarity (Wang et al. 2004), in [-1, 1]; higher is better.

    Gaussian window of 11 pixels and sigma 1.5, reflected borders, K 0.01 and 0.03. The mean over all pixels
    and channels, borders included (torchmetrics). In float32 like the official figures: on flat regions the
    difference of squares leaves noise that float64 would not have. Arguments and errors as of `mse`; images
    must have more than 5 pixels a side.
    """
    import torch
    from torch.nn import functional

    pair = _kept(first, second, mask)
    if min(pair[0].shape[:2]) <= _SSIM_RADIUS:
        raise SampleError(f"SSIM needs images of more than {_SSIM_RADIUS} pixels, got shape {pair[0].shape}.")
    offsets = torch.arange(-_SSIM_RADIUS, _SSIM_RADIUS + 1, dtype=torch.float32)
    line = torch.exp(-((offsets / _SSIM_SIGMA) ** 2) / 2)
    line = line / line.sum()
    window = torch.outer(line, line).expand(3, 1, -1, -1)
    tensors = (torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] for image in pair)
    a, b = (functional.pad(tensor, [_SSIM_RADIUS] * 4, mode="reflect") for tensor in tensors)
    mean_a, mean_b, square_a, square_b, product = functional.conv2d(
        torch.cat([a, b, a * a, b * b, a * b]), window, groups=3
    )
    c1, c2 = 0.01**2, 0.03**2
    variance = (square_a - mean_a**2).clamp(min=0) + (square_b - mean_b**2).clamp(min=0)
    covariance = product - mean_a * mean_b
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_a**2 + mean_b**2 + c1) * (variance + c2))
    return float(similarity.mean())


def decode_mask(runs: Sequence[int], height: int = 512, width: int = 512) -> NDArray[np.uint8]:
    """PIE-Bench's mask of the region to edit, as a (height, width) array of 0 and 1.

    A border of one pixel is set to 1, as officially, because annotations err there.

    Args:
        runs: start and length of each run of ones over the flattened rows, one after the other.
        height, width: of the image, in pixels.

    Raises:
        DataError: an odd number of values.
    """
    flat = np.zeros(height * width, dtype=np.uint8)
    if len(runs) % 2:
        raise DataError(f"A run-length mask has {len(runs)} numbers, which are no pairs of start and length.")
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        flat[start : start + length] = 1
    mask = flat.reshape(height, width)
    mask[[0, -1], :] = 1
    mask[:, [0, -1]] = 1
    return mask


@dataclass(frozen=True, slots=True)
class Quality:
    """PSNR in dB, MSE and SSIM of one region."""

    psnr: float
    mse: float
    ssim: float


@dataclass(frozen=True, slots=True)
class MaskedQuality:
    """Quality of the whole image, of what should stay, and of what was to be edited; None: the region is
    empty."""

    whole: Quality
    unedited: Quality | None
    edited: Quality | None


def masked_quality(source: ArrayLike, edited: ArrayLike, mask: ArrayLike) -> MaskedQuality:
    """PIE-Bench's background preservation of one pair; `mask` is 1 where the image was to change.

    Published tables report the unedited region; pairs where it is empty (None) are left out of the mean.
    """
    region = np.asarray(mask)

    def quality(keep: NDArray[Any] | None) -> Quality | None:
        if keep is not None and not keep.any():
            return None
        return Quality(psnr(edited, source, keep), mse(edited, source, keep), ssim(edited, source, keep))

    whole = quality(None)
    assert whole is not None
    return MaskedQuality(whole=whole, unedited=quality(1 - region), edited=quality(region))


def cosine(first: ArrayLike, second: ArrayLike) -> float:
    """Cosine of two feature vectors of one length, in [-1, 1]; 0 when one of them is zero (as in torch).

    Raises:
        SampleError: vectors of different lengths.
    """
    a, b = (np.asarray(features, dtype=np.float64).ravel() for features in (first, second))
    if a.shape != b.shape:
        raise SampleError(f"Features of {a.size} and {b.size} dimensions cannot be compared.")
    length = max(float(np.linalg.norm(a)), 1e-8) * max(float(np.linalg.norm(b)), 1e-8)
    return float(a @ b) / length


@dataclass(frozen=True, slots=True)
class EditSimilarity:
    """InstructPix2Pix's four similarities: cosines in [-1, 1], higher is better.

    Args:
        before: source image and source caption.
        after: edited image and target caption.
        direction: change of the images and change of the captions.
        image: source and edited image.
    """

    before: float
    after: float
    direction: float
    image: float


def edit_similarity(
    source_image: ArrayLike, edited_image: ArrayLike, source_text: ArrayLike, target_text: ArrayLike
) -> EditSimilarity:
    """The similarities of one edit, from its four CLIP embeddings (InstructPix2Pix).

    Args:
        source_image, edited_image, source_text, target_text: (D,) embeddings of one network; they are
            L2-normalised first, as officially.

    Raises:
        SampleError: an embedding is zero or not finite, or lengths differ.
    """
    image_0, image_1, text_0, text_1 = (
        _normalised(features) for features in (source_image, edited_image, source_text, target_text)
    )
    return EditSimilarity(
        before=cosine(image_0, text_0),
        after=cosine(image_1, text_1),
        direction=cosine(image_1 - image_0, text_1 - text_0),
        image=cosine(image_0, image_1),
    )


def _normalised(features: ArrayLike) -> Floats:
    vector = np.asarray(features, dtype=np.float64).ravel()
    length = float(np.linalg.norm(vector))
    if not length or not np.isfinite(length):
        raise SampleError("An embedding is zero or not finite.", "Check the image and the feature network.")
    return vector / length


@dataclass(frozen=True, slots=True)
class TurnPair:
    """A generated image and its ground truth: file names within the session's two folders."""

    session: str
    generated: str
    target: str


def pair_turns(
    generated: Mapping[str, Sequence[str]], target: Mapping[str, Sequence[str]]
) -> tuple[list[TurnPair], list[TurnPair]]:
    """MagicBrush's pairs: (all turns, final turns), sessions in the order of their names as strings.

    Args:
        generated: session -> file names; `_1` is the first turn, `inde_k` turn k from the true previous
            image, `iter_k` turn k from the model's own.
        target: session -> file names; `output k` is what turn k should give. Masks are ignored on both sides.

    Raises DataError when the sessions or their turns do not match.
    """
    if different := set(generated) ^ set(target):
        raise DataError(
            f"{len(different)} editing sessions are on one side only, for instance {min(different)!r}.",
            "Every session needs its generated images and its references.",
        )
    every: list[TurnPair] = []
    final: list[TurnPair] = []
    for session in sorted(generated):
        made, wanted = _images(generated[session]), _images(target[session])
        outputs = sorted((name for name in wanted if "output" in name), key=_number)
        if len(made) == 1:
            turns = [name for name in made if "_1" in name]
            last = turns
        else:
            turns = [name for name in made if "_1" in name] + [name for name in made if "inde_" in name]
            turns.sort(key=_number)
            last = sorted((name for name in made if "iter_" in name), key=_number)
        if not turns or not last or len(turns) != len(outputs):
            raise DataError(
                f"Editing session {session!r} has the images {list(made)} for {len(outputs)} turns.",
                "Name them _1, inde_k and iter_k as the official script expects.",
            )
        final.append(TurnPair(session, last[-1], outputs[-1]))
        every.extend(TurnPair(session, a, b) for a, b in zip(turns, outputs, strict=True))
    return every, final


def _images(names: Sequence[str]) -> list[str]:
    return [name for name in names if (".png" in name or ".jpg" in name) and "mask" not in name]


def _number(name: str) -> int:
    return int("".join(filter(str.isdigit, name)) or 0)
