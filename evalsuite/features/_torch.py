"""What the torch networks share: device, batches, one fingerprint."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import Geometry, preprocess
from evalsuite.features.weights import find_folder
from evalsuite.model.devices import resolve
from evalsuite.model.entry import ModelOptions
from evalsuite.model.loading import LoadReport, likely_cause
from evalsuite.model.weights import fingerprint

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL.Image import Image as PilImage

    from evalsuite.metrics.frechet import Means

BATCH = 64


def device_of(name: str) -> torch.device:
    """The torch device of that name. Raises SpecError where it does not exist."""
    return resolve(ModelOptions(device=name, dtype="float32"))[0]


def fingerprint_of(weights: str, *settings: object) -> str:
    """sha256 of a weights digest and the settings that change features."""
    return hashlib.sha256("\n".join([weights, *map(repr, settings)]).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def batched(items: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    """The items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def collect(items: Sequence[Any], dim: int, step: Callable[[Sequence[Any]], torch.Tensor]) -> np.ndarray:
    """(n, dim) float32: `step` over batches, without gradients."""
    import numpy as np
    import torch

    found = np.empty((len(items), dim), dtype=np.float32)
    with torch.inference_mode():
        for index, batch in enumerate(batched(items)):
            found[index * BATCH : index * BATCH + len(batch)] = step(batch).float().cpu().numpy()
    return found


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Inside, transformers shows no bars and warns of nothing."""
    from transformers.utils import logging

    transformers_logging: Any = logging  # without types
    verbosity, bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bar:
            transformers_logging.enable_progress_bar()


def load_pretrained(kind: Any, folder: Path, source: str) -> Any:
    """A transformers model from a folder, float32, evaluation mode, never executing remote code.

    Raises CheckpointError when the folder holds another architecture, lacks weights of this one, or is
    damaged.
    """
    import torch

    _require_kind(kind, folder, source)
    try:
        with quiet_loading():
            model, info = kind.from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
            )
    except (
        Exception
    ) as error:  # safetensors, pickle and transformers each raise their own kinds for damaged files
        raise CheckpointError(
            f"The weights of {source} in {folder} cannot be loaded ({error}).", "Fetch them again."
        ) from error
    absent = sorted(key for key in info["missing_keys"] if "position_ids" not in key)
    missing = [key for key in absent if "pooler" not in key]
    if missing:
        raise CheckpointError(
            f"{folder} holds no complete {kind.__name__}: {missing[0]} and {len(missing) - 1} "
            "more tensors are missing.",
            " ".join(likely_cause(LoadReport.of(info))) or "Give the folder of the right checkpoint.",
        )
    with torch.no_grad():  # features do not go through a pooler; random weights would change the fingerprint
        for key in absent:
            model.get_parameter(key).zero_()
    return model.eval()


class Described:
    """What every network says about itself.

    Args:
        spec: what it was made from.
        weights_sha256: of its weights alone.
        settings: what else changes its features, for the fingerprint.
    """

    dtype = "float32"

    def __init__(self, spec: NetworkSpec, weights_sha256: str, *settings: object) -> None:
        self.name = spec.name
        self.preprocess = spec.preprocess
        self.weights_sha256 = weights_sha256
        self.fingerprint = fingerprint_of(weights_sha256, spec.preprocess, *settings)


class PretrainedNetwork(Described, ABC):
    """Base of the networks that are transformers models in a folder: loading, identity, images in batches.

    A network gives `dim` and `pooled`; `geometry` says what its input is where no file does.
    """

    means: Means = "float64"

    def __init__(self, spec: NetworkSpec, device: str, kind: Any) -> None:
        self._transform = preprocess(spec.preprocess)
        self._folder = find_folder(spec.source, spec.revision)
        self._device = device_of(device)
        self._model = load_pretrained(kind, self._folder, spec.source).to(self._device)
        self._geometry = self.geometry()
        super().__init__(spec, fingerprint([self._model]), self._geometry)

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of a feature vector."""

    @abstractmethod
    def geometry(self) -> Geometry:
        """Sizes and scaling of the input."""

    @abstractmethod
    def pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, dim) features of (n, 3, side, side) pixels."""

    def images(self, images: Sequence[PilImage]) -> np.ndarray:
        """(n, dim) float32 features of images of any sizes, not normalised, in order."""
        return collect(images, self.dim, lambda batch: self._step([self.prepare(image) for image in batch]))

    def prepare(self, image: PilImage) -> np.ndarray:
        """(3, side, side) float32, what the network sees of an image; may run in any thread."""
        return self._transform(image, self._geometry)

    def features(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """(n, dim) float32 features of images that `prepare` made ready."""
        return collect(prepared, self.dim, self._step)

    def _step(self, batch: Sequence[np.ndarray]) -> torch.Tensor:
        import numpy as np
        import torch

        return self.pooled(torch.from_numpy(np.stack(batch)).to(self._device))


def _require_kind(kind: Any, folder: Path, source: str) -> None:
    """Refuses a checkpoint of another architecture before a random network of the wrong size is made of
    it."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{folder / 'config.json'} cannot be read ({error}).", "Fetch it again."
        ) from error
    wanted = kind.config_class.model_type
    if found != wanted:
        raise CheckpointError(
            f"{source} is a checkpoint of type {found!r}, {wanted!r} is needed.",
            "Give the folder of the right checkpoint.",
        )
