"""What was found out once and holds for later runs, in a file of the user's cache."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


class Remembered:
    """Values by owner and key; a damaged or read-only file is no error.

    Args:
        path: a JSON file of objects in an object.
        owner: whom the values belong to.
    """

    def __init__(self, path: Path, owner: str) -> None:
        self._path = path
        self._owner = owner

    def get(self, key: str) -> Any:
        """The value; None where there is none."""
        return self._read().get(self._owner, {}).get(key)

    def put(self, key: str, value: Any) -> None:
        """Keeps a value (JSON-able); what other processes have put stays."""
        from filelock import FileLock

        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._path}.lock"):
                known = self._read()
                known.setdefault(self._owner, {})[key] = value
                fresh = self._path.with_suffix(f".{os.getpid()}")
                fresh.write_text(json.dumps(known, indent=1), encoding="utf-8")
                fresh.replace(self._path)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        whole = isinstance(known, dict) and all(isinstance(values, dict) for values in known.values())
        return known if whole else {}
