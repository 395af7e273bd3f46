"""Asks a judge about a run's stored answers: only what is missing, each judgement on disk before it
counts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evalsuite.endpoint import Server
from evalsuite.engine import NullProgress, Progress
from evalsuite.errors import EvalsuiteError, SpecError, suggest
from evalsuite.judging.asked import opened
from evalsuite.judging.distributed import judge_on_workers
from evalsuite.judging.loop import JudgeLoop, JudgeOptions, Tally
from evalsuite.judging.model import ModelJudge
from evalsuite.judging.protocol import Judged
from evalsuite.registry import Registry, load_registry
from evalsuite.running.distributing import is_distributed
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.running.scoring import Scored, check_same, score_all
from evalsuite.store import Judge, RunReader, RunWriter
from evalsuite.store.manifest import Manifest

__all__ = ["JudgeOptions", "JudgeOutcome", "Tally", "judge_run", "judged_tasks"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JudgeOutcome:
    """How judging a run ended; `scored` has the numbers of all its judges, with what each of them took."""

    path: Path
    judge: str
    tallies: Mapping[str, Tally]
    scored: Scored

    @property
    def failed(self) -> int:
        """Questions of this call that got no reply."""
        return sum(tally.failed for tally in self.tallies.values())

    @property
    def unscored(self) -> int:
        """Answers without a score by this judge: a failed judgement, now or before, or numbers that may not
        be counted."""
        return sum(
            result.unscored
            for result in self.scored.results
            if result.judging is not None and result.judging.judge == self.judge
        )

    @property
    def off_scale(self) -> int:
        """Answers that have judgements to the end, but no score: numbers off the judge's scale."""
        return max(0, self.unscored - sum(tally.open for tally in self.tallies.values()))

    def too_many_failures(self, allowed: float) -> bool:
        """Whether more questions are without a judgement than allowed, those of earlier calls included.

        Args:
            allowed: a share of all below 1, else a count.
        """
        known = sum(tally.known for tally in self.tallies.values())
        without = sum(tally.open for tally in self.tallies.values())
        return without > (allowed * known if allowed < 1 else allowed)


def judge_run(
    path: Path,
    server: Server | Sequence[Server] | ModelJudge,
    options: JudgeOptions | None = None,
    *,
    tasks: Collection[str] = (),
    rules: str | None = None,
    registry: Registry | None = None,
    plugins: Iterable[Path] = (),
    progress: Progress | None = None,
) -> JudgeOutcome:
    """Judges what is missing of a run, and scores it.

    Args:
        path: the run.
        server: where the judge is, several where they share the questions; or the model of the registry
            that judges, in this process or on the workers of `options.execution`.
        tasks: their keys in the run; empty: all that are judged.
        rules: scoring rules that say how it is judged; None: those of the run, else the task's first that a
            judge belongs to.
        registry: None loads installed plugins, those of the run and `plugins`.
        plugins: plugin files beside the run's, which workers load.

    Raises:
        StoreError: no run, another process writes it, or the server's model is not the one that judged
            before.
        SpecError: nothing in the run is judged.
        DataError: a named task's data are missing or have changed.
        UnavailableError: the server cannot be used. What was judged is kept, here as after any other end.
    """
    options = options or JudgeOptions()
    progress = progress or NullProgress()
    registry = registry or load_registry([*RunReader(path).spec.plugins, *plugins])
    model = server.model if isinstance(server, Server | ModelJudge) else server[0].model
    judge = Judge(model, dict(options.parameters))
    try:
        with RunWriter.for_scoring(path) as writer:
            found = judged_tasks(writer.manifest, registry, tasks, rules)
            loops = {key: JudgeLoop(writer, key, task, judge, options) for key, task in found.items()}
            tallies = {}
            try:
                if is_distributed(options.execution):
                    tallies = judge_on_workers(
                        server, loops, options, [*writer.manifest.spec.plugins, *plugins], registry, progress
                    )
                else:
                    with opened(server, registry) as endpoint:
                        for key, loop in loops.items():
                            progress.on_stage(f"judging {key}")
                            tallies[key] = loop.ask_all(endpoint, progress)
            except EvalsuiteError:
                with suppress(EvalsuiteError):  # the first error is the one to report
                    score_all(writer, found)  # what was judged until then counts, and says how far it is
                raise
            progress.on_stage("scoring")
            scored = score_all(writer, found)
        return JudgeOutcome(path, judge.named(judge.model), tallies, scored)
    finally:
        progress.on_end()


def judged_tasks(
    manifest: Manifest, registry: Registry, tasks: Collection[str] = (), rules: str | None = None
) -> dict[str, Judged]:
    """The tasks of a run that a judge belongs to, by key. Raises as `judge_run`."""
    specs = dict(zip(task_keys(manifest.spec), manifest.spec.tasks, strict=True))
    for key in tasks:
        if key not in specs:
            raise SpecError(f"The run has no task {key!r}.", suggest(key, specs))
    found: dict[str, Judged] = {}
    for key in tasks or specs:
        known = registry.task(specs[key].name).rules
        first = specs[key].rules or known[0]
        for name in dict.fromkeys((first, *known)) if rules is None else [rules]:
            if name not in known:
                continue
            try:
                task = build_task(specs[key], registry, name)
                if isinstance(task, Judged) and not task.info.judge:
                    check_same(manifest.task(key), task)
                    found[key] = task
                    break
            except EvalsuiteError as error:
                if key in tasks:
                    raise
                _log.warning("%s is left out: %s", key, error)
                break
    if not found:
        named = f" under the rules {rules!r}" if rules else ""
        raise SpecError(
            f"No task of {', '.join(tasks) or 'the run'} is judged{named}.",
            "`evalsuite list tasks` shows which rules have a judge.",
        )
    return found
