"""Scorers of images: batches, converters, and what is wrong with a folder or a file of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.data.images import decode
from evalsuite.errors import CheckpointError, DataError, SpecError, UnavailableError
from evalsuite.features import NetworkSpec, load_scorer, require_weights
from evalsuite.features.extraction import image_features
from evalsuite.features.scorers.aesthetic import HEAD, aesthetic, read_head
from evalsuite.features.scorers.base import TorchScorer
from evalsuite.features.scorers.blip import HEAD_WIDTH, text_config, vision_config
from evalsuite.features.scorers.converting import convert
from evalsuite.task.preference import PREFERENCES
from tests.features.networks import pictures
from tests.features.scorers import (
    blip_vqa_state,
    hpsv3_state,
    image_reward_state,
    write_aesthetic,
    write_all,
    write_bert,
    write_hpsv3,
    write_qwen,
    write_vqascore,
)
from tests.tasks.image_files import png

TEXTS = ["a cat", "a dog a cat", "a cat", "dog", "a a a a a cat dog"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_all(tmp_path_factory.mktemp("scorers"))


def _scorer(column: str, folder: str) -> Any:
    how = PREFERENCES[column]
    return load_scorer(NetworkSpec(how.kind, folder, how.preprocess, column), "cpu")


@pytest.mark.parametrize("column", PREFERENCES)
def test_a_score_depends_on_its_image_and_text_alone(column: str, weights: dict[str, str]) -> None:
    scorer = _scorer(column, weights[column])
    prepared = [scorer.prepare(image) for image in pictures(5)]
    together = scorer.scores(prepared, TEXTS)
    alone = np.array([scorer.scores([one], [text])[0] for one, text in zip(prepared, TEXTS, strict=True)])
    assert together.shape == (5,)
    assert together == pytest.approx(alone, rel=2e-4, abs=1e-6)
    assert len(set(together.tolist())) == 5
    other = scorer.scores([prepared[0]], ["dog dog"])
    assert (other[0] == pytest.approx(together[0], rel=1e-6)) == (column == "Aesthetic")
    assert scorer.scores([], []).shape == (0,)


def test_what_networks_see_alike_is_prepared_once(
    weights: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = ("HPSv2.1", "HPSv2", "HPSv2.1 without antialias", "HPSv3")
    networks = {column: _scorer(column, weights[column]) for column in columns}
    made: list[str] = []
    original = TorchScorer.prepare

    def counted(self: TorchScorer, image: Image.Image) -> Any:
        made.append(self.preprocess)
        return original(self, image)

    monkeypatch.setattr(TorchScorer, "prepare", counted)
    images = [png(image) for image in pictures(2)]
    found, _ = image_features(networks, images, ["a cat", "a dog"])
    assert sorted(made) == ["hps"] * 2 + ["hps-without-antialias"] * 2
    for column, network in networks.items():
        alone = network.scores([network.prepare(decode(image)) for image in images], ["a cat", "a dog"])
        assert found[column][:, 0] == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize(
    ("column", "reason"),
    [("HPSv2", "nothing is left of one side"), ("HPSv3", "one side is more than 200 times the other")],
)
def test_an_image_that_a_network_does_not_take_is_that_images_failure(
    column: str, reason: str, weights: dict[str, str]
) -> None:
    networks = {column: _scorer(column, weights[column])}
    images = [png(Image.new("RGB", (1, 300))), png(Image.new("RGB", (30, 30), "red"))]
    found, state = image_features(networks, images, ["a cat"] * 2)
    assert reason in state.refused[column][0]
    assert not state.failures
    assert np.isfinite(found[column][1, 0])


def test_fingerprints_tell_weights_kinds_and_preprocessing_apart(weights: dict[str, str]) -> None:
    prints = {column: _scorer(column, folder).fingerprint for column, folder in weights.items()}
    assert len(set(prints.values())) == len(PREFERENCES)


def test_the_heads_layers_are_one_linear_map(tmp_path: Path) -> None:
    path = write_aesthetic(tmp_path / "clip") / HEAD
    state = torch.load(path, weights_only=True)
    features = torch.randn(3, 8)
    unit = features / features.norm(dim=1, keepdim=True)
    hidden = unit @ state["layers.0.weight"].T + state["layers.0.bias"]
    expected = hidden @ state["layers.2.weight"].T + state["layers.2.bias"]
    assert aesthetic(features, read_head(path)).numpy() == pytest.approx(expected[:, 0].numpy(), abs=1e-5)
    path.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="is no head of the aesthetic predictor"):
        read_head(path)


def test_published_widths_have_their_heads() -> None:
    state = image_reward_state()
    vision = {
        name.removeprefix("blip.visual_encoder."): tensor
        for name, tensor in state.items()
        if name.startswith("blip.visual_encoder.")
    }
    vision["patch_embed.proj.weight"] = torch.zeros(1024, 3, 16, 16)
    assert vision_config(vision)["num_attention_heads"] == 1024 // HEAD_WIDTH == 16
    with pytest.raises(CheckpointError, match="has no text encoder"):
        text_config({})


@pytest.mark.parametrize(
    ("kind", "state"), [("image-reward", image_reward_state), ("blip-vqa", blip_vqa_state)]
)
def test_another_checkpoint_is_one_error(kind: str, state: Any, tmp_path: Path) -> None:
    bert, file = write_bert(tmp_path / "bert"), tmp_path / "file.pt"
    whole = state()
    for change, reason in (
        (lambda: {k: v for k, v in whole.items() if "blocks.1.norm2.bias" not in k}, "is missing"),
        (lambda: {**whole, next(iter(whole)): torch.zeros(1, 1, 8)}, "does not fit"),
        (lambda: {"something": torch.zeros(1)}, "has no"),
        (dict, "holds no tensors"),
    ):
        torch.save(change(), file)
        with pytest.raises(CheckpointError, match=reason):
            convert(kind, file, bert, tmp_path / "out", heads=2)
        assert not (tmp_path / "out").exists()
    file.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="cannot be read"):
        convert(kind, file, bert, tmp_path / "out")
    with pytest.raises(DataError, match="There is no file"):
        convert(kind, tmp_path / "none.pt", bert, tmp_path / "out")
    with pytest.raises(DataError, match="holds no tokenizer"):
        convert(kind, file, tmp_path / "none", tmp_path / "out")
    with pytest.raises(DataError, match="is not empty"):
        convert(kind, file, bert, bert)
    with pytest.raises(SpecError, match="There is no converter"):
        convert("hpsv4", file, bert, tmp_path / "out")


def test_another_hpsv3_is_one_error(tmp_path: Path) -> None:
    qwen, file = write_qwen(tmp_path / "qwen"), tmp_path / "HPSv3.safetensors"
    out, whole = tmp_path / "out", hpsv3_state(601)
    for change, reason in (
        ({"rm_head.5.weight": torch.zeros(1, 16)}, "1 outputs"),
        (
            {"model.embed_tokens.weight": torch.zeros(601, 16)},
            "with width 32; the checkpoint is a qwen2_vl of width 16",
        ),
        ({"model.embed_tokens.weight": torch.zeros(600, 32)}, "has 600 tokens"),
    ):
        save_file({**whole, **change}, file)
        with pytest.raises(CheckpointError, match=reason):
            convert("hpsv3", file, qwen, out)
    save_file({"something": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=r"none of HPSv3: model\.embed_tokens\.weight is missing"):
        convert("hpsv3", file, qwen, out)
    file.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="cannot be read"):
        convert("hpsv3", file, qwen, out)
    with pytest.raises(DataError, match=r"config\.json cannot be read"):
        convert("hpsv3", file, write_bert(tmp_path / "bert"), out)
    assert not out.exists()


def test_a_damaged_folder_of_hpsv3_is_one_error(tmp_path: Path) -> None:
    folder = write_hpsv3(tmp_path)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()  # it is a link to the published file
    save_file(
        {name: one for name, one in state.items() if "layers.1.mlp" not in name}, folder / "model.safetensors"
    )
    with pytest.raises(CheckpointError, match="is missing or of another size"):
        _scorer("HPSv3", str(folder))
    with pytest.raises(SpecError, match="no preprocessing 'openai'"):
        load_scorer(NetworkSpec("hpsv3", str(folder), "openai"), "cpu")


def test_a_folder_of_another_network_is_one_error(weights: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'image-reward' is needed"):
        _scorer("ImageReward", weights["BLIP-VQA"])
    with pytest.raises(CheckpointError, match="is needed"):
        _scorer("VQAScore", weights["HPSv2"])
    folder = write_aesthetic(tmp_path / "clip", width=4)
    with pytest.raises(CheckpointError, match="embeddings of 4 numbers"):
        _scorer("Aesthetic", str(folder))


def test_what_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    folder = write_aesthetic(tmp_path / "clip")
    require_weights(NetworkSpec("aesthetic", str(folder)))
    (folder / HEAD).unlink()
    with pytest.raises(UnavailableError, match="linearMSE"):
        require_weights(NetworkSpec("aesthetic", str(folder)))
    t5 = write_vqascore(tmp_path / "t5")
    require_weights(NetworkSpec("vqascore", str(t5), "padded"))
    (t5 / "tokenizer.json").unlink()
    with pytest.raises(UnavailableError, match="tokenizer of google/flan-t5-xxl"):
        require_weights(NetworkSpec("vqascore", str(t5), "padded"))


def test_the_command_converts_into_the_place_that_columns_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path / "weights"))
    torch.save({"model": blip_vqa_state()}, tmp_path / "blip.pth")
    bert = write_bert(tmp_path / "bert")
    done = CliRunner().invoke(
        app,
        ["weights", "convert", "blip-vqa", str(tmp_path / "blip.pth"), "--tokenizer", str(bert),
         "--heads", "2"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    folder = tmp_path / "weights" / PREFERENCES["BLIP-VQA"].source
    assert (folder / "model.safetensors").is_file()
    scorer = _scorer("BLIP-VQA", str(folder))
    assert scorer.scores([scorer.prepare(Image.new("RGB", (9, 5)))], ["a cat"]).shape == (1,)


def test_the_list_tells_licence_and_digest() -> None:
    listed = CliRunner().invoke(app, ["weights", "list", "--json"])
    assert listed.exit_code == 0, listed.output
    assert '"licence": "Apache-2.0"' in listed.output
    assert "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0" in listed.output
