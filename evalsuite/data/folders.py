"""The one reader of folders of images: which files belong to a set, and what was left out and why."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from evalsuite.content import Image
from evalsuite.deprecation import Moved, renamed, warn
from evalsuite.errors import DataError

SUFFIXES = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".webp",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".gif",
        ".avif",
        ".heic",
        ".heif",
        ".jp2",
        ".jxl",
    ]
)
"""Names that say image. A file with another suffix, or without one, is an image where its first bytes say
so."""
_HEAD = 32
_MAGIC = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"\xff\x0a",
    b"\0\0\0\x0cjP  \r\n\x87\n", b"\xffO\xffQ", b"\0\0\0\x0cJXL \r\n\x87\n",
)  # fmt: skip
_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})
_TEXTUAL = frozenset(
    [
        ".txt",
        ".json",
        ".jsonl",
        ".csv",
        ".tsv",
        ".md",
        ".yaml",
        ".yml",
        ".xml",
        ".html",
        ".npz",
        ".npy",
        ".pt",
        ".safetensors",
        ".parquet",
        ".py",
        ".zip",
        ".tar",
    ]
)
"""Never looked into: no image has such a name."""


@dataclass(frozen=True, slots=True)
class ImageFolder(Sequence[Image]):
    """The images of a folder, in the order of their names.

    Args:
        folder: as it was named.
        images: named by their path in the folder.
        skipped: why -> how many files or folders, of what is in the folder and not in the set.
        linked: how many of the images lie behind a linked folder.
    """

    folder: Path
    images: tuple[Image, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    linked: int = 0

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Image]: ...
    def __getitem__(self, index: int | slice) -> Image | Sequence[Image]:
        return self.images[index]

    def summary(self) -> str:
        """How many were read and what was skipped, in one line."""
        return summary_of(self.record())

    def told(self) -> str:
        """Deprecated name of `summary`."""
        warn("ImageFolder.told", Moved("ImageFolder.summary"))
        return self.summary()

    def record(self) -> dict[str, Any]:
        """The same, JSON-able."""
        return {
            "folder": str(self.folder),
            "images": len(self.images),
            "linked": self.linked,
            "skipped": dict(self.skipped),
        }


def summary_of(record: Mapping[str, Any]) -> str:
    """What `ImageFolder.record` holds, in one line."""
    behind = f" ({record['linked']} in linked folders)" if record["linked"] else ""
    skipped = ", ".join(f"{count} {why}" for why, count in record["skipped"].items())
    read = f"{record['folder']}: {record['images']} images{behind}"
    return f"{read}; skipped {skipped}" if skipped else read


def images_in(folder: Path, what: str = "") -> ImageFolder:
    """The images of a folder and its subfolders, linked ones included.

    Names that begin with a dot are skipped, files and folders (`.ipynb_checkpoints`, `._copy.png`), and so
    is a folder that was read before: links that lead back make no loop, and no image counts twice. A file
    belongs to the set by its suffix, else by its first bytes. A link to an image that is gone stays in the
    set, so that reading it fails: a set must be complete.

    Args:
        what: how messages call the folder ("generated", "reference"); empty: the folder.

    Raises:
        DataError: there is no such folder, it holds no image, or a subfolder cannot be read.
    """
    side = f"{what} folder" if what else "folder"
    if not folder.is_dir():
        raise DataError(f"There is no {side} {folder}.", "Check the path.")
    walk = _Walk(folder, side)
    found = sorted(walk.files(folder, linked=False), key=lambda pair: pair[0].relative_to(folder))
    images = tuple(Image(path=path, name=path.relative_to(folder).as_posix()) for path, _ in found)
    read = ImageFolder(folder, images, dict(walk.skipped), sum(linked for _, linked in found))
    if not images:
        skipped = ", ".join(f"{count} {why}" for why, count in read.skipped.items())
        raise DataError(
            f"The {side} {folder} holds no images" + (f" (skipped {skipped})." if skipped else "."),
            "Images are PNG, JPEG, WebP, GIF, AVIF, BMP, TIFF or PPM files, at any depth.",
        )
    return read


class _Walk:
    """One pass over a folder's tree; every real folder is entered once."""

    def __init__(self, root: Path, side: str) -> None:
        self.skipped: Counter[str] = Counter()
        self._side = side
        self._entered: set[tuple[int, int]] = set()

    def files(self, folder: Path, *, linked: bool) -> Iterator[tuple[Path, bool]]:
        """The images, each with whether a linked folder leads to it."""
        try:
            state = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            raise DataError(
                f"{folder} in the {self._side} cannot be read ({error.strerror}).",
                "A set of images must be complete.",
            ) from error
        if (state.st_dev, state.st_ino) in self._entered:
            self.skipped["folders that were read under another name"] += 1
            return
        self._entered.add((state.st_dev, state.st_ino))
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                self.skipped["hidden (the name begins with a dot)"] += 1
            elif entry.is_dir():
                yield from self.files(path, linked=linked or entry.is_symlink())
            elif reason := _no_image(path):
                self.skipped[reason] += 1
            else:
                yield path, linked


def _no_image(path: Path) -> str:
    """Why a file is not part of a set of images; empty where it is."""
    suffix = path.suffix.lower()
    try:
        mode = path.stat().st_mode
    except OSError:  # a link to nowhere
        return "" if suffix in SUFFIXES else "broken links"
    if not stat.S_ISREG(mode):  # opening a pipe waits for ever
        return "no plain files"
    if suffix in SUFFIXES:
        return ""
    if suffix not in _TEXTUAL and _looks_like_image(path):
        return ""
    return f"{suffix} files" if suffix else "files that are no images"


def _looks_like_image(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return (
        head.startswith(_MAGIC)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in _BRANDS)
        or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace())
    )


__getattr__ = renamed(__name__, {"told_record": "evalsuite.data.folders.summary_of"})
