"""Trainings and where their numbers go: watching checkpoints, logging runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalsuite.api.common import listed, registry_of

if TYPE_CHECKING:
    from evalsuite.loggers import Outcome
    from evalsuite.registry import Registry
    from evalsuite.watching import Watched


def watch(
    folder: Path | str,
    model: str,
    tasks: str | Sequence[str] = (),
    out: Path | str = "runs",
    *,
    suite: str | None = None,
    which: Literal["all", "newest"] = "all",
    until: int | None = None,
    idle_timeout: float | None = 0.0,
    poll: float = 5.0,
    marker: str = "",
    series: str | None = None,
    train_seed: int | None = None,
    limit: int | None = None,
    seed: int | None = None,
    data: Path | str | None = None,
    options: Mapping[str, Any] | None = None,
    task_options: Mapping[str, Any] | None = None,
    device: str | None = None,
    dtype: str | None = None,
    plugins: Iterable[Path | str] = (),
    registry: Registry | None = None,
    told: Callable[[Watched], None] = lambda _: None,
    **execution: Any,
) -> list[Watched]:
    """Measures the whole checkpoints of a training, each once, in the order of their steps.

    Args:
        folder: output folder of the training.
        model: adapter that loads its checkpoints, such as `dreamllm`.
        tasks, suite: what is measured.
        out: folder of the runs, one per checkpoint, named like it.
        which: `newest` leaves out those that are older than another whole one.
        until: ends when a checkpoint of this step or a later one is measured.
        idle_timeout: seconds without a new checkpoint after which it ends; 0, the default here, measures what
            is there; None waits for ever.
        poll: seconds between two looks.
        marker: file that the training writes into a checkpoint when it is whole.
        series, train_seed: of the training; read from the folder by default.
        limit, seed, data, options, task_options, device, dtype, plugins, registry, execution: as for `run`.
        told: called with each checkpoint when it is done.

    Raises:
        SpecError: an unknown name or setting.
        StoreError: `folder` is a file, or two checkpoints are of one step.
    """
    from evalsuite.running.builder import Asked
    from evalsuite.running.runfile import option_texts
    from evalsuite.watching import Plan
    from evalsuite.watching import watch as watch_folder

    files = [Path(path) for path in plugins]
    asked = Asked(
        suite=suite, tasks=[tasks] if isinstance(tasks, str) else list(tasks), limit=limit, seed=seed,
        data=Path(data) if data is not None else None, options=option_texts(options or {}),
        task_options=option_texts(task_options or {}), device=device, dtype=dtype, plugins=files,
        series=series, train_seed=train_seed, execution=execution,
    )  # fmt: skip
    how = Plan(model, Path(out), registry_of(registry, files), asked)
    where = Path(folder).absolute()
    how.planned(where / "checkpoint-0")  # wrong settings are an error now, not at a checkpoint
    return watch_folder(
        where, how, which=which, until=until, idle_timeout=idle_timeout, poll=poll, marker=marker, told=told
    )


def log_runs(
    runs: Path | str | Iterable[Path | str], to: str, project: str | None = None, *, again: bool = False
) -> Outcome:
    """Logs scored runs to an experiment tracker: numbers, intervals, some images, at the training's step.

    Args:
        runs: runs, or folders of runs.
        to: `tensorboard`, `mlflow`, `wandb` or `trackio`, with `:WHERE` for a folder or server.
        project: or experiment; `evalsuite` by default.
        again: also what was logged there before.

    Returns:
        How many runs were logged, and why it stopped where it did: a tracker that cannot be reached is no
        exception.

    Raises:
        SpecError: there is no such tracker.
        UnavailableError: its library is not installed.
        StoreError: there is no run.
    """
    from evalsuite.leaderboards.frame import runs_in
    from evalsuite.loggers import destination, forget, log_all

    place = destination(to, project)
    paths = runs_in(listed(runs))
    if again:
        forget(paths, place)
    return log_all(paths, place)
