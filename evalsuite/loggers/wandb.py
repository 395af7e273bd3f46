"""Weights & Biases: a project, a run per series, the training step as x-axis."""

from __future__ import annotations

import hashlib
from typing import Any

from evalsuite.data.images import decode
from evalsuite.loggers.entries import Entry

STEP = "training step"
"""A metric of its own as x-axis: wandb's own step must never go back, and checkpoints may come late."""
_WAIT = 30


def open_sink(where: str, project: str) -> Wandb:
    """`where`: `offline` writes files that `wandb sync` uploads; else an entity; empty: the user's own."""
    return Wandb(where, project)


class Wandb:
    """One wandb run at a time."""

    def __init__(self, where: str, project: str) -> None:
        self._where = where
        self._project = project
        self._run: Any = None
        self._series: str | None = None

    def write(self, entry: Entry) -> None:
        import wandb

        run = self._of(entry)
        told: dict[str, Any] = {STEP: entry.step, **entry.scalars}
        for picture in entry.pictures:
            told[picture.key] = wandb.Image(decode(picture.image).convert("RGB"))
        run.log(told)

    def _of(self, entry: Entry) -> Any:
        import wandb

        if self._series == entry.series:
            return self._run
        self.close()
        offline = self._where == "offline"
        name = hashlib.sha256(f"{self._project}\0{entry.series}".encode()).hexdigest()[:16]
        self._run = wandb.init(
            project=self._project,
            entity=None if offline else self._where or None,
            id=name,
            name=entry.series,
            resume=None if offline else "allow",
            mode="offline" if offline else None,
            config=dict(entry.parameters),
            reinit="create_new",  # a trainer may have a run of its own
            settings=wandb.Settings(init_timeout=_WAIT, silent=True, console="off"),
        )
        self._run.define_metric(STEP)
        self._run.define_metric("*", step_metric=STEP)
        self._series = entry.series
        return self._run

    def close(self) -> None:
        if self._run is not None:
            self._run.finish()
        self._run, self._series = None, None
