"""The published 7B model, built on the meta device: every name and shape of its files is accounted for.

`state-keys-7b.tsv.gz` lists file, key and shape of all 1,652 tensors of a checkpoint as upstream writes it.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch

from evalsuite.dreamllm import upstream
from evalsuite.dreamllm.checkpoint import load_config
from evalsuite.dreamllm.configuration import DreamLLMConfig
from evalsuite.dreamllm.keys import MAIN, canonical, from_upstream, to_upstream
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM

PUBLISHED_IDS = {
    "[PAD]": 32000,
    "<im_start>": 32001,
    "<dream_end>": 32002,
    "<dream_start>": 32003,
    "<im_patch>": 32004,
    "<im_end>": 32005,
    "<image>": 32006,
    "<dream>": 32007,
}
CONFIG = {
    "model_type": "dreamllm",
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": -1,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "max_position_embeddings": 2048,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 32,
    "rms_norm_eps": 1e-6,
    "torch_dtype": "bfloat16",
    "vocab_size": 32008,
    "special_tokens2ids_dict": {
        "<s>": 1,
        "</s>": 2,
        "<unk>": 0,
        "[PAD]": 32000,
        "additional_special_tokens": {k: v for k, v in PUBLISHED_IDS.items() if v > 32000},
    },
    "plugins_init_kwargs": {
        "clip_vision_embedding": {
            "clip_vision_model_name_or_path": "openai/clip-vit-large-patch14",
            "projector_type": "linear",
            "projector_depth": 1,
            "select_layer": -2,
        },
        "dream_embedding": {"num_dream_queries": 64},
        "stable_diffusion_head": {
            "diffusion_name_or_path": "stabilityai/stable-diffusion-2-1-base",
            "projector_type": "linear",
            "projector_depth": 1,
            "drop_prob": None,
        },
    },
}


def listed() -> dict[tuple[str, str], tuple[int, ...]]:
    """(file, key) -> shape."""
    path = Path(__file__).parent / "state-keys-7b.tsv.gz"
    _, *rows = gzip.decompress(path.read_bytes()).decode().splitlines()
    split = [row.split("\t") for row in rows]
    return {
        (MAIN if file == "pytorch_model.bin" else file.removesuffix(".bin"), key): tuple(
            map(int, shape.split("x"))
        )
        for file, key, shape in split
    }


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DreamLLMConfig:
    """As read from a folder that names its frozen parts only by their hub names, as published."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return load_config(folder)


@pytest.fixture(scope="module")
def model(config: DreamLLMConfig) -> DreamLLMForCausalLM:
    with torch.device("meta"):
        return DreamLLMForCausalLM(config)


def test_all_names_and_shapes_are_the_published_files(model: DreamLLMForCausalLM) -> None:
    files = listed()
    assert len(files) == 1652
    ours = {canonical(key): tuple(value.shape) for key, value in model.state_dict().items()}
    read = {from_upstream(file, key): shape for (file, key), shape in files.items()}
    computed = [key for file, key in files if from_upstream(file, key) is None]
    assert len(computed) == 32
    assert all(key.endswith("rotary_emb.inv_freq") for key in computed)
    read.pop(None)
    assert read == ours


def test_what_is_written_back_has_the_published_names(model: DreamLLMForCausalLM) -> None:
    written = {to_upstream(canonical(key)): tuple(value.shape) for key, value in model.state_dict().items()}
    assert written == {place: shape for place, shape in listed().items() if from_upstream(*place) is not None}


def test_its_parameters_and_ids(model: DreamLLMForCausalLM, config: DreamLLMConfig) -> None:
    language = [*model.model.parameters(), *model.lm_head.parameters()]
    assert sum(parameter.numel() for parameter in language) == 6_738_481_152
    tokens = config.tokens
    assert (tokens.bos, tokens.eos, tokens.pad) == (1, 2, 32000)
    assert (tokens.dream_start, tokens.image_patch) == (32003, 32004)
    assert (config.num_patches, config.resolution, config.sequence_limit) == (256, 512, 2048)
    assert str(config.dtype) == "torch.bfloat16"


def test_its_configuration_survives_the_way_to_upstream_and_back(
    config: DreamLLMConfig, tmp_path: Path
) -> None:
    upstream.write_config(tmp_path, config, {"crop_size": 224})
    again = load_config(tmp_path).to_dict()
    assert {key: value for key, value in config.to_dict().items() if again[key] != value} == {}
