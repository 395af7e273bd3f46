"""trackio: a local project (or a Space), a run per series, the training step as step."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from evalsuite.data.images import decode
from evalsuite.loggers.entries import Entry


def open_sink(where: str, project: str) -> Trackio:
    """`where`: a Space, `owner/name`; empty: this machine (`TRACKIO_DIR`)."""
    return Trackio(where, project)


class Trackio:
    """One trackio run at a time."""

    def __init__(self, where: str, project: str) -> None:
        self._where = where
        self._project = project
        self._run: Any = None
        self._series: str | None = None

    def write(self, entry: Entry) -> None:
        import trackio

        run = self._of(entry)
        told: dict[str, Any] = dict(entry.scalars)
        for picture in entry.pictures:
            told[picture.key] = trackio.Image(decode(picture.image).convert("RGB"))
        run.log(told, step=entry.step)

    def _of(self, entry: Entry) -> Any:
        import trackio

        if self._series == entry.series:
            return self._run
        self.close()
        with contextlib.redirect_stdout(io.StringIO()):  # it greets
            self._run = trackio.init(
                self._project, entry.series, space_id=self._where or None, config=dict(entry.parameters),
                resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False,
            )  # fmt: skip
        self._series = entry.series
        return self._run

    def close(self) -> None:
        if self._run is not None:
            with contextlib.redirect_stdout(io.StringIO()):
                self._run.finish()
        self._run, self._series = None, None
