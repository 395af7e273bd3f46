"""Preference and alignment models against the official code on tiny weights under the real names."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from evalsuite_tasks.image.scoring import grouped
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from evalsuite.errors import UnavailableError
from evalsuite.features._torch import file_sha256
from evalsuite.features.open_clip import open_clip_config, to_transformers
from evalsuite.features.preprocess import (
    CLIP_MEAN,
    CLIP_STD,
    Geometry,
    hps,
    hps_without_antialias,
    openai,
    padded,
    transformers,
)
from evalsuite.features.scorers.aesthetic import HEAD, aesthetic, read_head
from evalsuite.features.scorers.base import WEIGHTS, load_state, read_config
from evalsuite.features.scorers.clip_t5 import answer_score, asked, clip_t5
from evalsuite.features.scorers.converting import convert
from evalsuite.features.scorers.image_reward import KIND, TOKENS, reward, reward_model
from evalsuite.features.weights import find_file
from evalsuite.task.columns import FORMULAS
from tests.features.scorers import write_bert
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


@_every("hpsv2")
def test_hpsv2s_benchmark_is_aggregated_as_officially(path: Path, compared: Compared) -> None:
    cases = [case for case in read_json(path)["cases"] if case["kind"] == "hpsv2 benchmark"]
    for case in cases:
        lines = []
        for style, scores in case["input"].items():
            mean, deviation = grouped(scores, 80)
            lines.append(f"m {style:<15} {mean:.2f} \t {deviation:.4f}")
        every = [score for scores in case["input"].values() for score in scores]
        lines.append(f"m {'Average':<15} {np.mean(every):.2f} \t")
        assert lines == case["official"]
    compared("HPSv2: benchmark", len(cases))


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


@_every("imagereward")
def test_imagereward_agrees_after_conversion(path: Path, compared: Compared, tmp_path: Path) -> None:
    torch.save(_weights(path), tmp_path / "ImageReward.pt")
    folder = convert(
        "image-reward", tmp_path / "ImageReward.pt", write_bert(tmp_path / "bert"), tmp_path / "out", heads=2
    )
    model = reward_model(read_config(folder, KIND))
    load_state(model, folder / WEIGHTS)
    cases = read_json(path)["cases"]
    for case in cases:
        given, official = case["input"], case["official"]
        pixels = openai(
            _image(given["width"], given["height"], given["seed"]), Geometry(224, 224, CLIP_MEAN, CLIP_STD)
        )
        for channel, row, column, value in official["pixels"]["at"]:
            assert pixels[channel, row, column] == pytest.approx(value, abs=2e-5)
        tokens, mask = torch.tensor([given["tokens"]]), torch.tensor([given["attention_mask"]])
        assert tokens.shape == (1, TOKENS)
        with torch.inference_mode():
            found = reward(model, torch.from_numpy(pixels)[None], tokens, mask)
        assert float(found) == pytest.approx(official["reward"], abs=5e-6)
    compared("ImageReward", len(cases))


@_every("aesthetic")
def test_the_aesthetic_predictors_real_head_agrees(path: Path, compared: Compared) -> None:
    meta, cases = read_json(path)["meta"], read_json(path)["cases"]
    try:
        file = find_file(HEAD)
    except UnavailableError as error:
        pytest.skip(str(error))
    assert file_sha256(file) == meta["sha256"]
    head = read_head(file)
    for case in cases:
        vector = _tensor(case["input"]["f32"], [1, -1])
        assert float(aesthetic(vector, head)) == pytest.approx(case["official"], abs=5e-6)
    compared("Aesthetic v2", len(cases))


def _words(text: str) -> torch.Tensor:
    """The cases' made-up tokenizer."""
    return torch.tensor([[2 + sum(map(ord, word)) % 94 for word in text.split()] + [1]])


@_every("vqascore")
def test_vqascore_agrees(path: Path, compared: Compared) -> None:
    meta, cases = read_json(path)["meta"], read_json(path)["cases"]
    names = (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "image_size",
        "patch_size", "hidden_act", "layer_norm_eps",
    )  # fmt: skip
    kind = clip_t5()
    config = kind.config_class(**meta["config"], vision_config={name: meta["vision"][name] for name in names})
    model = kind(config).eval()
    missing, unexpected = model.load_state_dict(_weights(path), strict=False)
    assert not missing
    assert not unexpected
    for case in cases:
        given, official = case["input"], case["official"]
        pairs = zip(given["pictures (width, height, seed)"], given["texts"], strict=True)
        for place, (size, text) in enumerate(pairs):
            pixels = padded(_image(*size), Geometry(32, 32, CLIP_MEAN, CLIP_STD))
            if place == 0:
                for channel, row, column, value in official["pixels of the first"]["at"]:
                    assert pixels[channel, row, column] == pytest.approx(value, abs=2e-5)
            before, after = asked(text, given["question"])
            assert f"{before}<image>{after}" == official["asked"][place]
            tokens = [*_words(before)[0].tolist(), -200, *_words(after)[0].tolist()]
            assert tokens == official["input ids"][place]
            label = torch.tensor([official["label ids"][place]])
            with torch.inference_mode():
                found = answer_score(
                    model, torch.from_numpy(pixels)[None], _words(before), _words(after), label
                )
            assert float(found) == pytest.approx(official["alone"][place], rel=1e-4)
    compared("VQAScore", len(cases))
