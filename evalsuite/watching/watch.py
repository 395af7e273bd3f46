"""New checkpoints of a training, measured as they appear, each exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalsuite.errors import EvalsuiteError, StoreError, is_interruption, reason_of
from evalsuite.running.measuring import RunOutcome
from evalsuite.watching.folder import SETTLED, Checkpoint, checkpoints, unfinished
from evalsuite.watching.measuring import Plan, is_measured, measure_checkpoint

Which = Literal["all", "newest"]


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of a checkpoint.

    Args:
        outcome: None where it could not be measured.
        problem: why its numbers are not there or not whole; empty where all is well.
    """

    checkpoint: Checkpoint
    outcome: RunOutcome | None
    problem: str = ""


def watch(
    folder: Path,
    how: Plan,
    *,
    which: Which = "all",
    until: int | None = None,
    idle_timeout: float | None = None,
    poll: float = 5.0,
    marker: str = "",
    settled: float = SETTLED,
    told: Callable[[Watched], None] = lambda _: None,
    waiting: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[Watched]:
    """Measures the checkpoints of a training, in the order of their steps, until it is over.

    finished is not made again; one that was interrupted, by whatever, is resumed. One that cannot be
    measured is told, and not tried again before the next start.

    Args:
        folder: output folder of the training; it may not be there yet.
        which: `newest` leaves out those that are older than another whole one.
        until: ends when a checkpoint of this step or a later one is measured.
        idle_timeout: seconds without a new checkpoint after which it ends; 0: measures what is there; None:
            waits for ever.
        poll: seconds between two looks.
        marker, settled: see `folder.unfinished`.
        told: called with each checkpoint when it is done.
        waiting: called with what it waits for when that changes.

    Raises:
        SpecError: the tasks or settings are wrong.
        StoreError: `folder` is none, or two checkpoints are of one step.
        KeyboardInterrupt: what is answered is kept.
    """
    ended: dict[Path, Watched] = {}
    gone: set[Path] = set()
    since, last = clock(), ""
    while True:
        found = [one for one in checkpoints(folder) if one.path not in ended and one.path not in gone]
        measured = [one for one in found if is_measured(how.run_folder(one.path))]
        gone |= {one.path for one in measured}
        reasons = {
            one.path: unfinished(one.path, marker=marker, settled=settled)
            for one in found
            if one.path not in gone
        }
        ready = [one for one in found if reasons.get(one.path) == ""]
        if which == "newest" and ready:
            gone |= {one.path for one in ready[:-1]}
            ready = ready[-1:]
        for one in ready[:1]:  # then look again: a newer one may be there, this one's sisters deleted
            done = _measured(one, how)
            if done is None:
                gone.add(one.path)
                continue
            ended[one.path] = done
            told(done)
        if ready:
            since, last = clock(), ""
        reached = [one.step for one in (*measured, *(w.checkpoint for w in ended.values()))]
        if until is not None and any(step >= until for step in reached) and not ready:
            return list(ended.values())
        if ready:
            continue
        if idle_timeout is not None and clock() - since >= idle_timeout:
            return list(ended.values())
        reason = next((f"{path.name}: {why}" for path, why in reasons.items() if why), "")
        text = reason or ("a new checkpoint" if folder.exists() else f"{folder} to be made")
        if text != last:
            waiting(text)
            last = text
        sleep(poll)


def _measured(one: Checkpoint, how: Plan) -> Watched | None:
    """None where the checkpoint was deleted meanwhile, as trainers do with old ones."""
    try:
        outcome = measure_checkpoint(one.path, how)
    except EvalsuiteError as error:
        if not one.path.exists():
            return None
        if isinstance(error, StoreError) and "another process" in error.what:
            return Watched(one, None, f"{error.what} Another watch measures it.")
        return Watched(one, None, str(error))
    except BaseException as error:
        if is_interruption(error):
            raise
        return None if not one.path.exists() else Watched(one, None, reason_of(error))
    problems = [f"{key} is not scored: {reason}" for key, reason in outcome.scoring_errors.items()]
    if outcome.missing:
        problems.append(f"{outcome.missing} samples were not asked")
    if outcome.too_many_failures:
        problems.append(f"{outcome.failed} samples failed, {outcome.failures_allowed:g} were allowed")
    return Watched(one, outcome, "; ".join(problems))
