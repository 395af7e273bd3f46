"""Asking a model what a run still misses: planning, preparing ahead, batching, retrying. No torch in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.deprecation import renamed
from evalsuite.engine.blind import blinded
from evalsuite.engine.engine import RequestLoop
from evalsuite.engine.executor import Executor, LocalExecutor
from evalsuite.engine.plan import Source, TaskPlan, plan_task
from evalsuite.engine.progress import NullProgress, Progress
from evalsuite.engine.self_check import verdicts_of
from evalsuite.engine.sizing import sizes_for
from evalsuite.engine.worker import Worker

__all__ = [
    "Executor",
    "LocalExecutor",
    "NullProgress",
    "Progress",
    "RequestLoop",
    "Source",
    "TaskPlan",
    "Worker",
    "blinded",
    "plan_task",
    "sizes_for",
    "verdicts_of",
]

if not TYPE_CHECKING:
    __getattr__ = renamed(
        __name__,
        {
            "Asker": "evalsuite.engine.RequestLoop",
            "Silent": "evalsuite.engine.NullProgress",
            "survey": "evalsuite.engine.plan_task",
        },
    )
