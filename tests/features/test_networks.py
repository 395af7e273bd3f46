"""Feature networks: the same vectors as their official code, whatever the batch; absent weights say how to
get them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel, ViTModel

from evalsuite.errors import CheckpointError, SpecError, UnavailableError
from evalsuite.features import FeatureNetwork, NetworkSpec, TextFeatureNetwork, load_network, require_weights
from evalsuite.features.inception import InceptionNetwork
from evalsuite.metrics.inception import state_dict_shapes
from tests.features.networks import pictures, write_clip, write_dino
from tests.goldens import golden_dir


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def clip(clip_folder: Path) -> FeatureNetwork:
    return load_network(NetworkSpec("clip", str(clip_folder), label="tiny"), "cpu")


def test_clip_image_features_are_those_of_transformers(clip: FeatureNetwork, clip_folder: Path) -> None:
    model, processor = (
        CLIPModel.from_pretrained(clip_folder),
        CLIPImageProcessorPil.from_pretrained(clip_folder),
    )
    images = [
        image for image in pictures() if image.size != (33, 17)
    ]  # an odd margin: see the test of the crop
    with torch.inference_mode():
        pixels = processor(images, return_tensors="pt")["pixel_values"]
        expected = model.get_image_features(pixel_values=pixels).pooler_output.numpy()
    np.testing.assert_allclose(clip.images(images), expected, atol=2e-6)


def test_clip_text_features_are_those_of_transformers(clip: FeatureNetwork, clip_folder: Path) -> None:
    assert isinstance(clip, TextFeatureNetwork)
    model, tokenizer = CLIPModel.from_pretrained(clip_folder), AutoTokenizer.from_pretrained(clip_folder)
    for text in ("a small red circle", "there is a green triangle above a blue square " * 5):
        with torch.inference_mode():
            tokens = tokenizer([text], truncation=True, max_length=12, return_tensors="pt")
            expected = model.get_text_features(**tokens).pooler_output.numpy()
        np.testing.assert_allclose(clip.texts([text]), expected, atol=2e-6)


def test_features_do_not_depend_on_the_batch(clip: FeatureNetwork) -> None:
    images = pictures(70)
    together = clip.images(images)
    assert together.shape == (70, clip.dim)
    assert together.dtype == np.float32
    np.testing.assert_allclose(
        together[[0, 63, 64, 69]],
        np.concatenate([clip.images([images[i]]) for i in (0, 63, 64, 69)]),
        atol=1e-6,
    )
    assert isinstance(clip, TextFeatureNetwork)
    np.testing.assert_allclose(
        clip.texts(["a circle", "a large red square left of a circle"])[0],
        clip.texts(["a circle"])[0],
        atol=1e-6,
    )


def test_no_images_give_no_features(clip: FeatureNetwork) -> None:
    assert clip.images([]).shape == (0, clip.dim)


def test_a_network_is_loaded_once_per_process(clip: FeatureNetwork, clip_folder: Path) -> None:
    assert load_network(NetworkSpec("clip", str(clip_folder), label="tiny"), "cpu") is clip


def test_fingerprint_tells_weights_and_preprocessing_apart(
    clip: FeatureNetwork, clip_folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(clip_folder, tmp_path / "copy")
    same = load_network(NetworkSpec("clip", str(copy)), "cpu")
    resized = load_network(NetworkSpec("clip", str(copy), "tensor-bicubic"), "cpu")
    other = load_network(NetworkSpec("clip", str(write_clip(tmp_path / "other", seed=1))), "cpu")
    assert same.fingerprint == clip.fingerprint
    assert len({clip.fingerprint, resized.fingerprint, other.fingerprint}) == 3


def test_dino_gives_the_normalised_class_token(tmp_path: Path) -> None:
    folder = write_dino(tmp_path)
    network = load_network(NetworkSpec("dino", str(folder)), "cpu")
    image = Image.fromarray(np.random.RandomState(3).randint(0, 256, (28, 28, 3)).astype(np.uint8))
    # MagicBrush's transform in miniature: shorter side to 8/7 of the input, centre crop, ImageNet's
    # statistics.
    crop = (
        np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC).crop((2, 2, 30, 30)), dtype=np.float32)
        / 255
    )
    pixels = (crop - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    model = ViTModel.from_pretrained(folder, add_pooling_layer=False)
    with torch.inference_mode():
        tensor = torch.from_numpy(pixels.transpose(2, 0, 1)[None]).float()
        expected = model(pixel_values=tensor).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(network.images([image]), expected, atol=2e-6)
    assert not isinstance(network, TextFeatureNetwork)


@pytest.mark.slow
def test_inception_runs_with_a_weights_file_and_names_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(golden_dir("oracles"))
    import generators

    shapes = {key: torch.empty(shape) for key, shape in state_dict_shapes().items()}
    name = "pt_inception-2015-12-05-6726825d.pth"
    weights = generators.inception_weights(shapes)
    torch.save(weights, tmp_path / name)
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path))
    plain = load_network(NetworkSpec("inception", name, "pytorch-fid"), "cpu")
    dreamllm = load_network(NetworkSpec("inception", name, "dreamllm"), "cpu")
    assert "not the published weights file" in caplog.text
    square = Image.fromarray(generators.image(1, 256, 256))
    wide = Image.new("RGB", (300, 256))
    wide.paste(square, (22, 0))
    first = plain.images([square])
    assert first.shape == (1, plain.dim)
    # A 256-pixel square passes DreamLLM's resize and crop untouched, a wider one loses its sides.
    np.testing.assert_allclose(dreamllm.images([wide]), first, rtol=1e-5)
    assert plain.fingerprint != dreamllm.fingerprint
    clean = load_network(NetworkSpec("inception", name, "clean"), "cpu")
    assert (plain.means, clean.means) == ("float64", "float32")
    assert plain.weights_sha256 == clean.weights_sha256
    assert isinstance(clean, InceptionNetwork)
    # The Inception Score's class scores are the last layer's, without its bias.
    expected = clean.images([square]) @ weights["fc.weight"].numpy().T
    np.testing.assert_allclose(clean.logits([square]), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            NetworkSpec("clip", "openai/clip-vit-base-patch32"),
            ["605 MB", "evalsuite weights fetch openai/clip-vit-base-patch32"],
        ),
        (NetworkSpec("dino", "facebook/dino-vits16", revision="abc"), ["87 MB", "--revision abc"]),
        (NetworkSpec("inception", "pt_inception-2015-12-05-6726825d.pth", "clean"),
         ["91 MB", "evalsuite weights fetch pt_inception"]),
        (NetworkSpec("clip", "package:no_such_package/clip"), ["no_such_package is not installed"]),
        (NetworkSpec("clip", "package:evalsuite/nowhere"), ["lacks model.safetensors and config.json"]),
        (NetworkSpec("clip", "./no/such/folder"), ["no checkpoint folder"]),
    ],
)  # fmt: skip
def test_absent_weights_name_file_size_and_command(
    spec: NetworkSpec, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for ask in (require_weights, load_network):
        with pytest.raises(UnavailableError) as error:
            ask(spec)
        for part in said:
            assert part in str(error.value)


def test_a_damaged_checkpoint_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(clip_folder, tmp_path / "broken")
    data = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_network(NetworkSpec("clip", str(broken)), "cpu")


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="of type 'vit', 'clip' is needed"):
        load_network(NetworkSpec("clip", str(write_dino(tmp_path / "dino"))), "cpu")


def test_unknown_preprocessing_is_refused(clip_folder: Path) -> None:
    with pytest.raises(SpecError, match="openai, tensor-bicubic"):
        load_network(NetworkSpec("clip", str(clip_folder), "bilinear"), "cpu")
