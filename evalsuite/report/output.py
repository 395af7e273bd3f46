"""The folder of a site: taken only when it is empty or ours, written file by file, stale files removed."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalsuite.errors import StoreError
from evalsuite.report.encoding import script

MARKER = "evalsuite-report.json"
"""Says that a folder is a report, and so may be written anew."""

_FOLDERS = ("assets", "data", "images", "thumbnails", "tasks", "samples")
_PAGES = ("index.html", "provenance.html")


class Output:
    """Writes a site; whatever an earlier report left in the folder and this one did not write is removed.

    Files that are not a report's own (a `CNAME`, a `.git`) stay.

    Args:
        root: the folder. Raises StoreError when it is a file, holds something else than a report, or cannot
            be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.size = 0
        """Bytes written."""
        self._written: set[str] = set()
        with _reporting(root):
            if root.exists() and not root.is_dir():
                raise StoreError(f"{root} is a file, not a folder.", "Choose another --out.")
            if root.is_dir() and any(root.iterdir()) and not (root / MARKER).is_file():
                raise StoreError(
                    f"{root} is not empty and not an earlier report.",
                    "Choose another --out, or empty it yourself.",
                )
            root.mkdir(parents=True, exist_ok=True)
        self._mark(complete=False)

    def write(self, name: str, data: bytes) -> None:
        """Writes a file; `name` is relative to the site and made by us, never by a model or a data set."""
        target = self.root / name
        with _reporting(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        self._written.add(name)
        self.size += len(data)

    def write_data(self, name: str, text: str) -> None:
        """Writes JSON as the script `data/NAME.js`, which registers it under `name`."""
        self.write(f"data/{name}.js", script(name, text))

    def has(self, name: str) -> bool:
        """Whether this report wrote the file already."""
        return name in self._written

    def finish(self) -> None:
        """Removes what earlier reports left, and marks the site as complete."""
        with _reporting(self.root):
            for folder in _FOLDERS:
                for path in sorted((self.root / folder).rglob("*"), reverse=True):
                    if path.is_dir() and not path.is_symlink():
                        if not any(path.iterdir()):
                            path.rmdir()
                    elif path.relative_to(self.root).as_posix() not in self._written:
                        path.unlink()
            for page in _PAGES:
                if page not in self._written:
                    (self.root / page).unlink(missing_ok=True)
        self._mark(complete=True)

    def _mark(self, *, complete: bool) -> None:
        with _reporting(self.root):
            text = json.dumps({"what": "a report of evalsuite", "complete": complete})
            (self.root / MARKER).write_text(text + "\n", encoding="utf-8")


@contextmanager
def _reporting(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk is full: {where} could not be written.",
                "Free some space, or make a smaller report with --max-samples or --no-images.",
            ) from error
        raise StoreError(
            f"{where} cannot be written ({error.strerror or error}).", "Choose another --out."
        ) from error
