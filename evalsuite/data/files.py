"""Finds a benchmark's files: where the user said, under EVALSUITE_DATA, never outside the folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from evalsuite.data.opening import require_file
from evalsuite.errors import DataError

ENVIRONMENT = "EVALSUITE_DATA"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a benchmark's files can be had, for error messages and `evalsuite data check`.

    Args:
        benchmark: its name, which is also the name of its folder under EVALSUITE_DATA.
        get: address or command.
        size: as people say it, "6.3 GB".
        licence: of the data.
    """

    benchmark: str
    get: str = ""
    size: str = ""
    licence: str = ""

    @property
    def remedy(self) -> str:
        """One line: where to get the files, how large they are, and where they are looked for."""
        source = f"Get it from {self.get}" if self.get else "Get the benchmark's official files"
        size = f" ({self.size})" if self.size else ""
        return (
            f"{source}{size} and name the folder with --data, or put it at ${ENVIRONMENT}/{self.benchmark}."
        )


def data_folder(benchmark: str, given: Path | None = None) -> Path | None:
    """The folder that holds a benchmark's files, or None where the user has named none.

    Order: `given` (--data), `$EVALSUITE_DATA/<benchmark>`.

    Raises:
        DataError: `given` is not a folder.
    """
    if given is not None:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise DataError(
                f"Data folder {folder} for {benchmark} does not exist.", "Check the path after --data."
            )
        return folder
    root = os.environ.get(ENVIRONMENT)
    if root:
        folder = Path(root).expanduser() / benchmark
        if folder.is_dir():
            return folder
    return None


def looked_in(benchmark: str, given: Path | None = None) -> str:
    """The places `data_folder` looks at, for messages."""
    if given is not None:
        return str(given)
    root = os.environ.get(ENVIRONMENT)
    return str(Path(root).expanduser() / benchmark) if root else f"${ENVIRONMENT}/{benchmark} (not set)"


def inside(folder: Path, name: str) -> Path:
    """`folder / name` for a file name that a data set gave.

    Raises:
        DataError: the name is empty, absolute, or climbs out of the folder. Links that the user put into the
            folder are followed: image folders are often links to another disk.
    """
    parts = re.split(r"[/\\]", name)
    if not name or "\0" in name or ".." in parts or parts[0] == "" or re.match(r"^[A-Za-z]:", name):
        raise DataError(
            f"File name {name!r} would leave the data folder {folder}.",
            "Names in data sets must be relative to it.",
        )
    return folder.joinpath(*parts)


_READ_PACKED = frozenset({".json", ".jsonl", ".lst"})
"""Formats whose readers unpack `.gz`."""


def present(folder: Path, name: str) -> Path | None:
    """As `require`; None where it is not there."""
    path = inside(folder, name)
    packed = path.with_name(path.name + ".gz")
    require_file(path)
    if path.exists():
        return path
    require_file(packed)
    return packed if path.suffix in _READ_PACKED and packed.exists() else None


def require(folder: Path, name: str, origin: Origin) -> Path:
    """The file (or folder) `name` in `folder`; of `x.json` also `x.json.gz`.

    Raises:
        DataError: it is not there; says where it was looked for and where to get it.
    """
    found = present(folder, name)
    if found is not None:
        return found
    raise DataError(f"{origin.benchmark}: {name} is not in {folder}.", origin.remedy)


def require_all(folder: Path, pattern: str, origin: Origin) -> list[Path]:
    """The files that match a pattern such as `data/validation-*.parquet`, sorted; at least one.

    Where the folder has no such subfolders, the last part of the pattern is looked for in the folder itself.

    Raises:
        DataError: none match, or a numbered shard (`-00003-of-00068`) is missing.
    """
    inside(folder, pattern)
    found = sorted(folder.glob(pattern)) or sorted(folder.glob(pattern.rsplit("/", 1)[-1]))
    if not found:
        raise DataError(f"{origin.benchmark}: no file matches {pattern} in {folder}.", origin.remedy)
    for path in found:
        require_file(path)
    missing = _missing_shards(found)
    if missing:
        raise DataError(
            f"{origin.benchmark}: shard {missing[0]} of {found[0].parent} is missing"
            + (f" (and {len(missing) - 1} more)." if len(missing) > 1 else "."),
            "Fetch the data set again.",
        )
    return found


_SHARD = re.compile(r"^(.*-)(\d{5})(-of-)(\d{5})(.*)$")


def _missing_shards(paths: list[Path]) -> list[str]:
    """Names of shards that the other shards' names promise."""
    names = {path.name for path in paths}
    missing: list[str] = []
    seen: set[tuple[str, str, str]] = set()
    for name in sorted(names):
        match = _SHARD.match(name)
        if match is None:
            continue
        head, _, of, total, tail = match.groups()
        # Hub shards may carry a content hash behind the count, so the tail of a missing one is not known.
        stem = (head, of, total)
        if stem in seen:
            continue
        seen.add(stem)
        have = {
            m.group(2) for m in map(_SHARD.match, names) if m and m.group(1) == head and m.group(4) == total
        }
        for number in range(int(total)):
            if f"{number:05d}" not in have:
                missing.append(f"{head}{number:05d}{of}{total}{tail}")
    return missing
