"""What `evalsuite data check` reports of a benchmark's data; tasks fill it in, no benchmark is known here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalsuite.errors import DataError

State = Literal["ok", "missing", "different", "made when needed"]


@dataclass(frozen=True, slots=True)
class FileReport:
    """One role of a source.

    Args:
        name: file, pattern or image path as the benchmark declares it.
        state: `different` is a file whose checksum is not the published one.
        size: bytes on disk, all files of a pattern together; 0 for folders of images.
        detail: what else is known (shards, checksum).
        optional: only some options need it (in-context examples).
    """

    role: str
    name: str
    state: State
    size: int = 0
    detail: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One of the ways to have the data.

    Args:
        reader: its name; `--task-option source=` chooses it.
        folder: where it was looked for; None where no folder is known.
        get, size: where people find the files, and how large they are.
        note: how this copy differs from the official set.
    """

    reader: str
    folder: Path | None
    files: tuple[FileReport, ...]
    get: str = ""
    size: str = ""
    note: str = ""

    @property
    def complete(self) -> bool:
        """Whether all files are here that are needed; images are counted one by one."""
        return all(
            file.state in ("ok", "made when needed")
            for file in self.files
            if not file.optional and not file.role.startswith("images")
        )


@dataclass(frozen=True, slots=True)
class DataReport:
    """What is here of a benchmark's data.

    Args:
        expected: samples in the complete official split; None where it is not recorded.
        used: the source that a run would read; None where there is none.
        samples: how many were read; None where they were not (a listing does not read).
        images, missing_images: images that are files of their own, and those of them that are not here.
        problems: all that keeps the data from being complete, a line each.
    """

    name: str
    title: str
    licence: str
    home: str
    expected: int | None
    sources: tuple[SourceReport, ...]
    used: SourceReport | None = None
    samples: int | None = None
    images: int = 0
    missing_images: int = 0
    problems: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.used is not None and self.used.complete and not self.problems

    @property
    def state(self) -> Literal["here", "made when needed", "incomplete", "missing"]:
        """How far the data are here."""
        if self.used is None:
            return "missing"
        if any(file.state == "made when needed" for file in self.used.files):
            return "made when needed"
        return "here" if self.complete else "incomplete"


def agrees_with(path: Path, checksum: str) -> bool:
    """Whether a file has a published checksum, `md5:HEX` or `sha256:HEX`.

    Raises:
        DataError: the checksum is of another kind, or the file cannot be read.
    """
    kind, _, expected = checksum.partition(":")
    if kind not in ("md5", "sha256"):
        raise DataError(f"{checksum!r} is neither md5 nor sha256.", "Correct the benchmark's file.")
    try:
        with path.open("rb") as stream:
            made = hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", "Check the data folder.") from error
    return made.hexdigest() == expected.lower()


def bytes_of(paths: Iterable[Path]) -> int:
    """The size of files together; folders count nothing."""
    return sum(path.stat().st_size for path in paths if path.is_file())
