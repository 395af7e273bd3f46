"""The request loop of a run, as specification and options say: the same in every process that answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evalsuite.cache import cache_folder
from evalsuite.engine import LocalExecutor, RequestLoop, Worker, blinded, sizes_for, verdicts_of
from evalsuite.model import Model, ModelInfo
from evalsuite.registry import Registry
from evalsuite.spec import ExecutionOptions, RunSpec


@dataclass(frozen=True, slots=True)
class Answering:
    """A loaded model and the loop that asks it.

    Args:
        info: of the model, as the run records it.
        worker: what the loop runs batches with.
    """

    info: ModelInfo
    loop: RequestLoop
    worker: Worker


def answering(model: Model, spec: RunSpec, options: ExecutionOptions, registry: Registry) -> Answering:
    """The loop that asks a loaded model."""
    annotated = registry.model(spec.model.name)[0].reads_annotations
    info = blinded(model.info) if spec.model.blind else model.info
    if annotated:
        info = replace(info, details={**info.details, "reads_annotations": True})
    worker = Worker(
        model,
        self_check=options.self_check,
        batch_invariant=options.batch_invariant,
        verdicts=verdicts_of(model, cache_folder()) if options.self_check else None,
    )
    executor = LocalExecutor(worker, sizes_for(options.batch_size, model.info, cache_folder()))
    loop = RequestLoop(model, executor, options, spec.seed, spec.model.blind, annotated, spec.reasoning)
    return Answering(info, loop, worker)
