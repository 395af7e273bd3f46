"""Whether every tensor of a pipeline came from its files; diffusers itself only logs what did not."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from evalsuite.errors import CheckpointError
from evalsuite.model.loading import LoadReport, check_loaded, compare_with_files


def check_pipeline(folder: Path, pipeline: Any, variant: str = "") -> None:
    """Checks each component that has weights (UNet, VAE, text encoders, safety checker …).

    Names and shapes in the files are compared with the component's; where they differ, which old checkpoints
    do whose names the library translates, the component's own loader is asked what it found.

    Args:
        folder: the pipeline's.
        variant: of the weight files (`fp16`); empty for none.

    Raises:
        CheckpointError: a tensor is missing, unexpected or of another shape.
    """
    for name, component in pipeline.components.items():
        if not hasattr(component, "state_dict") or not (folder / name).is_dir():
            continue
        stored = stored_shapes(folder / name, variant)
        report = compare_with_files(component, stored).harmful
        if stored and not report and not _left_empty(component):
            continue
        check_loaded(f"{folder / name}", report_of_loader(component, folder / name, variant, report))


def report_of_loader(component: Any, folder: Path, variant: str, ours: LoadReport) -> LoadReport:
    """What the loader of a component says; our own comparison where it says nothing."""
    load = getattr(type(component), "from_pretrained", None)
    if load is None:
        return ours
    more = {"variant": variant} if _has_variant(folder, variant) else {}
    try:
        _, info = load(str(folder), output_loading_info=True, use_safetensors=True, **more)
    except Exception:  # a loader that refuses what our comparison found wrong says it less well
        return ours
    return LoadReport.of(info)


def stored_shapes(folder: Path, variant: str = "") -> dict[str, tuple[int, ...]]:
    """Name -> shape of all tensors in a folder's safetensors files, from their headers.

    Raises CheckpointError for a damaged file.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        if _has_variant(folder, variant) != _is_of(path, variant):
            continue
        try:
            with path.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                header = json.loads(stream.read(min(length, 2**28)))
            found |= {key: tuple(one["shape"]) for key, one in header.items() if key != "__metadata__"}
        except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{path} is not a safetensors file ({type(error).__name__}).",
                "Fetch it again: it may be cut off, or a Git LFS pointer.",
            ) from error
    return found


def _left_empty(component: Any) -> bool:
    return any(tensor.is_meta for tensor in component.state_dict().values())


def _is_of(path: Path, variant: str) -> bool:
    return bool(variant) and f".{variant}" in path.name


def _has_variant(folder: Path, variant: str) -> bool:
    return bool(variant) and any(_is_of(path, variant) for path in folder.glob("*.safetensors"))
