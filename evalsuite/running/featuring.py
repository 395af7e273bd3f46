"""Features of images on the workers of a run: the same leases, the same pool, another model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from evalsuite.content import Image
from evalsuite.engine import NullProgress, Progress, TaskPlan
from evalsuite.features.blocks import Block, Done
from evalsuite.features.leases import KEY, MODEL, FeatureTask, rows_of, uses_as_text
from evalsuite.running.distributing import ask_distributed, is_distributed
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec
from evalsuite.store import Record, RunWriter

if TYPE_CHECKING:
    from evalsuite.features.loading import NetworkUse

_log = logging.getLogger(__name__)


class FeatureWorkers:
    """Ray workers that compute blocks of images.

    Args:
        spec: of the run; its plugins may define kinds of networks.
        options: how many workers, and where.
        writer: keeps notes on workers that died.
        progress: hears of notes.
    """

    def __init__(
        self, spec: RunSpec, options: ExecutionOptions, writer: RunWriter, progress: Progress
    ) -> None:
        self._plugins = spec.plugins
        # A block is a batch of its own; decoded blocks are large.
        self._options = options.model_copy(
            update={"batch_size": 1, "self_check": False, "prefetch": 2, "equal_failures": 0}
        )
        self._writer, self._progress = writer, progress

    def compute(self, uses: Mapping[str, NetworkUse], blocks: Sequence[Block], done: Done) -> None:
        """Each block once, in any order.

        Raises:
            UnavailableError: no worker is left, or none could be made.
            EvalsuiteError: a block cannot be computed; what was computed has been handed over.
        """
        from evalsuite.features import worker_plugin

        spec = RunSpec(
            model=ModelSpec(name=MODEL, options={"uses": uses_as_text(uses)}),
            tasks=(),
            plugins=(*self._plugins, Path(worker_plugin.__file__)),
        )
        task = FeatureTask(tuple(blocks))
        plan = TaskPlan(KEY, cast("Any", task), task.fingerprint(), None, len(blocks), len(blocks))
        sink = _Sink({str(block.number): block for block in blocks}, done, self._writer)
        ask_distributed(
            cast("RunWriter", sink), [plan], {KEY: frozenset()}, spec, self._options, _Quiet(self._progress)
        )


class _Sink:
    """Where workers' answers go in place of a run's table."""

    def __init__(self, blocks: Mapping[str, Block], done: Done, writer: RunWriter) -> None:
        self._blocks, self._done, self._writer = blocks, done, writer

    def save(self, records: Sequence[Record]) -> None:
        failed = None
        for record in records:
            block = self._blocks[record.sample]
            if record.response is None:
                failed = failed or record
            else:
                self._done(block, rows_of(record.response, record.error, block))
        if failed is not None:
            rows_of(None, failed.error, self._blocks[failed.sample])

    def prepare(self, image: Image) -> None:
        """Rows hold no images."""

    def note(self, task: str, text: str) -> None:
        self._writer.note(task, text)

    def notes(self) -> list[Any]:
        return list(self._writer.notes())

    def steps(self, task: str, sample: str) -> list[Record]:
        return []

    def begun(self, task: str) -> set[str]:
        return set()

    def next_worker(self) -> int:
        return self._writer.next_worker()

    def set_model(self, info: object) -> None:
        """The networks are on record with the scores."""

    def set_workers(self, *_: object) -> None:
        """Rows do not name the worker that computed them: any gives the same."""


class _Quiet(NullProgress):
    """Progress of the run, which does not count blocks as samples."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_note(self, task: str, text: str) -> None:
        self._progress.on_note(task, text)


def feature_workers(
    options: ExecutionOptions | None, spec: RunSpec, writer: RunWriter, progress: Progress | None = None
) -> FeatureWorkers | None:
    """Who computes features: Ray workers where `options` ask for them, else None, the process itself."""
    if options is None or not is_distributed(options):
        return None
    return FeatureWorkers(spec, options, writer, progress or NullProgress())
