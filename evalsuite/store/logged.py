"""`logged.json` of a run: which trackers have its numbers, so that none gets them twice."""

from __future__ import annotations

import json
from pathlib import Path

from evalsuite.store.layout import reporting, write_durably

LOGGED = "logged.json"


def read_logged(root: Path) -> dict[str, str]:
    """Destination -> digest of what was logged there; empty where nothing was, or where the file is damaged:
    then all is logged again."""
    try:
        found = json.loads((root / LOGGED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def write_logged(root: Path, destination: str, digest: str | None) -> None:
    """Notes that a destination has the numbers of this digest; None forgets it. Raises StoreError."""
    known = read_logged(root)
    if digest is None:
        if known.pop(destination, None) is None:
            return
    else:
        known[destination] = digest
    with reporting(root):
        write_durably(root / LOGGED, json.dumps(known, indent=1).encode())
