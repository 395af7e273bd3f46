"""What memory a checkpoint's folder will take, by its headers: weights, key-value cache, activations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.model.memory import ACTIVATIONS, RESERVE, cache_per_token, estimate

SLICE = 8
"""Images of 512 x 512 that a VAE decodes at once."""
DECODED = 6
"""Feature maps of a VAE's finest level that live at once."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes in one precision.

    Args:
        parameters: number of weights.
        weights: bytes of them.
        cache: of keys and values of one token; 0 where there are none or the configuration does not say.
        image: of the UNet's activations for one image, guided; 0 without a UNet.
        decoding: of the VAE's activations for what it decodes at once; 0 without one.
    """

    parameters: int
    weights: int
    cache: int = 0
    image: int = 0
    decoding: int = 0

    def total(self, batch: int, tokens: int, images: int = 0) -> int:
        """Bytes of a batch: weights, the caches of `tokens` tokens each, and the larger of what denoising
        `images` images and decoding them takes.

        >>> Footprint(10, 20, cache=2, image=5, decoding=7).total(batch=3, tokens=4, images=2)
        74
        """
        drawn = max(images * batch * self.image, self.decoding) if images else 0
        return self.weights + batch * tokens * self.cache + drawn

    def batch(self, memory: int, tokens: int, images: int = 0) -> int:
        """The largest batch that so much memory holds; 0 where not even the weights fit."""
        free = RESERVE * memory - self.weights - (self.decoding if images else 0)
        each = tokens * self.cache + images * self.image
        return max(0, int(free // each)) if each else int(free > 0)


def footprint(folder: Path, bytes_each: int) -> Footprint | None:
    """The estimate for a folder of weights, loaded with so many bytes per weight; None where it holds none.

    Raises CheckpointError for a damaged safetensors file.
    """
    found = estimate(str(folder), 8 * bytes_each) if folder.is_dir() else None
    if found is None:
        return None
    config = _json(folder / "config.json")
    unet = config.get("unet_config") or _json(folder / "unet" / "config.json")
    vae = config.get("vae_config") or _json(folder / "vae" / "config.json")
    size, factor = int(unet.get("sample_size") or 64), 8
    image = ACTIVATIONS * size**2 * _finest(unet) * bytes_each * 2
    decoding = DECODED * SLICE * min(512, size * factor) ** 2 * _finest(vae) * bytes_each
    return Footprint(
        found.parameters, found.weights, cache_per_token(config, bytes_each), image, decoding if unet else 0
    )


def _finest(config: Mapping[str, Any]) -> int:
    channels = config.get("block_out_channels")
    return int(channels[0]) if channels else 0


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
