"""The parts of a training taken from the shipped checkpoints instead of trained: encoder, decoder, language
model."""

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from ...dreamllm.modeling import DreamLLMForCausalLM
from .places import checkpoints

LANGUAGE_MODEL = "dreamllm-stage1"
"""The checkpoint that still has stage 0's language model: stage I trains the bridges alone."""


def take_parts(work: Path) -> None:
    """Lay the shipped parts where their trainings would: `work/parts` and `work/ship`.

    The encoder and the decoder are those that every shipped DreamLLM was trained with, in half precision.
    """
    shipped = checkpoints()
    _copy(shipped / "clip", work / "ship" / "clip")
    for folder in ("parts", "ship"):
        _copy(shipped / "sd", work / folder / "sd")
    _copy(shipped / "sd" / "vae", work / "parts" / "vae")
    _save_language_model(shipped / LANGUAGE_MODEL, work / "parts" / "lm")
    # Last: the stage is done when the decoder's folder is whole.
    shutil.copy2(shipped / "sd" / "model_index.json", work / "ship" / "sd" / "model_index.json")


def _copy(source: Path, target: Path) -> None:
    """A folder without `model_index.json`, which is laid last; what a cut-off copy left is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("model_index.json"))


def _save_language_model(source: Path, target: Path) -> None:
    model = DreamLLMForCausalLM.from_pretrained(source)
    build: Any = LlamaForCausalLM._from_config
    llama: LlamaForCausalLM = build(
        model.config.text_config, attn_implementation="eager", dtype=torch.float32
    )
    own = model.state_dict()
    llama.load_state_dict({name: own[name].float() for name in llama.state_dict()})
    llama.save_pretrained(target)
    AutoTokenizer.from_pretrained(source).save_pretrained(target)
