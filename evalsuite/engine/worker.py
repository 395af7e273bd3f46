"""The worker: a model, and how a batch gets through it whatever happens; one class for every executor."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.engine.batching import Batch, Scope
from evalsuite.engine.checks import Answer, check_contract
from evalsuite.engine.differences import Seen
from evalsuite.engine.faults import device_lost, is_device_lost, is_out_of_memory, release_device_memory
from evalsuite.engine.findings import Findings, ScopeKey, scope_key
from evalsuite.engine.prepare import error_text
from evalsuite.engine.remembered import Remembered
from evalsuite.engine.self_check import SelfCheck
from evalsuite.errors import AdapterError, SampleError, UnavailableError, is_interruption
from evalsuite.model import Model, Prepared, probing
from evalsuite.model.types import independent_requests
from evalsuite.request import Response

if TYPE_CHECKING:
    import torch

_CHECKS = 4
"""Groups of one task that are checked: an adapter may have as many groups as samples."""

_WRITING = ("generate_text", "generate_documents")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request of a batch ended.

    Args:
        response: None when it failed.
        error: why.
        seconds: its share of the device time.
        batch_size: how many were answered together.
    """

    response: Response | None
    error: str = ""
    seconds: float = 0.0
    batch_size: int = 0


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Outcomes in the batch's order, and what a reader of the results should know.

    Args:
        batch: what has an outcome: all that was asked, unless the model became unavailable.
        stop: why nothing more can be asked; to be raised when the outcomes are on disk.
    """

    batch: Batch
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()
    stop: UnavailableError | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    responses: list[Answer] | None
    error: str = ""
    memory: bool = False
    seconds: float = 0.0
    seen: tuple[Seen, ...] = ()


class Worker:
    """Runs batches through a model.

    A batch that runs out of memory is halved and the size that fits is remembered for its scope; at size 1
    the sample fails. Any other error in a batch makes it run one by one, so that only the guilty sample
    fails. An adapter that says UnavailableError stops the run, as a device does that is lost; what had been
    answered of the batch is kept. The first batch of a scope (of a task's first four) is compared with single
    requests; where a bug of batching shows, that scope runs one by one.

    Args:
        model: the adapter.
        self_check: whether to make that comparison.
        batch_invariant: whether answers of a batch must be those of single requests bit by bit.
        verdicts: of earlier comparisons; None remembers nothing.
    """

    def __init__(
        self,
        model: Model,
        *,
        self_check: bool = True,
        batch_invariant: bool = False,
        verdicts: Remembered | None = None,
    ) -> None:
        self.model = model
        self._self_check = self_check and not independent_requests(model)
        self._check = SelfCheck(model, verdicts, batch_invariant=batch_invariant)
        self._fits: dict[Scope, int] = {}
        self._alone: set[Scope] = set()
        self._foreseen: dict[Scope, int] = {}
        self._checked: set[Scope] = set()
        self._seen: set[Scope] = set()
        self._scopes: dict[ScopeKey, Scope] = {}
        self._told = self._heard = Findings()

    def news(self) -> Findings | None:
        """What was found out since the last call, for other workers; None where there is nothing new."""
        known = Findings(
            {scope_key(scope): count for scope, count in self._fits.items()},
            frozenset(map(scope_key, self._alone)),
            frozenset(map(scope_key, self._checked)),
        )
        if known == self._told:
            return None
        self._told = known
        return known

    def learn(self, heard: Findings) -> None:
        """Takes over what other workers found: a scope that is unsafe there is asked one at a time here."""
        self._heard = self._heard.merged(heard)
        for key, scope in self._scopes.items():
            self._adopt(key, scope)

    def _adopt(self, key: ScopeKey, scope: Scope) -> None:
        heard = self._heard
        self._scopes[key] = scope
        if key in heard.fits:
            self._fits[scope] = min(heard.fits[key], self._fits.get(scope, heard.fits[key]))
        if key in heard.alone:
            self._alone.add(scope)
        if key in heard.checked:
            self._checked.add(scope)

    def limit(self, scope: Scope, upper: int) -> int:
        """The largest batch of a scope that is known to be safe, at most `upper`."""
        if scope not in self._seen:
            self._seen.add(scope)
            self._adopt(scope_key(scope), scope)
        if scope in self._alone:
            return 1
        return min(upper, self._fits.get(scope, upper), self._foreseen.get(scope, upper))

    def fits(self, scope: Scope) -> int | None:
        """How many requests of a scope memory was found to hold; None while all fitted."""
        return self._fits.get(scope)

    def run(self, batch: Batch) -> BatchResult:
        """Answers or fails every request, or says in `stop` why it could not.

        Raises AdapterError when the adapter breaks its contract.
        """
        notes: list[str] = []
        prepared = [self._prepared(ready.prepared) for ready in batch.items]
        outcomes: dict[int, Outcome] = {}
        stop: UnavailableError | None = None
        try:
            self._go_through(batch.scope, prepared, outcomes, notes)
        except UnavailableError as error:
            stop = error
        done = sorted(outcomes)
        answered = Batch(batch.scope, tuple(batch.items[i] for i in done))
        return BatchResult(answered, tuple(outcomes[i] for i in done), tuple(notes), stop)

    def _go_through(
        self, scope: Scope, prepared: list[Prepared], outcomes: dict[int, Outcome], notes: list[str]
    ) -> None:
        """Fills `outcomes`, by position, and `notes`."""
        foreseen = self._foresee(scope, prepared)
        notes += [foreseen] if foreseen else []
        chunks = deque(_split(range(len(prepared)), self.limit(scope, len(prepared))))
        while chunks:
            chunk = chunks.popleft()
            checking = self._needs_check(scope, chunk)
            attempt = self._attempt(scope.method, [prepared[i] for i in chunk], observe=checking)
            if attempt.responses is not None:
                if checking and self._is_unsafe(scope, [prepared[i] for i in chunk], attempt.seen, notes):
                    self._alone.add(scope)
                    chunks.extendleft(reversed(_split(chunk, 1)))
                    continue
                share = attempt.seconds / len(chunk)
                for i, answer in zip(chunk, attempt.responses, strict=True):
                    if not isinstance(answer, UnavailableError):
                        outcomes[i] = _outcome(answer, share, len(chunk))
                for answer in attempt.responses:
                    if isinstance(answer, UnavailableError):
                        raise answer
            elif len(chunk) == 1:
                reason = (
                    f"out of memory at batch size 1: {attempt.error}" if attempt.memory else attempt.error
                )
                outcomes[chunk[0]] = Outcome(None, reason, attempt.seconds, 1)
            elif attempt.memory:
                fits = len(chunk) // 2
                self._fits[scope] = self.limit(scope, fits)
                notes.append(f"a batch of {len(chunk)} ran out of memory; continuing with {fits}")
                rest = [i for waiting in chunks for i in waiting]
                chunks = deque(_split([*chunk, *rest], fits))
            else:
                chunks.extendleft(reversed(_split(chunk, 1)))

    def _foresee(self, scope: Scope, prepared: list[Prepared]) -> str:
        """Asks the adapter, once per scope, how many requests like the dearest memory will hold."""
        ask = getattr(self.model, "batch_that_fits", None)
        if ask is None or scope in self._foreseen:
            return ""
        fits = self._foreseen[scope] = max(1, ask(prepared[0]))
        if fits >= len(prepared):
            return ""
        return f"a batch of {len(prepared)} would not fit into memory by estimate; continuing with {fits}"

    def _attempt(self, method: str, batch: list[Prepared], *, observe: bool = False) -> _Attempt:
        started = time.perf_counter()
        try:
            with probing.next_token_logits(self._networks(method) if observe else ()) as logits:
                found = getattr(self.model, method)(batch)
            responses = check_contract(self.model.info.name, method, batch, found)
            seen = see(responses, logits) if observe else ()
            return _Attempt(responses, seconds=time.perf_counter() - started, seen=seen)
        except (AdapterError, UnavailableError):
            raise
        except BaseException as caught:  # whatever an adapter raises costs a sample, not the run
            if is_interruption(caught):
                raise
            if is_device_lost(caught):
                raise device_lost(caught) from caught
            memory = is_out_of_memory(caught)
            error = error_text(caught)
        # Outside `except`: the traceback, which keeps the failed batch's tensors alive, is gone by now.
        if memory:
            release_device_memory()
        return _Attempt(None, error, memory, time.perf_counter() - started)

    def _networks(self, method: str) -> tuple[torch.nn.Module, ...]:
        """Those whose next-token logits say more about an answer than the answer does."""
        return probing.networks_of(self.model) if method in _WRITING else ()

    def _needs_check(self, scope: Scope, chunk: Sequence[int]) -> bool:
        if not self._self_check or len(chunk) == 1 or scope in self._checked:
            return False
        return sum(known.task == scope.task for known in self._checked) < _CHECKS

    def _is_unsafe(self, scope: Scope, batch: list[Prepared], seen: Sequence[Seen], notes: list[str]) -> bool:
        """Whether the batch answered otherwise than single requests do; says so in `notes`."""
        self._checked.add(scope)

        def ask(some: Sequence[Prepared]) -> list[Seen] | None:
            attempt = self._attempt(scope.method, list(some), observe=True)
            return None if attempt.responses is None else list(attempt.seen)

        verdict = self._check.review(scope, batch, seen, ask)
        if verdict.note:
            notes.append(verdict.note)
        if verdict.reason:
            notes.append(
                "answers in a batch differ from answers one at a time; this group is asked one at a time "
                f"({verdict.reason}: a bug of the adapter's batching)"
            )
        return bool(verdict.reason)

    @staticmethod
    def _prepared(prepared: Prepared | None) -> Prepared:
        assert prepared is not None
        return prepared


def _outcome(answer: Response | SampleError, seconds: float, batch_size: int) -> Outcome:
    if isinstance(answer, SampleError):
        return Outcome(None, error_text(answer), seconds, batch_size)
    return Outcome(answer, "", seconds, batch_size)


def see(responses: Sequence[Answer], logits: Sequence[torch.Tensor]) -> tuple[Seen, ...]:
    """Each response with its rows of the logits, as long as the rows are those of the beginning.

    Args:
        logits: (rows, vocabulary) of each decoding step; rows is a multiple of the responses (beams), and
            the first of a response's is taken.
    """
    count = len(responses)
    usable: list[torch.Tensor] = []
    for step in logits:
        if len(step) % count or (usable and len(step) != len(usable[-1])):
            break
        usable.append(step)
    return tuple(
        Seen(response, tuple(step[i * (len(step) // count)] for step in usable))
        for i, response in enumerate(responses)
    )


def _split(indices: Sequence[int], size: int) -> list[Sequence[int]]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]
