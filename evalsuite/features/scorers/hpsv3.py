"""HPSv3 (Ma et al. 2025, MizzenAI/HPSv3): a Qwen2-VL-7B that reads an instruction with the prompt, and a head
on the one token that stands for its reward."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evalsuite.errors import CheckpointError, DataError, SpecError
from evalsuite.features._torch import Described, batched, device_of, quiet_loading
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD
from evalsuite.features.scorers.base import WEIGHTS, find_checkpoint, read_config
from evalsuite.model.weights import fingerprint

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image as PilImage
    from torch import Tensor

KIND = "hpsv3"
PREPROCESS = "qwen2-vl"
TOKEN = "<|Reward|>"
"""What the head is read at; the published tokenizer gets it as its last token."""
PIXELS = 256 * 28 * 28
"""Of an image, about: both sides become multiples of two patches."""
_IMAGE = "<|image_pad|>"
_OUTPUTS = 2
"""mu and sigma of a reward."""
_HEAD = (0, 3, 5)
"""Places of the head's linear layers, as they are numbered in the published file."""
_RATIO = 200
"""The longest images that the processor takes."""


class Patches(NamedTuple):
    """What the network sees of an image.

    Args:
        values: (rows * columns, 3 * 2 * patch * patch) float32.
        rows, columns: of patches.
    """

    values: np.ndarray
    rows: int
    columns: int


def resized_to(width: int, height: int, factor: int, pixels: int = PIXELS) -> tuple[int, int]:
    """Width and height that an image is brought to: multiples of `factor`, about `pixels` in all.

    As HPSv3's script has it, whose smallest and largest number of pixels are the same: sides are rounded to
    multiples, and where that is not exactly the number, scaled to it and rounded down or up.

    Raises DataError for an image more than 200 times as long as wide.

    >>> resized_to(1024, 1024, 28), resized_to(640, 360, 28), resized_to(100, 100, 28)
    ((448, 448), (588, 336), (448, 448))
    """
    if max(width, height) > _RATIO * min(width, height):
        raise DataError(
            f"The image is {width}×{height}: one side is more than {_RATIO} times the other.",
            "HPSv3's processor takes no such image.",
        )
    wide, high = (max(factor, round(side / factor) * factor) for side in (width, height))
    if wide * high > pixels:
        shrink = math.sqrt(height * width / pixels)
        wide, high = (max(1, math.floor(side / shrink / factor)) * factor for side in (width, height))
    elif wide * high < pixels:
        grow = math.sqrt(pixels / (height * width))
        wide, high = (math.ceil(side * grow / factor) * factor for side in (width, height))
    return wide, high


def patches_of(image: PilImage, patch: int = 14, merge: int = 2, pixels: int = PIXELS) -> Patches:
    """An RGB image as Qwen2-VL's processor gives it: bicubic (PIL), scaled, in patches of two equal frames,
    those that are merged side by side."""
    import numpy as np
    from PIL import Image as pil

    size = resized_to(*image.size, patch * merge, pixels)
    resized = image.resize(size, pil.Resampling.BICUBIC)
    array = np.asarray(resized, dtype=np.float32) * np.float32(1 / 255)
    mean, deviation = (np.array(one, dtype=np.float32) for one in (CLIP_MEAN, CLIP_STD))
    scaled: np.ndarray = ((array - mean) / deviation).transpose(2, 0, 1)
    rows, columns = size[1] // patch, size[0] // patch
    cut = scaled.reshape(3, rows // merge, merge, patch, columns // merge, merge, patch)
    # (row, column, row within, column within, channel, y, x)
    cut = cut.transpose(1, 4, 2, 5, 0, 3, 6).reshape(rows * columns, 3, 1, patch, patch)
    return Patches(np.repeat(cut, 2, axis=2).reshape(rows * columns, -1), rows, columns)


@lru_cache(maxsize=1)
def _instruction() -> str:
    path = resources.files("evalsuite.features.scorers") / "hpsv3.json"
    found: str = json.loads(path.read_text(encoding="utf-8"))["instruction"]
    return found


def asked(text: str, image_tokens: int = 1) -> str:
    """What the network reads about an image of so many tokens: Qwen2-VL's chat, its default system message.

    Marks of the chat (`<|…|>`) inside a prompt lose their form: the network looks for its own.
    """
    told = _instruction().replace("{text_prompt}", text.replace("<|", "< |"))
    return (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        f"<|vision_start|>{_IMAGE * image_tokens}<|vision_end|>{told}<|im_end|>\n<|im_start|>assistant\n"
    )


def reward_head(width: int) -> Any:
    """The head, with random weights: (…, width) -> (…, 2). Dropout, which stands between, does nothing."""
    import torch

    return torch.nn.Sequential(
        torch.nn.Linear(width, 1024),
        torch.nn.ReLU(),
        torch.nn.Identity(),
        torch.nn.Linear(1024, 16),
        torch.nn.ReLU(),
        torch.nn.Linear(16, _OUTPUTS),
    )


def rewards(model: Any, head: Any, tokens: Tensor, pixels: Tensor, grids: Tensor, reward: int) -> Tensor:
    """(n, 2) mu and sigma.

    Positions simply count on, through the image, too: the published network was trained and is called without
    Qwen2-VL's positions of rows and columns.

    Args:
        model: a `Qwen2VLModel`.
        tokens: (n, length), filled up behind with anything that is no image; the network looks back only.
        pixels: patches of all images, one after the other.
        grids: (n, 3): 1, rows, columns of patches.
        reward: the token that the head is read at, once in each row.
    """
    import torch

    places = torch.arange(tokens.shape[1], device=tokens.device).expand(3, len(tokens), -1)
    hidden = model(
        input_ids=tokens, position_ids=places, pixel_values=pixels, image_grid_thw=grids, use_cache=False
    ).last_hidden_state
    at = (tokens == reward).int().argmax(1)
    found: Tensor = head(hidden[torch.arange(len(tokens)), at].float())
    return found


def converted(
    shapes: Mapping[str, Sequence[int]], base: Mapping[str, Any], reward_token: int
) -> dict[str, Any]:
    """Configuration of a folder that holds the published file.

    Args:
        shapes: of its tensors by name.
        base: `config.json` of Qwen2-VL-7B-Instruct.
        reward_token: see `TOKEN`.

    Raises CheckpointError where the file is another network's, or does not fit the configuration.
    """
    remedy = "Give HPSv3.safetensors as it is published, and the folder of Qwen2-VL-7B-Instruct's tokenizer."
    names = [f"rm_head.{place}.weight" for place in _HEAD]
    needed = ["model.embed_tokens.weight", "visual.patch_embed.proj.weight", *names]
    missing = [name for name in needed if name not in shapes]
    if missing:
        raise CheckpointError(f"The checkpoint is none of HPSv3: {missing[0]} is missing.", remedy)
    words, width = shapes[needed[0]]
    if base.get("model_type") != "qwen2_vl" or base.get("hidden_size") != width:
        raise CheckpointError(
            f"config.json is of {base.get('model_type')!r} with width {base.get('hidden_size')}; the "
            f"checkpoint is a qwen2_vl of width {width}.",
            remedy,
        )
    if reward_token >= words or shapes[names[-1]][0] != _OUTPUTS:
        raise CheckpointError(
            f"The checkpoint has {words} tokens and {shapes[names[-1]][0]} outputs; {TOKEN} is token "
            f"{reward_token}, and the outputs are mu and sigma.",
            remedy,
        )
    return {"model_type": KIND, "base": {**base, "vocab_size": words}, "reward_token": reward_token}


def load_network(folder: Path, config: Mapping[str, Any], dtype: torch.dtype) -> tuple[Any, Any]:
    """Network and head of a converted folder, whose file has the published names.

    Raises CheckpointError for a damaged file, and for tensors that are missing, left over, or of another
    size.
    """
    from safetensors.torch import load_file
    from transformers import Qwen2VLConfig, Qwen2VLModel

    path = folder / WEIGHTS
    base = Qwen2VLConfig(**config["base"])
    head, state, its = reward_head(int(config["base"]["hidden_size"])), {}, {}
    try:
        for name, tensor in load_file(path).items():
            kind, _, rest = name.partition(".")
            if kind == "rm_head":
                its[rest] = tensor.float()
            elif kind != "lm_head":  # the head for words is not used
                state[{"model": f"language_model.{rest}"}.get(kind, name)] = tensor.to(dtype)
        head.load_state_dict(its)
        import torch

        with torch.device("meta"):
            wanted = {name: tensor.shape for name, tensor in Qwen2VLModel(base).state_dict().items()}
        for name, shape in wanted.items():
            if name not in state or state[name].shape != shape:
                raise ValueError(f"{name} is missing or of another size")
        unknown = next(iter(state.keys() - wanted.keys()), None)
        if unknown:
            raise ValueError(f"{unknown} is unknown")
        with quiet_loading():
            model: Any = Qwen2VLModel.from_pretrained(None, config=base, state_dict=state, dtype=dtype)
    except Exception as error:  # safetensors, torch and transformers each raise their own kinds
        raise CheckpointError(
            f"{path} cannot be loaded ({error}).", "Convert the published file again."
        ) from error
    return model.eval(), head.eval()


class HpsV3(Described):
    """How people like an image for a prompt: mu, about 0 to 15.

    Weights: a folder that `evalsuite weights convert hpsv3 HPSv3.safetensors` wrote. bfloat16 on a GPU, as
    published; float32 on a CPU.
    """

    batch = 4
    """Images that go through the network together."""

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        import torch
        from transformers import AutoTokenizer, Qwen2VLConfig

        if spec.preprocess != PREPROCESS:
            raise SpecError(
                f"{spec.name}: HPSv3 has no preprocessing {spec.preprocess!r}.", f"It is {PREPROCESS}."
            )
        folder = find_checkpoint(spec)
        config = read_config(folder, KIND)
        self._device = device_of(device)
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        model, head = load_network(folder, config, dtype)
        super().__init__(spec, fingerprint([model, head]), PIXELS, _instruction())
        self.dtype = str(dtype).removeprefix("torch.")
        self._model, self._head = model.to(self._device), head.to(self._device)
        self._tokenizer = AutoTokenizer.from_pretrained(
            folder, config=Qwen2VLConfig(**config["base"]), local_files_only=True
        )
        self._reward = int(config["reward_token"])
        self._patch = int(config["base"]["vision_config"].get("patch_size", 14))
        self._merge = int(config["base"]["vision_config"].get("spatial_merge_size", 2))
        self._pixels = int(config.get("pixels", PIXELS))

    def prepare(self, image: PilImage) -> Patches:
        """The patches of an RGB image; may run in any thread."""
        return patches_of(image, self._patch, self._merge, self._pixels)

    def scores(self, prepared: Sequence[Patches], texts: Sequence[str]) -> np.ndarray:
        """(n,) float32 mu of prepared images with their texts, in order."""
        import numpy as np
        import torch

        found: list[np.ndarray] = []
        with torch.inference_mode():
            for places in batched(range(len(prepared)), self.batch):
                images = [prepared[at] for at in places]
                merged = self._merge**2
                asked_of = [
                    self._tokenizer(asked(texts[at], len(one.values) // merged)).input_ids
                    for at, one in zip(places, images, strict=True)
                ]
                longest = max(map(len, asked_of))
                # What stands behind a text cannot be looked at from before.
                tokens = torch.tensor([ids + [ids[-1]] * (longest - len(ids)) for ids in asked_of])
                pixels = torch.from_numpy(np.concatenate([one.values for one in images]))
                grids = torch.tensor([[1, one.rows, one.columns] for one in images])
                mu = rewards(
                    self._model,
                    self._head,
                    tokens.to(self._device),
                    pixels.to(self._device, self._model.dtype),
                    grids.to(self._device),
                    self._reward,
                )[:, 0]
                found.append(mu.float().cpu().numpy())
        return np.concatenate(found) if found else np.empty(0, np.float32)
