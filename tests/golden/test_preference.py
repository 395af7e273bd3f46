"""Preference models against the official code on tiny weights under the real names: HPSv2 and PickScore."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from evalsuite.features.open_clip import open_clip_config, to_transformers
from evalsuite.features.preprocess import (
    CLIP_MEAN,
    CLIP_STD,
    Geometry,
    hps,
    hps_without_antialias,
    transformers,
)
from evalsuite.task.columns import FORMULAS
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
VARIANTS = {
    "antialias on (torchvision from 0.17)": hps,
    "antialias off (torchvision before 0.17)": hps_without_antialias,
}


def _every(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(f"{name}_cases*.json*"), ids=lambda path: path.name)


def _weights(path: Path) -> dict[str, torch.Tensor]:
    return {
        name: _tensor(one["f32"], one["shape"]) for name, one in read_json(path)["meta"]["weights"].items()
    }


def _tensor(text: str, shape: list[int]) -> torch.Tensor:
    values = np.frombuffer(base64.b64decode(text), dtype=np.float32)
    return torch.from_numpy(values.copy()).reshape(shape)


def _image(width: int, height: int, seed: int, mode: str = "RGB") -> Image.Image:
    """The recipe of the cases' made-up images."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.zeros((height, width, 3))
    for c in range(3):
        wave = 80 * np.sin(x * (c + 1) * 0.07 + seed) + 40 * np.cos(y * 0.11 * (c + 1))
        pixels[..., c] = 127.5 + wave + rng.normal(0, 8, (height, width))
    pixels[height // 4 : height // 2, width // 3 : width // 2, :3] = [250, 5, 120]
    eight = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return Image.fromarray(eight).convert(mode)


@_every("hpsv2")
def test_hpsv2_sees_the_official_pixels(path: Path, compared: Compared) -> None:
    cases = [case for case in read_json(path)["cases"] if case["kind"] == "hpsv2 transform"]
    count = 0
    for case in cases:
        given = case["input"]
        if given["mode"] == "RGBA":  # the official network stops at its four channels
            continue
        for name, transform in VARIANTS.items():
            official = case["official"][name]
            image = _image(given["width"], given["height"], given["seed"], given["mode"])
            found = transform(image, Geometry(224, 224, CLIP_MEAN, CLIP_STD))
            assert list(found.shape) == official["shape"]
            for channel, row, column, value in official["at"]:
                assert found[channel, row, column] == pytest.approx(value, abs=2e-5)
            count += 1
    compared("HPSv2: pixels", count)


@_every("hpsv2")
def test_hpsv2_scores_agree_after_conversion(path: Path, compared: Compared) -> None:
    state = _weights(path)
    model = CLIPModel(CLIPConfig(**open_clip_config(state, vision_heads=2, text_heads=2))).eval()
    missing, unexpected = model.load_state_dict(to_transformers(state), strict=False)
    assert not [name for name in missing if "position_ids" not in name]
    assert not unexpected
    cases = [case for case in read_json(path)["cases"] if case["kind"] == "hpsv2 tower"]
    for case in cases:
        tokens = torch.tensor(case["input"]["tokens"])
        pixels = _tensor(case["input"]["pixels"], [-1, 3, 32, 32])
        with torch.inference_mode():
            images = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
            texts = model.text_projection(model.text_model(input_ids=tokens).pooler_output)
        cosine = torch.nn.functional.cosine_similarity(images, texts).numpy()
        official = case["official"]
        assert cosine == pytest.approx(np.array(official["score (unscaled)"]), abs=2e-6)
        assert FORMULAS["hps"].of(cosine, None) == pytest.approx(
            np.array(official["benchmark (x 100)"]), abs=2e-4
        )
    compared("HPSv2: scores", len(cases))


@dataclass(frozen=True)
class _Scaled:
    scale: float


@_every("pickscore")
def test_pickscore_agrees(path: Path, compared: Compared) -> None:
    meta, cases = read_json(path)["meta"], read_json(path)["cases"]
    model = CLIPModel(CLIPConfig(**meta["config"])).eval()
    missing, unexpected = model.load_state_dict(_weights(path), strict=False)
    assert not [name for name in missing if "position_ids" not in name]
    assert not unexpected
    geometry = Geometry(32, 32, CLIP_MEAN, CLIP_STD)
    for case in cases:
        sizes = case["input"]["pictures (width, height, seed)"]
        pixels = np.stack([transformers(_image(*one), geometry) for one in sizes])
        tokens = torch.tensor([case["input"]["tokens"]])
        for channel, row, column, value in case["official"]["pixels of the first"]["at"]:
            assert pixels[0, channel, row, column] == pytest.approx(value, abs=2e-5)
        with torch.inference_mode():
            images = model.visual_projection(
                model.vision_model(pixel_values=torch.from_numpy(pixels)).pooler_output
            )
            texts = model.text_projection(model.text_model(input_ids=tokens).pooler_output)
        cosine = torch.nn.functional.cosine_similarity(images, texts).numpy()
        found = FORMULAS["pickscore"].of(cosine, _Scaled(float(model.logit_scale.detach().exp())))
        assert found == pytest.approx(np.array(case["official"]["scores"]), rel=1e-4)
    compared("PickScore", len(cases))
