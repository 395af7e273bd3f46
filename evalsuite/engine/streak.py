"""Equal failures in a row: a permanent fault is not to be paid for on every sample."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalsuite.engine.prepare import Ready
from evalsuite.engine.worker import Outcome
from evalsuite.errors import UnavailableError

_NUMBERS = re.compile(r"\d+")


class Streak:
    """Device steps that failed in a row with the same reason, numbers in it aside."""

    def __init__(self) -> None:
        self._count, self._kind, self._reason = 0, "", ""

    def add(self, ended: Sequence[tuple[Ready, Outcome]]) -> None:
        for ready, outcome in ended:
            if ready.prepared is None:
                continue  # its own data's fault, which says nothing of the model
            kind = "" if outcome.response is not None else _NUMBERS.sub("#", outcome.error)
            self._count = self._count + 1 if kind and kind == self._kind else int(bool(kind))
            self._kind, self._reason = kind, outcome.error

    def check(self, most: int) -> None:
        """Raises UnavailableError when the limit is reached; 0 is no limit."""
        if most and self._count >= most:
            raise UnavailableError(
                f"{self._count} samples in a row failed with the same reason: {self._reason}",
                "Correct it and run again with --retry-failed; --equal-failures 0 asks to the end.",
            )
