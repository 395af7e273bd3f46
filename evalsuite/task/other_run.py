"""The images that another run generated, as a task's samples ask about them (`--task-option images=RUN`)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import SpecError
from evalsuite.request import ImageResponse
from evalsuite.store import RunReader


class OtherImages:
    """The generated images of a run's samples, read one sample at a time.

    Args:
        path: the run.
        task: name of the benchmark whose images are meant; the run must have it, in any protocol.

    Raises:
        SpecError: the run has no such task, or several.
    """

    def __init__(self, path: Path, task: str) -> None:
        self.path = path
        self._open = threading.local()
        found = [
            key for key in self._run.task_keys if key == task or key.startswith((f"{task}@", f"{task}/"))
        ]
        if len(found) != 1:
            raise SpecError(
                f"images={path}: the run has {len(found)} tasks {task!r} "
                f"(it has: {', '.join(self._run.task_keys)}).",
                "Name a run that generated this benchmark's images once.",
            )
        (self._key,) = found

    @property
    def model(self) -> str:
        """The model that generated them."""
        return self._run.model_name

    def of(self, sample: str) -> list[tuple[Image, ...]]:
        """The images of a sample: one tuple per response that holds images, in order."""
        records = self._run.steps(self._key, sample)
        responses = [record.response for record in records]
        return [one.images for one in responses if isinstance(one, ImageResponse)]

    @property
    def _run(self) -> RunReader:
        """The run, opened once by each thread: samples are asked for by several."""
        found: RunReader | None = getattr(self._open, "run", None)
        if found is None:
            found = self._open.run = RunReader(self.path)
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Without the open run, which another process opens itself."""
        return {key: value for key, value in self.__dict__.items() if key != "_open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open = threading.local()
