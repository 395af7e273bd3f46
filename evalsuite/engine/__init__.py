"""Asking a model what a run still misses: planning, preparing ahead, batching, retrying. No torch in here."""

from __future__ import annotations

from evalsuite.engine.blind import blinded
from evalsuite.engine.engine import Asker
from evalsuite.engine.executor import Executor, LocalExecutor
from evalsuite.engine.plan import Source, TaskPlan, survey
from evalsuite.engine.progress import Progress, Silent
from evalsuite.engine.sizing import sizes_for
from evalsuite.engine.worker import Worker

__all__ = [
    "Asker",
    "Executor",
    "LocalExecutor",
    "Progress",
    "Silent",
    "Source",
    "TaskPlan",
    "Worker",
    "blinded",
    "sizes_for",
    "survey",
]
