"""How far a training is: pace, time left, and the curve of its losses and checks as a JSON lines file."""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

log = logging.getLogger(__name__)

CHECKED = "check/"
"""Begins the names of measured figures in the trainer's log."""
CURVE = "curve.jsonl"
"""Name of the curve in a stage's folder."""
PARENT = "EVALSUITE_TRAINING_PARENT"
"""Environment variable with the process that started this one as a worker; a worker ends when it is gone."""


class Curve:
    """Rows `{"step", "minutes", "loss"}` and `{"step", "minutes", <figure>: ...}`, one a line, in order.

    Rows are appended as they are measured. A training that is resumed from a checkpoint repeats the steps
    after it, so what was written of them is dropped first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> list[dict[str, float]]:
        """What was written so far; a last line that a kill has cut off is left out."""
        if not self.path.exists():
            return []
        found: list[dict[str, float]] = []
        for line in self.path.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def resume(self, step: int) -> None:
        """Keep the rows up to a step."""
        kept = [row for row in self.rows() if row["step"] <= step]
        part = self.path.with_suffix(".part")
        part.write_text("".join(json.dumps(row) + "\n" for row in kept))
        part.replace(self.path)

    def add(self, row: dict[str, float]) -> None:
        """Append a row."""
        with self.path.open("a") as out:
            out.write(json.dumps(row) + "\n")


class Clock(TrainerCallback):
    """Logs loss, pace and time left, keeps the curve, and adds up the minutes over resumptions."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "minutes.txt"
        self.curve = Curve(folder / CURVE)
        self.before = float(self.path.read_text()) if self.path.exists() else 0.0
        self.start = time.monotonic()
        self.first_step = 0

    def minutes(self) -> float:
        """Minutes of this training, earlier runs of it included."""
        return self.before + (time.monotonic() - self.start) / 60

    def left(self, state: TrainerState) -> float | None:
        """Minutes that the steps to come take at the pace since the start; None before the first step."""
        done = state.global_step - self.first_step
        if done <= 0:
            return None
        return (time.monotonic() - self.start) / 60 / done * (state.max_steps - state.global_step)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.first_step, self.start = state.global_step, time.monotonic()
        self.curve.resume(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        parent = os.environ.get(PARENT)
        if parent is not None and os.getppid() != int(parent):
            raise SystemExit(f"the training that started this stage (process {parent}) is gone")

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        logs = kwargs.get("logs") or {}
        if "loss" not in logs:
            return
        loss, left = float(logs["loss"]), self.left(state)
        self.curve.add({"step": state.global_step, "minutes": round(self.minutes(), 3), "loss": loss})
        log.info(
            "%s step %d/%d loss %.4f, %.1f min%s",
            self.folder.name, state.global_step, state.max_steps, loss, self.minutes(),
            "" if left is None else f", {left:.1f} min left",
        )  # fmt: skip

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.path.write_text(f"{self.minutes():.3f}")


class Check(TrainerCallback):
    """Measures the model every so often, and at the end, and keeps the figures in the trainer's log (which
    checkpoints carry) and in the curve."""

    def __init__(self, every: int, check: Callable[[], dict[str, float]], clock: Clock) -> None:
        self.every, self.check, self.clock = every, check, clock

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        step = state.global_step
        if step % self.every and step != state.max_steps:
            return
        model = kwargs["model"]
        random_state = torch.get_rng_state()
        model.eval()
        with torch.no_grad():
            figures = self.check()
        model.train()
        torch.set_rng_state(random_state)
        named = {CHECKED + name: value for name, value in figures.items()}
        state.log_history.append({"step": float(step), **named})
        self.clock.curve.add({"step": step, "minutes": round(self.clock.minutes(), 3), **figures})
        log.info("%s step %d: %s", self.clock.folder.name, step, {k: round(v, 4) for k, v in figures.items()})
