"""The runs of several models, one after the other: one that cannot be made does not stop the next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalsuite.engine import NullProgress, Progress
from evalsuite.errors import EvalsuiteError, reason_of
from evalsuite.registry import Registry
from evalsuite.running.builder import Planned
from evalsuite.running.measuring import RunOutcome, run
from evalsuite.spec import ExecutionOptions

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How one of the runs ended: with an outcome, or with the error that kept it from being measured."""

    planned: Planned
    outcome: RunOutcome | None
    error: EvalsuiteError | None

    @property
    def problem(self) -> str:
        """Why its numbers cannot be trusted as they are; empty where all is well."""
        if self.error is not None:
            return str(self.error)
        assert self.outcome is not None
        outcome = self.outcome
        if not outcome.exit_code:
            return ""
        reasons = [f"{key} is not scored: {reason}" for key, reason in outcome.scoring_errors.items()]
        if outcome.missing:
            reasons.append(f"{outcome.missing} samples were not asked")
        if outcome.too_many_failures:
            reasons.append(f"{outcome.failed} samples failed, {outcome.failures_allowed:g} were allowed")
        return f"{outcome.path}: {'; '.join(reasons)}."


def measure_all(
    runs: Sequence[Planned],
    options: ExecutionOptions,
    registry: Registry,
    progress: Callable[[Planned], Progress] = lambda _: NullProgress(),
    failed: Callable[[Planned, EvalsuiteError], None] = lambda _, __: None,
) -> list[Ended]:
    """Measures them in order.

    Args:
        progress: makes the progress display of a run.
        failed: called as soon as a run cannot be measured.

    Raises:
        EvalsuiteError: as `run`, where there is one run only.
        KeyboardInterrupt: what is answered is kept.
    """
    ended: list[Ended] = []
    for planned in runs:
        try:
            outcome = run(planned.spec, planned.out, options, registry, progress(planned), planned.place)
            ended.append(Ended(planned, outcome, None))
        except EvalsuiteError as error:
            if len(runs) == 1:
                raise
            failed(planned, error)
            ended.append(Ended(planned, None, error))
        except Exception as caught:  # unexpected: it must not stop the other models
            if len(runs) == 1:
                raise
            _log.debug("%s failed", planned.spec.model.name, exc_info=True)
            unforeseen = EvalsuiteError(f"Unexpected error: {reason_of(caught)}.", "--debug shows where.")
            failed(planned, unforeseen)
            ended.append(Ended(planned, None, unforeseen))
    return ended
