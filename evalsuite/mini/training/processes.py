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
from .progress import PARENT
from .stages import Stage

log = logging.getLogger(__name__)

_POLL = 0.2
"""Seconds between two looks at the running stages."""

MEMORY = {
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "64000000",
    "MALLOC_TRIM_THRESHOLD_": "512000000",
}
"""Environment of a worker, where the user's says nothing else. Packed rows have another length in every
batch: with a compiled kernel kept for each of the last 1024 shapes, and freed memory kept by every arena of
the allocator, the language model's stage grew to 10 GB within 300 steps. A lower threshold keeps it at 2.6 GB
instead of 4 and costs more than half of the time: every activation is then mapped, zeroed by the kernel and
unmapped again (432 million page faults in 540 steps; 2.9 s a step instead of 1.3)."""


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
    environment = {**MEMORY, **os.environ, "OMP_NUM_THREADS": "1", PARENT: str(os.getpid())}
    return subprocess.Popen([*command, *([] if resume else ["--fresh"])], env=environment)
