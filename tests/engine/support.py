"""Running the sums plugin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from evalsuite.engine import LocalExecutor, NullProgress, RequestLoop, TaskPlan, Worker
from evalsuite.engine.driver import Driver, Store
from evalsuite.engine.leases import cut
from evalsuite.engine.ledger import Ledger
from evalsuite.engine.local import LocalPool
from evalsuite.engine.sizing import FixedSize, lease_size
from evalsuite.model import Model
from evalsuite.registry import Registry
from evalsuite.running import RunOutcome, run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.task import Task

PLUGIN = Path(__file__).parent / "sums_plugin.py"


def sums_registry() -> Registry:
    registry = Registry()
    registry.add_file(PLUGIN)
    return registry


def last_model() -> Any:
    """The model that was made last, with the batches it was given."""
    return sys.modules["evalsuite_plugin_sums_plugin"].MADE[-1]


def models_made() -> int:
    return len(sys.modules["evalsuite_plugin_sums_plugin"].MADE)


def sums_spec(*tasks: str, count: int = 20, seed: int = 0, limit: int | None = None, **model: Any) -> RunSpec:
    """A run of the adder; `model` are the adapter's options."""
    return RunSpec(
        model=ModelSpec(name="adder", options={name: str(value) for name, value in model.items()}),
        tasks=tuple(TaskSpec(name=name, options={"count": str(count)}) for name in tasks or ("sums",)),
        seed=seed,
        limit=limit,
        plugins=(PLUGIN,),
    )


def run_sums(spec: RunSpec, out: Path, **options: Any) -> RunOutcome:
    options.setdefault("batch_size", 4)
    return run(spec, out, ExecutionOptions(**options), sums_registry())


def ask_here(task: Task, count: int, model: Model, store: Store, *, batch_size: int, **options: Any) -> None:
    """All `count` samples of a task through the driver and its pool of one worker, into any store."""
    execution = ExecutionOptions(batch_size=batch_size, **options)
    executor = LocalExecutor(Worker(model, self_check=execution.self_check), FixedSize(batch_size))
    plan = TaskPlan("t", task, "x", None, count, count)
    pool = LocalPool(RequestLoop(model, executor, execution, 0), model.info, {"t": plan})
    ledger = Ledger(cut("t", task.samples(), lease_size(batch_size)))
    Driver(pool, ledger, store, NullProgress(), lambda info: [], {}).run()
