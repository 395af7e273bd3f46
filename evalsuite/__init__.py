"""evalsuite: measure models that understand and create images and text, exactly and without losing work.

What stands in `__all__` is the public interface for notebooks and scripts; docs/python.md shows it at work.
Names are imported when they are first used, so that `import evalsuite` costs nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from evalsuite import deprecation
from evalsuite._lazy import attach

if TYPE_CHECKING:
    from evalsuite.api.listing import (
        list_data,
        list_models,
        list_published,
        list_suites,
        list_tasks,
        list_weights,
    )
    from evalsuite.api.results import explain, judgements, leaderboard, list_runs, plot_tradeoff, reproduce
    from evalsuite.api.running import judge, run, score
    from evalsuite.api.tools import (
        check_data,
        convert_dreamllm,
        diagnose,
        distance,
        fetch_weights,
        inspect_dreamllm,
        make_study,
        read_study,
        save_statistics,
        train_mini,
    )
    from evalsuite.api.training import log_runs, watch
    from evalsuite.comparison import Comparison, Gates, compare, load_gates
    from evalsuite.comparison.sample_size import SamplePlan, plan_samples
    from evalsuite.errors import EvalsuiteError
    from evalsuite.exchange import (
        export_images,
        export_predictions,
        export_report,
        import_images,
        import_predictions,
    )
    from evalsuite.gallery import draw as draw_gallery
    from evalsuite.hub import push
    from evalsuite.mini.data import ensure_world as ensure_mini_world
    from evalsuite.notebook import Run, SampleView, load_run
    from evalsuite.registry import load_registry
    from evalsuite.report import write_report
    from evalsuite.running.hours import HoursPlan, plan_hours
    from evalsuite.store.verify import verify as verify_run
    from evalsuite.tracking import track

__version__ = "0.2.0"

_HOMES = {
    "evalsuite.api.listing": "list_data list_models list_published list_suites list_tasks list_weights",
    "evalsuite.api.results": "explain judgements leaderboard list_runs plot_tradeoff reproduce",
    "evalsuite.api.running": "judge run score",
    "evalsuite.api.tools": "check_data convert_dreamllm diagnose distance fetch_weights inspect_dreamllm "
    "make_study read_study save_statistics train_mini",
    "evalsuite.api.training": "log_runs watch",
    "evalsuite.comparison": "Comparison Gates compare load_gates",
    "evalsuite.comparison.sample_size": "SamplePlan plan_samples",
    "evalsuite.errors": "EvalsuiteError",
    "evalsuite.exchange": "export_images export_predictions export_report import_images import_predictions",
    "evalsuite.gallery": "draw_gallery:draw",
    "evalsuite.hub": "push",
    "evalsuite.mini.data": "ensure_mini_world:ensure_world",
    "evalsuite.notebook": "Run SampleView load_run",
    "evalsuite.registry": "load_registry",
    "evalsuite.report": "write_report",
    "evalsuite.running.hours": "HoursPlan plan_hours",
    "evalsuite.store.verify": "verify_run:verify",
    "evalsuite.tracking": "track",
}
"""Module -> the public names it has; `public:name` where it is called otherwise there."""

__all__ = [
    "Comparison",
    "EvalsuiteError",
    "Gates",
    "HoursPlan",
    "Run",
    "SamplePlan",
    "SampleView",
    "__version__",
    "check_data",
    "compare",
    "convert_dreamllm",
    "diagnose",
    "distance",
    "draw_gallery",
    "ensure_mini_world",
    "explain",
    "export_images",
    "export_predictions",
    "export_report",
    "fetch_weights",
    "import_images",
    "import_predictions",
    "inspect_dreamllm",
    "judge",
    "judgements",
    "leaderboard",
    "list_data",
    "list_models",
    "list_published",
    "list_runs",
    "list_suites",
    "list_tasks",
    "list_weights",
    "load_gates",
    "load_registry",
    "load_run",
    "log_runs",
    "make_study",
    "plan_hours",
    "plan_samples",
    "plot_tradeoff",
    "push",
    "read_study",
    "reproduce",
    "run",
    "save_statistics",
    "score",
    "track",
    "train_mini",
    "verify_run",
    "watch",
    "write_report",
]


if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, _HOMES)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # `leaderboard` is the function; importing the deprecated module of that name must not hide it.
        if not (name == "leaderboard" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
deprecation.install()
