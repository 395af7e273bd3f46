"""The folder of a site: taken only when it is empty or ours, and there only when it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalsuite.durable import new_folder, reporting
from evalsuite.report.encoding import script

MARKER = "evalsuite-report.json"
"""Says that a folder is a report, and so may be overwritten."""

_MADE = (
    "assets",
    "data",
    "images",
    "thumbnails",
    "tasks",
    "samples",
    "index.html",
    "provenance.html",
    "training.html",
    "compare.html",
    "compare",
)
_REMEDY = "Choose another --out, or make a smaller report with --max-samples or --no-images."


@contextmanager
def site(root: Path) -> Iterator[Output]:
    """A site to write; when the block ends it takes the place of an earlier one.

    Files that are not a report's own (a `CNAME`, a `.git`) stay.

    Raises:
        StoreError: the folder is a file, holds something else than a report, or cannot be written.
    """
    with new_folder(root, is_report, what="an earlier report", made=_MADE, remedy=_REMEDY) as folder:
        output = Output(folder)
        yield output
        text = json.dumps({"what": "a report of evalsuite", "complete": True})
        (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def is_report(folder: Path) -> bool:
    """Whether `evalsuite report` made a folder."""
    return (folder / MARKER).is_file()


class Output:
    """Writes the files of a site.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.size = 0
        """Bytes written."""
        self._written: set[str] = set()

    def write(self, name: str, data: bytes) -> None:
        """Writes a file; `name` is relative to the site and made by us, never by a model or a data set."""
        target = self.root / name
        with reporting(target, _REMEDY):
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
