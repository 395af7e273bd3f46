"""What trackers have in common that keep a run open: one at a time, a run for each series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from evalsuite.data.images import decode
from evalsuite.loggers.entries import Entry

if TYPE_CHECKING:
    from PIL.Image import Image


class RunPerSeries(ABC):
    """Opens a run when a series begins, closes it when another does, and logs a series' entries into it.

    Args:
        where: what the user wrote behind the tracker's name.
        project: in which the runs are.
    """

    def __init__(self, where: str, project: str) -> None:
        self.where = where
        self.project = project
        self._run: Any = None
        self._series: str | None = None

    def write(self, entry: Entry) -> None:
        if self._series != entry.series:
            self.close()
            self._run = self._opened(entry)
            self._series = entry.series
        told: dict[str, Any] = dict(entry.scalars)
        for one in entry.images:
            told[one.key] = self._shown(decode(one.image).convert("RGB"))
        self._log(self._run, told, entry.step)

    def close(self) -> None:
        if self._run is not None:
            self._finish(self._run)
        self._run, self._series = None, None

    @abstractmethod
    def _opened(self, entry: Entry) -> Any:
        """The tracker's run of the entry's series; the one that is there goes on."""

    @abstractmethod
    def _shown(self, image: Image) -> Any:
        """An RGB image as the tracker takes it."""

    @abstractmethod
    def _log(self, run: Any, told: dict[str, Any], step: int) -> None:
        """Logs numbers and images by name at a training step."""

    @abstractmethod
    def _finish(self, run: Any) -> None:
        """Ends a run of `_opened`."""
