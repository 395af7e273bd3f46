"""Small real image files for tests."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def pixels(width: int = 24, height: int = 16, seed: int = 0) -> np.ndarray:
    """Random RGB, uint8 (height, width, 3): noise, so that no encoder can shorten it to nothing."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(
    kind: str = "PNG", *, seed: int = 0, width: int = 24, height: int = 16, **options: object
) -> bytes:
    """An encoded RGB image."""
    out = io.BytesIO()
    Image.fromarray(pixels(width, height, seed)).save(out, kind, **options)
    return out.getvalue()
