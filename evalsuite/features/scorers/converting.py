"""Published weight files of scorers become folders that networks read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError, DataError, SpecError, suggest
from evalsuite.features.open_clip import convert_open_clip
from evalsuite.features.scorers import blip_vqa, hpsv3, image_reward
from evalsuite.features.scorers.base import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor

_TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model",
)  # fmt: skip


def convert(kind: str, checkpoint: Path, tokenizer: Path, target: Path, *, heads: int = 0) -> Path:
    """Writes a folder that a network of that kind reads.

    Args:
        kind: a name in `CONVERTERS`: `hpsv2` (also 2.1), `hpsv3`, `image-reward`, `blip-vqa`.
        checkpoint: the published file.
        tokenizer: a folder with the tokenizer: CLIP's for `hpsv2`, Qwen2-VL-7B-Instruct's with its
            `config.json` for `hpsv3`, bert-base-uncased's for the others.
        heads: of the attention, which tensors do not tell; 0: as published.

    Raises:
        SpecError: unknown kind.
        DataError: a file is missing, or the target is not empty.
        CheckpointError: the checkpoint cannot be read or is another network's.
    """
    if kind not in CONVERTERS:
        raise SpecError(f"There is no converter {kind!r}.", suggest(kind, CONVERTERS))
    if not checkpoint.is_file():
        raise DataError(f"There is no file {checkpoint}.", "Give the published weights file.")
    if target.exists() and any(target.iterdir()):
        raise DataError(f"{target} is not empty.", "Name a new folder.")
    if not any((tokenizer / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        raise DataError(f"{tokenizer} holds no tokenizer.", "Name the folder of one, with tokenizer.json.")
    CONVERTERS[kind](checkpoint, tokenizer, target, heads)
    return target


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pt` or `.pth` file; they may lie under `state_dict` or `model`.

    Raises CheckpointError for a damaged file, and for one that holds something else.
    """
    import torch

    try:
        read: Any = torch.load(path, map_location="cpu", weights_only=True)
        for key in ("state_dict", "model"):
            if isinstance(read, Mapping) and isinstance(read.get(key), Mapping):
                read = read[key]
        state = {str(name): tensor for name, tensor in read.items() if isinstance(tensor, torch.Tensor)}
    except Exception as error:  # pickle and zip each raise their own kinds for damaged files
        raise CheckpointError(f"{path} cannot be read ({error}).", "Fetch it again.") from error
    if not state:
        raise CheckpointError(f"{path} holds no tensors.", "Give the published weights file.")
    return state


def _hpsv2(checkpoint: Path, tokenizer: Path, target: Path, heads: int) -> None:
    convert_open_clip(checkpoint, tokenizer, target, vision_heads=heads or 16, text_heads=heads or 16)


def _image_reward(checkpoint: Path, tokenizer: Path, target: Path, heads: int) -> None:
    config, tensors = image_reward.converted(read_checkpoint(checkpoint), heads)
    _fits(image_reward.reward_model(config), tensors, checkpoint)
    _write(target, config, tensors, tokenizer)


def _hpsv3(checkpoint: Path, tokenizer: Path, target: Path, heads: int) -> None:
    """The file itself stays as it is, 16 GB under its published names: a link to it where the disk allows."""
    from transformers import AutoTokenizer

    try:
        base = json.loads((tokenizer / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{tokenizer / CONFIG} cannot be read ({error}).",
            "Name a folder with config.json and tokenizer of Qwen/Qwen2-VL-7B-Instruct.",
        ) from error
    words = AutoTokenizer.from_pretrained(tokenizer, local_files_only=True)
    words.add_special_tokens({"additional_special_tokens": [hpsv3.TOKEN]})
    token: Any = words.convert_tokens_to_ids(hpsv3.TOKEN)
    config = hpsv3.converted(_shapes(checkpoint), base, token)
    target.mkdir(parents=True, exist_ok=True)
    words.save_pretrained(target)
    try:
        os.link(checkpoint, target / WEIGHTS)
    except OSError:  # another disk
        shutil.copy(checkpoint, target / WEIGHTS)
    (target / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Sizes of a safetensors file's tensors. Raises CheckpointError for a damaged file."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors raises its own kinds
        raise CheckpointError(f"{path} cannot be read ({error}).", "Fetch it again.") from error


def _blip_vqa(checkpoint: Path, tokenizer: Path, target: Path, heads: int) -> None:
    from transformers import BlipForQuestionAnswering

    config, tensors = blip_vqa.converted(read_checkpoint(checkpoint), heads)
    model = BlipForQuestionAnswering(config)
    _fits(model, tensors, checkpoint)
    target.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(target)
    _copy_tokenizer(tokenizer, target)


CONVERTERS: Mapping[str, Callable[[Path, Path, Path, int], None]] = MappingProxyType(
    {"blip-vqa": _blip_vqa, "hpsv2": _hpsv2, "hpsv3": _hpsv3, "image-reward": _image_reward}
)
"""Kind of network -> (checkpoint, tokenizer, target, heads) -> None."""


def _fits(model: Any, tensors: Mapping[str, Tensor], checkpoint: Path) -> None:
    """Loads tensors into a model. Raises CheckpointError where they are not all of its own."""
    try:
        missing, unexpected = model.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:  # another size
        raise CheckpointError(
            f"{checkpoint} does not fit: {str(error).splitlines()[-1].strip()}.",
            "Give the published weights file.",
        ) from error
    # The output layer shares the embeddings' weights, so that some files hold it once.
    tied = {"text_decoder.cls.predictions.decoder.weight", "text_decoder.cls.predictions.decoder.bias"}
    lacking = [name for name in missing if "position_ids" not in name and name not in tied]
    wrong = [*(f"{name} is missing" for name in lacking), *(f"{name} is unknown" for name in unexpected)]
    if wrong:
        raise CheckpointError(
            f"{checkpoint} does not fit: {wrong[0]} ({len(wrong)} such).", "Give the published weights file."
        )


def _write(target: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], tokenizer: Path) -> None:
    from safetensors.torch import save_file

    target.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.float().contiguous() for name, tensor in tensors.items()}, target / WEIGHTS)
    (target / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    _copy_tokenizer(tokenizer, target)


def _copy_tokenizer(tokenizer: Path, target: Path) -> None:
    for name in _TOKENIZER:
        if (tokenizer / name).is_file():
            shutil.copy(tokenizer / name, target / name)
