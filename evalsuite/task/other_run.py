"""What another run generated, for tasks that show it: images (`--task-option images=RUN`), documents."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from evalsuite.content import Document, Image
from evalsuite.errors import SampleError, SpecError
from evalsuite.request import DocumentResponse, ImageResponse, Response
from evalsuite.store import RunReader


class OtherRun:
    """The responses of a run's samples, read one sample at a time.

    Args:
        path: the run.
        tasks: names of the benchmarks of which the run must have one, in any protocol.
        option: that names the run, for messages.

    Raises:
        SpecError: the run has no such task, or several.
    """

    def __init__(self, path: Path, *tasks: str, option: str) -> None:
        self.path = path
        self._open = threading.local()
        begins = tuple(f"{task}{mark}" for task in tasks for mark in "@/")
        found = [key for key in self._run.task_keys if key in tasks or key.startswith(begins)]
        if len(found) != 1:
            raise SpecError(
                f"{option}={path}: the run has {len(found)} tasks {' or '.join(map(repr, tasks))} "
                f"(it has: {', '.join(self._run.task_keys)}).",
                "Name a run that answered this benchmark once.",
            )
        (self._key,) = found

    @property
    def model(self) -> str:
        """The model that generated them."""
        return self._run.model_name

    def responses(self, sample: str) -> list[Response | None]:
        """Those of a sample, in the order of its steps; None where one failed."""
        return [record.response for record in self._run.steps(self._key, sample)]

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


class OtherImages(OtherRun):
    """The generated images of a run of the benchmark `task`."""

    def __init__(self, path: Path, task: str) -> None:
        super().__init__(path, task, option="images")

    def of(self, sample: str) -> list[tuple[Image, ...]]:
        """The images of a sample: one tuple per response that holds images, in order."""
        return [one.images for one in self.responses(sample) if isinstance(one, ImageResponse)]


class OtherDocuments(OtherRun):
    """The documents of a run of one of several benchmarks that ask for the same."""

    def of(self, sample: str) -> Document:
        """The document of a sample. Raises SampleError where the run has none."""
        found = [one for one in self.responses(sample) if isinstance(one, DocumentResponse)]
        if not found:
            raise SampleError(f"the run {self.path} has no document of this sample")
        return found[-1].parts
