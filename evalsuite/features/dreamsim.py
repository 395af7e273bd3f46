"""DreamSim: how different two images look to people (Fu et al. 2023), by the cosine of three ViTs' features.

The published ensemble (ssundaram21/dreamsim, MIT, checkpoints v0.2.0): the class token of DINO ViT-B/16
before its last norm, and the projected ones of CLIP's and OpenCLIP's ViT-B/16, side by side; all three with
low-rank updates of their attention, which are added to the weights here. The features come with their own
mean over dimensions subtracted, so that the package's distance is 1 - cosine.

Images are squashed to 224 × 224 (PIL bicubic), then normalised as each ViT wants them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError, SpecError, UnavailableError, text_of
from evalsuite.features._torch import Described, collect, device_of, file_sha256
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Geometry, openai
from evalsuite.features.weights import find_file

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage
    from torch import Tensor

    from evalsuite.metrics.frechet import Means

ARCHIVE = "dreamsim_ensemble_checkpoint.zip"
"""The published file; a folder with what it holds does, too."""
BACKBONE = "dino_vitbase16_pretrain.pth"
"""DINO's own weights, which the package fetches apart (into `checkpoints`)."""
_SIDE, _HEAD, _LAST = 224, 64, 11
_ADAPTER = "ensemble_lora/adapter_config.json"
_UPDATES = ("ensemble_lora/adapter_model.safetensors", "ensemble_lora/adapter_model.bin")


@dataclass(frozen=True, slots=True)
class _Branch:
    """One ViT of the ensemble.

    Args:
        file: of its weights; `clip` ones have a norm before the blocks, and a projection.
        quick: OpenAI's approximation of GELU.
    """

    file: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    eps: float
    clip: bool = True
    quick: bool = False


_BRANCHES = (
    _Branch(BACKBONE, IMAGENET_MEAN, IMAGENET_STD, 1e-6, clip=False),
    _Branch("clip_vitb16_pretrain.pth.tar", CLIP_MEAN, CLIP_STD, 1e-5, quick=True),
    _Branch("open_clip_vitb16_pretrain.pth.tar", CLIP_MEAN, CLIP_STD, 1e-5),
)


class DreamSim(Described):
    """The ensemble with its weights, float32.

    Args:
        spec: kind `dreamsim`; `source` the archive's name (in the weights folder) or path, or a folder that
            the official package filled; `preprocess` is `squashed`.
        device: torch device, `auto` for the first GPU.

    Raises:
        UnavailableError: a file of weights is not here; names it, its size and the command that fetches it.
        CheckpointError: a file is damaged or holds something else.
        SpecError: another preprocessing.
    """

    means: Means = "float64"

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        if spec.preprocess != "squashed":
            raise SpecError(f"DreamSim has no preprocessing {spec.preprocess!r}.", "Known: squashed.")
        files = _Files(spec.source)
        self._device = device_of(device)
        states = _merged([files.state(one.file) for one in _BRANCHES], files)
        self._states = [{name: one.to(self._device) for name, one in state.items()} for state in states]
        self.dim = sum(_width(one) for one in self._states)
        super().__init__(spec, files.digest(), "squashed")

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, dim) float32 features of images of any sizes, in order; 1 - cosine is DreamSim's distance."""
        return self.features([self.prepare(image) for image in images])

    def prepare(self, image: PilImage) -> np.ndarray:
        """(3, 224, 224) float32 in [0, 1]; may run in any thread."""
        return openai(image, Geometry(_SIDE, None, (0, 0, 0), (1, 1, 1)))

    def features(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """(n, dim) float32 features of images that `prepare` made ready."""
        return collect(prepared, self.dim, self._step)

    def _step(self, batch: Sequence[np.ndarray]) -> Tensor:
        import numpy as np
        import torch

        pixels = torch.from_numpy(np.stack(batch)).to(self._device)
        parts = []
        for how, state in zip(_BRANCHES, self._states, strict=True):
            mean, std = (pixels.new_tensor(values)[:, None, None] for values in (how.mean, how.std))
            parts.append(_class_token((pixels - mean) / std, state, how))
        together = torch.cat(parts, dim=-1)
        return together - together.mean(dim=-1, keepdim=True)


def _class_token(pixels: Tensor, state: Mapping[str, Tensor], how: _Branch) -> Tensor:
    """(n, width) of (n, 3, 224, 224) normalised pixels: a pre-norm ViT with heads of 64 dimensions."""
    import torch
    from torch.nn import functional

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], how.eps)

    kernel = state["patch_embed.proj.weight"]
    x = functional.conv2d(pixels, kernel, state["patch_embed.proj.bias"], stride=kernel.shape[-1])
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat((state["cls_token"].expand(len(x), -1, -1), x), dim=1) + state["pos_embed"]
    x = norm(x, "pos_drop") if how.clip else x
    count, tokens, width = x.shape
    for block in (f"blocks.{place}" for place in range(_LAST + 1)):
        parts = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv")
        query, key, value = parts.reshape(count, tokens, 3, width // _HEAD, _HEAD).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        x = x + linear(seen.transpose(1, 2).reshape(count, tokens, width), f"{block}.attn.proj")
        inner = linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1")
        inner = inner * torch.sigmoid(1.702 * inner) if how.quick else functional.gelu(inner)
        x = x + linear(inner, f"{block}.mlp.fc2")
    return norm(x[:, 0], "norm") @ state["proj"] if how.clip else x[:, 0]


def _width(state: Mapping[str, Tensor]) -> int:
    return int(state["proj"].shape[1] if "proj" in state else state["cls_token"].shape[-1])


def _names(how: _Branch) -> set[str]:
    """The tensors that a branch needs."""
    modules = ["patch_embed.proj", "norm", *(["pos_drop"] if how.clip else [])]
    for place in range(_LAST + 1):
        inside = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
        modules += [f"blocks.{place}.{name}" for name in inside]
    both = {f"{name}.{part}" for name in modules for part in ("weight", "bias")}
    return both | {"cls_token", "pos_embed"} | ({"proj"} if how.clip else set())


def _merged(states: Sequence[Mapping[str, Tensor]], files: _Files) -> list[dict[str, Tensor]]:
    """The states with W + B A · alpha / r in place of each W that the adapter updates.

    Raises CheckpointError for a state that is no ViT-B's, and an adapter of another kind or network.
    """
    found = [dict(state) for state in states]
    for how, state in zip(_BRANCHES, found, strict=True):
        if lacking := sorted(_names(how) - state.keys()):
            raise CheckpointError(f"{files.where(how.file)} has no {lacking[0]}.", "Fetch it again.")
    config = files.config()
    if any(config.get(name) for name in ("use_rslora", "use_dora", "fan_in_fan_out", "alpha_pattern")):
        raise CheckpointError(f"{files.where(_ADAPTER)} is not of the published kind.", "Fetch it again.")
    try:
        scale = float(config["lora_alpha"]) / int(config["r"])
        updates = files.updates()
        down = {name: one for name, one in updates.items() if name.endswith(".lora_A.weight")}
        if not down or len(updates) != 2 * len(down):
            raise KeyError("pairs of lora_A and lora_B")
        for name, one in down.items():
            place, _, rest = name.split("extractor_list.", 1)[1].partition(".model.")
            target = rest.replace(".lora_A.weight", ".weight")
            up = updates[name.replace(".lora_A.", ".lora_B.")]
            found[int(place)][target] = found[int(place)][target] + scale * (up @ one)
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError, RuntimeError) as error:
        raise CheckpointError(
            f"{files.where(_UPDATES[0])} does not fit DreamSim's ensemble ({text_of(error)}).",
            "Fetch it again.",
        ) from error
    return found


class _Files:
    """The published files, in the archive or in a folder.

    Raises UnavailableError where one is not here.
    """

    def __init__(self, source: str) -> None:
        folder = Path(source).expanduser()
        self._folder = folder if folder.is_dir() else None
        wanted = [one.file for one in _BRANCHES[1:]] + [_ADAPTER]
        if self._folder is None:
            self._archive = find_file(source)
            self._backbone = find_file(BACKBONE)
            return
        places = [self._folder / BACKBONE, self._folder / "checkpoints" / BACKBONE]
        self._backbone = next((path for path in places if path.is_file()), places[-1])
        absent = [
            path for path in (self._backbone, *map(self._folder.joinpath, wanted)) if not path.is_file()
        ]
        if absent:
            raise UnavailableError(
                f"DreamSim's ensemble in {self._folder} lacks {absent[0].relative_to(self._folder)}.",
                "Give the folder that the package `dreamsim` filled (its cache_dir), or run "
                "`evalsuite weights fetch dreamsim`.",
            )

    def where(self, name: str) -> str:
        if name == BACKBONE:
            return str(self._backbone)
        return f"{self._folder or self._archive}/{name}"

    def _read(self, name: str) -> bytes:
        if name == BACKBONE:
            return self._backbone.read_bytes()
        if self._folder is not None:
            return (self._folder / name).read_bytes()
        with zipfile.ZipFile(self._archive) as archive:
            return archive.read(name)

    def state(self, name: str) -> dict[str, Tensor]:
        """A branch's tensors. Raises CheckpointError for a damaged file."""
        import torch

        try:
            read: Any = torch.load(io.BytesIO(self._read(name)), map_location="cpu", weights_only=True)
            read = read.get("state_dict", read)
            return {str(key): one.float() for key, one in read.items() if isinstance(one, torch.Tensor)}
        except Exception as error:  # pickle and zip each raise their own kinds for damaged files
            raise self._damaged(name, error) from error

    def config(self) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = dict(json.loads(self._read(_ADAPTER)))
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise self._damaged(_ADAPTER, error) from error
        return found

    def updates(self) -> dict[str, Tensor]:
        """The adapter's tensors, of either of the forms that peft writes."""
        from safetensors.torch import load

        name = _UPDATES[0] if self._has(_UPDATES[0]) else _UPDATES[1]
        if name == _UPDATES[1]:
            return self.state(name)
        try:
            return {key: one.float() for key, one in load(self._read(name)).items()}
        except Exception as error:  # safetensors raises its own kinds
            raise self._damaged(name, error) from error

    def _has(self, name: str) -> bool:
        if self._folder is not None:
            return (self._folder / name).is_file()
        with zipfile.ZipFile(self._archive) as archive:
            return name in archive.namelist()

    def digest(self) -> str:
        """sha256 of the files that were read."""
        if self._folder is None:
            paths = [self._archive, self._backbone]
        else:
            names = [
                *(one.file for one in _BRANCHES[1:]),
                _ADAPTER,
                next(n for n in _UPDATES if self._has(n)),
            ]
            paths = [*(self._folder / name for name in names), self._backbone]
        return hashlib.sha256("".join(map(file_sha256, paths)).encode()).hexdigest()

    def _damaged(self, name: str, error: Exception) -> CheckpointError:
        return CheckpointError(f"{self.where(name)} cannot be read ({text_of(error)}).", "Fetch it again.")


def require_dreamsim(spec: NetworkSpec) -> None:
    """Raises UnavailableError where a file is not here; reads none."""
    _Files(spec.source)
