"""Stages beside each other, each in a process of its own on one core.

A stage starts as soon as what it needs is done. Killing the training, by whatever signal, ends its processes
at their next step; started again, it resumes every stage from its last checkpoint.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ...errors import EvalsuiteError
from .memory import ENVIRONMENT
from .progress import PARENT
from .stages import Stage

log = logging.getLogger(__name__)

_POLL = 0.2
"""Seconds between two looks at the running stages."""


@contextmanager
def hold(work: Path, stage: str) -> Iterator[None]:
    """Own a stage of a work folder: a second process that wants it waits, so that none is trained twice.

    The lock is the operating system's, which a killed process loses too.
    """
    from filelock import FileLock

    folder = work / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{stage}.lock"):
        yield


def train_in_processes(
    recipe: Path, work: Path, resume: bool, stages: Mapping[str, Stage], processes: int
) -> None:
    """Train the stages, at most `processes` at once; those that are not among `stages` count as done.

    Raises:
        EvalsuiteError: a stage failed; the others are ended and can be resumed.
    """
    waiting = dict(stages)
    started: dict[str, float] = {}
    spent = 0.0
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        while waiting or running:
            for name, process in list(running.items()):
                code = process.poll()
                if code is None:
                    continue
                del running[name]
                if code:
                    raise EvalsuiteError(
                        f"Stage {name!r} of the training ended with code {code}.",
                        f"Its messages are above; the same command resumes it. Work folder: {work}.",
                    )
                minutes = (time.monotonic() - started[name]) / 60
                spent += minutes
                log.info(
                    "stage %s is done after %.1f min, %d left; %.1f core minutes so far",
                    name, minutes, len(waiting) + len(running), spent,
                )  # fmt: skip
            unfinished = {*waiting, *running}
            for name, stage in list(waiting.items()):
                if len(running) < processes and not unfinished & set(stage.needs):
                    del waiting[name]
                    log.info("stage %s starts beside %s", name, ", ".join(running) or "nothing")
                    started[name] = time.monotonic()
                    running[name] = _start(recipe, work, resume, name)
            time.sleep(_POLL)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def _start(recipe: Path, work: Path, resume: bool, stage: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"{__package__}.worker", str(recipe), str(work), stage]
    environment = {**ENVIRONMENT, **os.environ, "OMP_NUM_THREADS": "1", PARENT: str(os.getpid())}
    return subprocess.Popen([*command, *([] if resume else ["--fresh"])], env=environment)
