"""What the engine reports while it runs."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called from the main thread: stages, then start, batches and notes, then stages, then end."""

    def on_stage(self, text: str) -> None:
        """What is being done now, for people: `loading dreamllm-mini`, `scoring mini-vqav2`."""
        ...

    def on_start(self, total: int, done: int) -> None:
        """Samples of all tasks of the run, and how many of them earlier sessions finished."""
        ...

    def on_batch(self, done: int, failed: int, task: str) -> None:
        """`done` more samples of `task` are finished and on disk, `failed` of them failed."""
        ...

    def on_note(self, task: str, text: str) -> None:
        """Something a reader of the results should know; it is in the store too."""
        ...

    def on_end(self) -> None:
        """Nothing more comes; also after an error or Ctrl-C."""
        ...


class NullProgress:
    """Watches nothing."""

    def on_stage(self, text: str) -> None: ...

    def on_start(self, total: int, done: int) -> None: ...

    def on_batch(self, done: int, failed: int, task: str) -> None: ...

    def on_note(self, task: str, text: str) -> None: ...

    def on_end(self) -> None: ...
