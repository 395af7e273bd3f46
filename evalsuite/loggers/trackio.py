"""trackio: a local project (or a Space), a run per series, the training step as step."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

from evalsuite.loggers.entries import Entry
from evalsuite.loggers.per_series import RunPerSeries

if TYPE_CHECKING:
    from PIL.Image import Image


def open_sink(where: str, project: str) -> Trackio:
    """`where`: a Space, `owner/name`; empty: this machine (`TRACKIO_DIR`)."""
    return Trackio(where, project)


class Trackio(RunPerSeries):
    """trackio greets on standard output when a run begins and ends: that is kept off it."""

    def _opened(self, entry: Entry) -> Any:
        import trackio

        with contextlib.redirect_stdout(io.StringIO()):
            return trackio.init(
                self.project, entry.series, space_id=self.where or None, config=dict(entry.parameters),
                resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False,
            )  # fmt: skip

    def _shown(self, image: Image) -> Any:
        import trackio

        return trackio.Image(image)

    def _log(self, run: Any, told: dict[str, Any], step: int) -> None:
        run.log(told, step=step)

    def _finish(self, run: Any) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            run.finish()
