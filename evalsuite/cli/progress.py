"""Shows how a run goes: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from evalsuite.cli.common import messages

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_LINE_EVERY = 15.0
"""Seconds between two lines in a log."""


class RunProgress:
    """Watches one run: rate, time left, failures.

    Args:
        name: of the run, in front of every line.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._console = messages()
        self._bar: Bar | None = None
        self._id: TaskID | None = None
        self._total = self._done = self._before = self._failed = 0
        self._started = self._reported = 0.0

    def on_stage(self, text: str) -> None:
        if self._console.is_terminal:
            bar, task = self._shown()
            bar.update(task, stage=text)
        else:
            self._line(text)

    def on_start(self, total: int, done: int) -> None:
        self._total, self._done, self._before = total, done, done
        self._started = self._reported = time.monotonic()
        resumed = f", {done} of them answered before" if done else ""
        if self._console.is_terminal:
            bar, task = self._shown()
            bar.update(task, total=total, completed=done, stage="asking")
        else:
            self._line(f"{total} samples{resumed}")

    def on_batch(self, done: int, failed: int, task: str) -> None:
        self._done += done
        self._failed += failed
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, completed=self._done, stage=task, rate=self._rate())
        elif time.monotonic() - self._reported > _LINE_EVERY:
            self._reported = time.monotonic()
            self._line(f"{self._done} of {self._total} ({task}), {self._rate()}, {self._left()} left")

    def on_note(self, task: str, text: str) -> None:
        self._console.print(f"{self._name}: note on {task}: {text}", style="yellow", markup=False)

    def on_end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._id = None

    def _line(self, text: str) -> None:
        self._console.print(f"{self._name}: {text}", markup=False)

    def _rate(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{(self._done - self._before) / self._elapsed():.1f}/s{failed}"

    def _left(self) -> str:
        answered = self._done - self._before
        if not answered:
            return "?"
        seconds = round((self._total - self._done) * self._elapsed() / answered)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def _elapsed(self) -> float:
        return max(time.monotonic() - self._started, 1e-3)

    def _shown(self) -> tuple[Bar, TaskID]:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        if self._bar is None or self._id is None:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                TextColumn("{task.fields[stage]}", style="dim", markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}", markup=False),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._id = self._bar.add_task(self._name, total=None, stage="", rate="")
            self._bar.start()
        return self._bar, self._id
