"""A fast model that draws, and a benchmark whose columns are in the features of tiny networks.

`TINY_PROMPTS` is the number of prompts, `TINY_WEIGHTS` the folder with the networks `clip` and `dino`;
`TINY_SLEEP` slows the scorer down, `TINY_CALLS` is a file that gets a line for each batch that it scores.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pil

from evalsuite.content import RawImage
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import ImageResponse, Request
from evalsuite.task import TaskEntry
from evalsuite.task.benchmark import entries
from evalsuite.task.entry import BrokenEntry
from evalsuite.task.features import NetworkSpec, fingerprint_of, network_kind

SIDE = 32


class Drawer:
    """Noise that depends on the prompt and the seed."""

    info = ModelInfo("drawer", "0" * 64)

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, None)

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        time.sleep(float(os.environ.get("TINY_DRAW_SLEEP", "0")))
        return [ImageResponse((RawImage(pixels=_picture(p.request)),)) for p in batch]


def _picture(request: Request) -> pil.Image:
    random = np.random.default_rng([request.seed % 2**32, len(request.messages)])
    low = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return pil.fromarray(low).resize((SIDE, SIDE), pil.Resampling.BICUBIC)


class Brightness:
    """A scorer of images with texts: mean brightness, and a little for the text."""

    name, preprocess, dtype = "brightness", "mean", "float64"

    def __init__(self, spec: NetworkSpec) -> None:
        self.fingerprint = fingerprint_of(hashlib.sha256(spec.source.encode()).hexdigest(), spec.preprocess)

    def prepare(self, image: pil.Image) -> float:
        return float(np.asarray(image, dtype=np.float64).mean())

    def scores(self, prepared: Sequence[float], texts: Sequence[str]) -> np.ndarray:
        time.sleep(float(os.environ.get("TINY_SLEEP", "0")))
        if calls := os.environ.get("TINY_CALLS"):
            with Path(calls).open("a") as stream:
                stream.write(f"{os.getpid()} {len(prepared)}\n")
        return np.array([mean + len(text) / 100 for mean, text in zip(prepared, texts, strict=True)])


@network_kind("brightness", require=lambda spec: None)
def brightness(spec: NetworkSpec, device: str) -> Any:
    return Brightness(spec)


def models() -> list[ModelEntry]:
    def build(options: ModelOptions) -> Drawer:
        return Drawer()

    return [ModelEntry("drawer", "draws noise", frozenset({"image"}), build)]


def tasks() -> list[TaskEntry | BrokenEntry]:
    return list(entries(Path(__file__).parent / "drawing"))
