"""evalsuite: measure models that understand and create images and text, exactly and without losing work.

What stands in `__all__` is the public interface for notebooks and scripts; docs/python.md shows it at work.
Names are imported when they are first used, so that `import evalsuite` costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalsuite.api import (
        explain,
        leaderboard,
        list_models,
        list_published,
        list_runs,
        list_suites,
        list_tasks,
        reproduce,
        run,
        score,
    )
    from evalsuite.comparison import Comparison, Gates, compare, load_gates
    from evalsuite.comparison.sample_size import SamplePlan, plan_samples
    from evalsuite.errors import EvalsuiteError
    from evalsuite.exchange import export_predictions, import_predictions
    from evalsuite.gallery import draw as draw_gallery
    from evalsuite.mini.data import ensure_world as ensure_mini_world
    from evalsuite.notebook import Run, SampleView, load_run
    from evalsuite.registry import load_registry
    from evalsuite.report import write_report
    from evalsuite.store.verify import verify as verify_run

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "comparison",
    "EvalsuiteError": "errors",
    "Gates": "comparison",
    "Run": "notebook",
    "SamplePlan": "comparison.sample_size",
    "SampleView": "notebook",
    "compare": "comparison",
    "draw_gallery": "gallery:draw",
    "ensure_mini_world": "mini.data:ensure_world",
    "explain": "api",
    "export_predictions": "exchange",
    "import_predictions": "exchange",
    "list_models": "api",
    "list_published": "api",
    "list_runs": "api",
    "list_suites": "api",
    "list_tasks": "api",
    "load_gates": "comparison",
    "load_registry": "registry",
    "load_run": "notebook",
    "plan_samples": "comparison.sample_size",
    "reproduce": "api",
    "run": "api",
    "score": "api",
    "verify_run": "store.verify:verify",
    "write_report": "report",
}
"""Public name -> the module that has it, and what it is called there where that differs."""

__all__ = [
    "Comparison",
    "EvalsuiteError",
    "Gates",
    "Run",
    "SamplePlan",
    "SampleView",
    "__version__",
    "compare",
    "draw_gallery",
    "ensure_mini_world",
    "explain",
    "export_predictions",
    "import_predictions",
    "leaderboard",
    "list_models",
    "list_published",
    "list_runs",
    "list_suites",
    "list_tasks",
    "load_gates",
    "load_registry",
    "load_run",
    "plan_samples",
    "reproduce",
    "run",
    "score",
    "verify_run",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "leaderboard":
        return import_module("evalsuite.leaderboard")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'evalsuite' has no attribute {name!r}")
    module, _, there = home.partition(":")
    found = getattr(import_module(f"evalsuite.{module}"), there or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Callable(ModuleType):
    """A room that is also a function: `evalsuite.leaderboard(paths)` beside `evalsuite.leaderboard.load`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from evalsuite import api

        return getattr(api, self.__name__.rpartition(".")[2])(*args, **kwargs)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds a room here, under the name that the function has too.
        if name == "leaderboard" and isinstance(value, ModuleType):
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
