"""One checkpoint of a training, measured into a run of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalsuite.engine import NullProgress, Progress
from evalsuite.errors import EvalsuiteError
from evalsuite.model.steps import Place
from evalsuite.registry import Registry
from evalsuite.running.builder import Asked, Planned, RunFile, plan
from evalsuite.running.measuring import RunOutcome, run
from evalsuite.store import RunReader


@dataclass(frozen=True)
class Plan:
    """How checkpoints are measured.

    Args:
        model: adapter that loads them, such as `dreamllm`; the checkpoint becomes its argument.
        out: folder of the runs, one per checkpoint, named like it.
        asked: tasks and settings, as of `evalsuite run`; its models and folder are not used.
        file: settings of a YAML file beneath them.
        progress: makes the progress display from a checkpoint's name.
    """

    model: str
    out: Path
    registry: Registry
    asked: Asked = field(default_factory=Asked)
    file: RunFile = field(default_factory=RunFile)
    progress: Callable[[str], Progress] = lambda _: NullProgress()

    def run_folder(self, checkpoint: Path) -> Path:
        """Where the run of a checkpoint lies."""
        return self.out / checkpoint.name

    def planned(self, checkpoint: Path) -> Planned:
        """The run of a checkpoint. Raises SpecError as `plan` does."""
        asked = replace(self.asked, models=[f"{self.model}:{checkpoint}"], out=self.run_folder(checkpoint))
        (one,), _ = plan(asked, self.file, self.registry)
        return one


def measure_checkpoint(checkpoint: Path, how: Plan, place: Place | None = None) -> RunOutcome:
    """Measures a checkpoint, or resumes its run; what is measured already is not asked again.

    Args:
        checkpoint: its folder.
        place: its step, series and seed; what is None is read from the folder.

    Raises:
        EvalsuiteError: as `evalsuite run`.
    """
    asked = replace(how.asked, models=[f"{how.model}:{checkpoint}"], out=how.run_folder(checkpoint))
    (planned,), options = plan(asked, how.file, how.registry)
    progress = how.progress(checkpoint.name)
    return run(planned.spec, planned.out, options, how.registry, progress, place or planned.place)


def is_measured(folder: Path) -> bool:
    """Whether a run is there, asked to the end and scored, by the session that began it or a later one."""
    try:
        with RunReader(folder) as reader:
            done = {(result.task, result.rules) for result in reader.metrics()}
            own = {(record.key, record.info.rules) for record in reader.manifest.tasks}
            finished = reader.statuses()[-1:] == ("finished",)
            return finished and own <= done and not any(c.missing for c in reader.counts().values())
    except EvalsuiteError:
        return False
