"""What a checkpoint folder holds and what would be loaded from it, without reading its weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from evalsuite.dreamllm.checkpoint import UPSTREAM_TYPE, check_fit, load_config, open_checkpoint
from evalsuite.dreamllm.configuration import TOKEN_TEXTS, DreamLLMConfig
from evalsuite.dreamllm.keys import COMPUTED, INSIDE, PLUGINS
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.processing import DreamLLMProcessor
from evalsuite.dreamllm.tokenization import SentencePieceTokenizer, has_tokenizer, load_tokenizer
from evalsuite.dreamllm.training import PARTS, part_of
from evalsuite.dreamllm.weights import StoredTensor, open_tensors, read_json, weight_files
from evalsuite.errors import CheckpointError


@dataclass(slots=True)
class Part:
    """What one part of the model would be loaded from.

    Args:
        parameters, tensors: how many.
        dtypes: as stored.
        files: relative to the folder.
    """

    name: str
    parameters: int = 0
    tensors: int = 0
    dtypes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def add(self, tensor: StoredTensor, file: str) -> None:
        self.parameters += tensor.size
        self.tensors += 1
        for value, known in ((tensor.dtype, self.dtypes), (file, self.files)):
            if value not in known:
                known.append(value)


@dataclass(slots=True)
class Inspection:
    """A checkpoint folder.

    Args:
        layout: `evalsuite` or `upstream`; empty when it could not be determined.
        parts: in the order of the model; empty parts are left out.
        ids: special token text -> id.
        facts: settings that shape the model, for people.
        warnings: what loads, but not as one might think.
        problems: why it does not load; empty when it does.
    """

    folder: str
    layout: str = ""
    parts: list[Part] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts)

    @property
    def loads(self) -> bool:
        return not self.problems


def inspect(folder: Path) -> Inspection:
    """Look into a checkpoint folder. Never raises for what it finds there: that is in `problems`."""
    found = Inspection(folder.name)
    try:
        config = load_config(folder)
    except CheckpointError as error:
        found.problems.append(str(error))
        return found
    raw = read_json(folder / "config.json")
    found.layout = "upstream" if raw.get("model_type") == UPSTREAM_TYPE else "evalsuite"
    found.ids = {
        TOKEN_TEXTS[name]: value
        for name, value in asdict(config.tokens).items()
        if name in TOKEN_TEXTS and value is not None
    }
    found.facts = _facts(config)
    found.warnings += _disagreeing_ids(folder, raw, found.ids)
    found.problems += _missing(folder, found.layout)
    try:
        _weights(folder, found)
        tokenizer = DreamLLMProcessor.from_pretrained(folder).tokenizer
        found.facts["tokenizer"] = _tokenizer_kind(tokenizer)
    except CheckpointError as error:
        if not any(str(error).startswith(problem.split(" does not exist")[0]) for problem in found.problems):
            found.problems.append(str(error))
    return found


def _facts(config: DreamLLMConfig) -> dict[str, str]:
    text: Any = config.text_config
    vision: Any = config.vision_config
    bias = " with bias" if config.condition_projector_bias else ""
    return {
        "language model": f"{text.num_hidden_layers} layers, hidden {text.hidden_size}, "
        f"{text.num_attention_heads} heads, vocabulary {text.vocab_size}, "
        f"at most {config.sequence_limit} positions",
        "vision tower": f"{vision.image_size} pixels, {config.num_patches} patches, hidden state "
        f"{config.select_layer} of {vision.num_hidden_layers} layers",
        "image block": f"{config.num_patches + 2} tokens",
        "dream block": f"{config.num_dream_queries + 2} tokens ({config.num_dream_queries} queries)",
        "vision projector": f"{config.vision_projector}, depth {config.vision_projector_depth}",
        "condition projector": f"{config.condition_projector}, "
        f"depth {config.condition_projector_depth}{bias}",
        "diffusion": f"{config.resolution} pixels, prediction type "
        f"{config.scheduler_config.get('prediction_type', 'epsilon')}",
    }


def _tokenizer_kind(tokenizer: Any) -> str:
    if isinstance(tokenizer, SentencePieceTokenizer):
        return f"sentencepiece, {'legacy' if tokenizer.legacy else 'newer'} mode"
    return "tokenizers (tokenizer.json)"


def _disagreeing_ids(folder: Path, raw: Mapping[str, Any], ids: Mapping[str, int]) -> Iterator[str]:
    """Files that name other special ids than the tokenizer, which is believed."""
    try:
        load_tokenizer(folder)
    except CheckpointError:
        return
    claims = {"config.json": raw}
    if (folder / "generation_config.json").is_file():
        claims["generation_config.json"] = read_json(folder / "generation_config.json")
    for file, values in claims.items():
        for key, text in (("bos_token_id", "<s>"), ("eos_token_id", "</s>"), ("pad_token_id", "[PAD]")):
            claimed = values.get(key)
            if claimed is not None and text in ids and claimed != ids[text]:
                yield f"{file} says {key} {claimed}; {ids[text]} is used, which the tokenizer has for {text}."
    for key, value in (raw.get("special_tokens2ids_dict") or {}).items():
        for text, claimed in (value if isinstance(value, dict) else {key: value}).items():
            if text in ids and claimed != ids[text]:
                yield f"config.json says {text} is {claimed}; the tokenizer's {ids[text]} is used."


def _missing(folder: Path, layout: str) -> Iterator[str]:
    """Every missing file, where loading would stop at the first."""
    try:
        main = {key for path in weight_files(folder) for key in open_tensors(path)}
    except CheckpointError as error:
        yield str(error)
        main = set()
    if layout == "upstream":
        for name in PLUGINS:
            inside = any(key.startswith(INSIDE[name]) for key in main)
            if not inside and not (folder / f"{name}.bin").is_file():
                yield f"{folder / name}.bin does not exist, and the main weights do not hold it either."
    if not has_tokenizer(folder):
        yield f"{folder} holds no tokenizer (neither tokenizer.model nor tokenizer.json)."


def _weights(folder: Path, found: Inspection) -> None:
    config, stored = open_checkpoint(folder)
    found.facts |= _facts(config)
    parts = {name: Part(name) for name in PARTS}
    used: dict[Path, set[str]] = {}
    for name, tensor in stored.items():
        if name.startswith(tuple(prefix for prefixes in PARTS.values() for prefix in prefixes)):
            parts[part_of(name)].add(tensor, _relative(tensor.file, folder))
        used.setdefault(tensor.file.resolve(), set()).add(tensor.key)
    found.parts = [part for part in parts.values() if part.tensors]
    for file, keys in used.items():
        rest = [key for key in open_tensors(file) if key not in keys]
        computed = sum(key.endswith(COMPUTED) for key in rest)
        for count, why in (
            (computed, "they follow from the configuration"),
            (len(rest) - computed, "they are no part of a DreamLLM"),
        ):
            if count:
                found.warnings.append(
                    f"{count} of the tensors in {_relative(file, folder)} are not loaded: {why}."
                )
    for path in sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.bin")]):
        if path.resolve() not in used:
            found.warnings.append(f"{_relative(path, folder)} is not read: the files above hold its weights.")
    dtypes = {dtype for part in found.parts for dtype in part.dtypes}
    if len(dtypes) > 1:
        found.warnings.append(f"Weights are stored in several precisions: {', '.join(sorted(dtypes))}.")
    with torch.device("meta"):
        model = DreamLLMForCausalLM(config)
    check_fit(model, stored, str(folder))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
