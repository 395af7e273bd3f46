"""The standard evaluation worlds, written once into the user's cache."""

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path

from evalsuite.cache import ENVIRONMENT, cache_folder
from evalsuite.errors import DataError

from .write import HARD_SIZES, VERSION, Manifest, Sizes, read_manifest, write_world

SEED = 20260
SIZES = Sizes()
CONTENT = "e02327a167ee12448b17ed36b26dde0a42389b4cfca88fd2fbb081224fcd548f"
"""Fingerprint of the standard world: sizes, texts and pixels of version `VERSION` with `SEED`."""
HARD_CONTENT = "78f254e8ee1a782e344de2f285d0006b9ea9c58efc03976f26bf839f0ecdd634"
"""Fingerprint of the standard harder world."""

_log = logging.getLogger(__name__)


def ensure_world(
    seed: int = SEED, sizes: Sizes | None = None, cache: Path | None = None, *, hard: bool = False
) -> Path:
    """The folder of a world (see `write.py` for what is in it), written now if it is not there or damaged.

    The folder's name gives version, seed and sizes; every file's checksum is compared before it is used. Safe
    from several processes at once: a world appears complete or not at all.

    Args:
        seed, sizes: which world; by default the standard evaluation world.
        cache: the folder that holds worlds, by default `cache_folder()`.
        hard: the harder world (`hard.py`).

    Raises:
        DataError: the cache cannot be written.
    """
    cache = cache or cache_folder()
    sizes = sizes or (HARD_SIZES if hard else SIZES)
    identity = hashlib.sha256(repr((VERSION, seed, sizes)).encode()).hexdigest()[:12]
    folder = cache / f"{'mini-hard-world' if hard else 'mini-world'}-v{VERSION}-{identity}"
    if damage(folder) is None:
        return folder
    from filelock import FileLock

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{folder.name}.lock"):
            reason = damage(folder)
            if reason is not None:
                _replace(folder, seed, sizes, hard, reason)
    except OSError as error:
        raise DataError(
            f"The cache {cache} cannot be used ({error.strerror}).",
            f"Set {ENVIRONMENT} to a folder that can be written.",
        ) from error
    return folder


def damage(folder: Path) -> str | None:
    """What is wrong with a written world, or None: a missing manifest, a missing or changed file."""
    if not folder.is_dir():
        return "it does not exist"
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        return error.what
    for name, digest in manifest.files.items():
        try:
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                return f"{name} was changed"
        except OSError:
            return f"{name} is missing"
    return None


def _replace(folder: Path, seed: int, sizes: Sizes, hard: bool, reason: str) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        manifest = write_world(temporary / "world", seed, sizes, hard=hard)
        _compare(manifest)
        if folder.exists():
            _log.warning("writing %s again: %s", folder, reason)
            folder.rename(temporary / "damaged")
        (temporary / "world").rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _compare(manifest: Manifest) -> None:
    sizes, content = (HARD_SIZES, HARD_CONTENT) if manifest.hard else (SIZES, CONTENT)
    if (manifest.seed, manifest.sizes) == (SEED, sizes) and manifest.content != content:
        _log.warning(
            "the miniature world written here (%s) is not the published one (%s): results on it cannot be "
            "compared with published ones; most likely numpy draws other random numbers",
            manifest.content[:12],
            content[:12],
        )
