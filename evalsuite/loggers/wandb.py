"""Weights & Biases: a project, a run per series, the training step as x-axis."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from evalsuite.loggers.entries import Entry
from evalsuite.loggers.per_series import RunPerSeries

if TYPE_CHECKING:
    from PIL.Image import Image

STEP = "training step"
"""A metric of its own as x-axis: wandb's own step must never go back, and checkpoints may come late."""
_WAIT = 30


def open_sink(where: str, project: str) -> Wandb:
    """`where`: `offline` writes files that `wandb sync` uploads; else an entity; empty: the user's own."""
    return Wandb(where, project)


class Wandb(RunPerSeries):
    """A series' run has an id of its project and name, by which a later call finds it."""

    def _opened(self, entry: Entry) -> Any:
        import wandb

        offline = self.where == "offline"
        name = hashlib.sha256(f"{self.project}\0{entry.series}".encode()).hexdigest()[:16]
        run = wandb.init(
            project=self.project,
            entity=None if offline else self.where or None,
            id=name,
            name=entry.series,
            resume=None if offline else "allow",
            mode="offline" if offline else None,
            config=dict(entry.parameters),
            reinit="create_new",  # a trainer may have a run of its own
            settings=wandb.Settings(init_timeout=_WAIT, silent=True, console="off"),
        )
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP)
        return run

    def _shown(self, image: Image) -> Any:
        import wandb

        return wandb.Image(image)

    def _log(self, run: Any, told: dict[str, Any], step: int) -> None:
        run.log({STEP: step, **told})

    def _finish(self, run: Any) -> None:
        run.finish()
