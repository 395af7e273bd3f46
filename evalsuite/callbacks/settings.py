"""What both callbacks share: from arguments to a plan, and from a run to the numbers that are logged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalsuite.errors import EvalsuiteError
from evalsuite.registry import Registry, load_registry
from evalsuite.running.builder import Asked
from evalsuite.store import RunReader
from evalsuite.watching import Plan, measure_checkpoint

_log = logging.getLogger(__name__)
PREFIX = "evalsuite/"


def plan_of(
    model: str,
    tasks: str | Sequence[str],
    out: Path | str,
    *,
    suite: str | None,
    plugins: Sequence[Path | str],
    registry: Registry | None,
    settings: dict[str, Any],
) -> Plan:
    """The plan of a callback. Raises SpecError for unknown settings."""
    from evalsuite.running.runfile import option_texts
    from evalsuite.spec import ExecutionOptions

    files = [Path(path) for path in plugins]
    execution = {name: settings.pop(name) for name in list(settings) if name in ExecutionOptions.model_fields}
    for name in ("options", "task_options"):
        if name in settings:
            settings[name] = option_texts(settings[name])
    if "data" in settings and settings["data"] is not None:
        settings["data"] = Path(settings["data"])
    try:
        asked = Asked(
            tasks=[tasks] if isinstance(tasks, str) else list(tasks), suite=suite, plugins=files,
            execution=execution, **settings,
        )  # fmt: skip
    except TypeError as error:
        from evalsuite.errors import SpecError

        raise SpecError(f"A callback has no such setting ({error}).", "See evalsuite.run.") from error
    how = Plan(model, Path(out), registry or load_registry(files), asked)
    how.planned(Path("checkpoint-0"))  # a misspelt task is refused now, not after an hour of training
    return how


def numbers_of(checkpoint: Path, how: Plan, *, strict: bool) -> dict[str, float]:
    """Measures a checkpoint and gives its numbers as trackers get them, with `PREFIX`.

    Args:
        strict: an error ends the training; else it is logged as a warning, and there are no numbers.
    """
    from evalsuite.loggers import entry_of

    try:
        outcome = measure_checkpoint(checkpoint, how)
    except EvalsuiteError as error:
        if strict:
            raise
        _log.warning("%s is not measured: %s", checkpoint, error)
        return {}
    with RunReader(outcome.path) as reader:
        return {f"{PREFIX}{name}": value for name, value in entry_of(reader, images=0).scalars.items()}
