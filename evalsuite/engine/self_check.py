"""Does a batch answer as its members alone do? Distinguishes bugs of batching from rounding.

A bug (padding that is attended to, wrong positions, rows that are mixed) changes answers whatever the
precision. Rounding changes them too, because a batch of another shape is computed by other kernels; in half
precision that is more than many bugs do. So:

- An adapter in float32 is compared as it is: what float32 rounds is far smaller than any bug.
- In a lower precision, the rounding is measured: copies of one request in a batch, which has the shape of a
  batch and nothing else of it. Answers that differ by much more, over several requests, are a bug's; so are
  those that change when only the neighbours are exchanged, which leaves the shape as it was.
- What remains hidden in the rounding shows in float32: where the adapter names its `networks`, a few requests
  are asked once more with the weights widened. The verdict is remembered for the same adapter, weights and
  libraries.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from evalsuite.engine.batching import Scope
from evalsuite.engine.differences import TOLERANCES, Difference, Seen, Tolerance, difference, identical
from evalsuite.engine.remembered import Remembered
from evalsuite.model import Model, Prepared, probing
from evalsuite.request import fingerprint

Ask = Callable[[Sequence[Prepared]], list[Seen] | None]
"""Runs a batch; None when it failed."""

ROWS = 4
"""Requests of a batch that are asked alone, and size of the batches that the check makes."""
OVER_ROUNDING = 4.0
"""Answers that differ by more than this multiple of the measured rounding (and the tolerance) show a bug."""
OVER_ROUNDING_BETWEEN_NEIGHBOURS = 2.0
"""The same for batches of equal shape, which should hardly differ at all."""
SHAPE = 0.25
"""Share of the tolerance that is granted to batches of equal shape."""

CEILING = 4.0
"""Copies that differ from their original by this multiple of the tolerance are a bug too."""

_LIBRARIES = ("evalsuite", "torch", "transformers", "diffusers")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check found.

    Args:
        reason: why requests of the scope must be asked one at a time; empty when they need not.
        note: what a reader of the results should know otherwise.
    """

    reason: str = ""
    note: str = ""


class SelfCheck:
    """Compares batches of one adapter with single requests.

    Args:
        model: the adapter; `details["dtype"]` of its `info` is its precision.
        memory: verdicts of the float32 check that hold already; None remembers nothing.
        batch_invariant: any difference at all, be it the last bit, is one too many.
    """

    def __init__(
        self, model: Model, memory: Remembered | None = None, *, batch_invariant: bool = False
    ) -> None:
        self._model = model
        self._memory = memory
        self._exact = batch_invariant
        self._networks = probing.networks_of(model)

    def review(self, scope: Scope, batch: Sequence[Prepared], seen: Sequence[Seen], ask: Ask) -> Verdict:
        """Judges a batch that has been answered.

        Args:
            batch: dearest first: padding, the usual culprit, differs most between its ends.
            seen: its answers.
        """
        if self._exact:
            return self._review_bits(batch, seen, ask)
        tolerance = TOLERANCES.get(precision_of(self._model), TOLERANCES["float32"])
        if tolerance.largest:
            return self._review_values(batch, seen, ask, tolerance)
        verdict = self._review_against_rounding(batch, seen, ask, tolerance)
        return verdict if verdict.reason else self._review_in_float32(scope, batch, ask)

    def _review_bits(self, batch: Sequence[Prepared], seen: Sequence[Seen], ask: Ask) -> Verdict:
        for i in _spread(len(batch), ROWS):
            alone = ask([batch[i]])
            if alone is None or not identical(alone[0].answer, seen[i].answer):
                return Verdict("a batch gives other bits than single requests")
        return Verdict()

    def _review_values(
        self, batch: Sequence[Prepared], seen: Sequence[Seen], ask: Ask, tolerance: Tolerance
    ) -> Verdict:
        """The dearest and the cheapest alone, against what float32 rounds."""
        for i in (0, len(batch) - 1):
            alone = ask([batch[i]])
            if alone is None:
                return Verdict("a request that was answered in a batch fails alone")
            found = difference(alone[0], seen[i], largest=True)
            if not found.within(tolerance):
                return Verdict(f"by {found}")
        return Verdict()

    def _review_against_rounding(
        self, batch: Sequence[Prepared], seen: Sequence[Seen], ask: Ask, tolerance: Tolerance
    ) -> Verdict:
        spots = _spread(len(batch), ROWS)
        singles = {i: ask([batch[i]]) for i in spots}
        alone = {i: found[0] for i, found in singles.items() if found}
        if len(alone) < len(spots):
            return Verdict("a request that was answered in a batch fails alone")
        rounding: list[Difference] = []
        between: list[Difference] = []
        for i in (spots[0], spots[-1]):
            copies = ask([batch[i]] * min(ROWS, len(batch)))
            if copies is None:
                return Verdict("a request fails beside copies of itself")
            rounding += [difference(alone[i], copy, largest=False) for copy in copies]
            between += [difference(copies[0], copy, largest=False) for copy in copies[1:]]
        reason = _beyond(between, (), tolerance, 0.0, SHAPE)
        if reason:
            return Verdict(f"{reason}, among copies of one request in a batch")
        reason = _beyond(rounding, (), tolerance, 0.0, CEILING)
        if reason:
            return Verdict(f"{reason}, between a request and its copies in a batch")
        found = [difference(alone[i], seen[i], largest=False) for i in spots]
        reason = _beyond(found, rounding, tolerance, OVER_ROUNDING, 1.0)
        if reason:
            return Verdict(reason)
        exchanged = self._between_neighbours(batch, ask)
        if exchanged is None:
            return Verdict("a smaller batch of the same requests fails")
        reason = _beyond(exchanged, rounding, tolerance, OVER_ROUNDING_BETWEEN_NEIGHBOURS, SHAPE)
        return (
            Verdict(f"{reason}, when the other requests of the batch are exchanged") if reason else Verdict()
        )

    def _between_neighbours(self, batch: Sequence[Prepared], ask: Ask) -> list[Difference] | None:
        """The dearest (which sets the padding) and the cheapest, in two batches of equal shape whose other
        members and order differ."""
        first, last, size = 0, len(batch) - 1, min(ROWS, len(batch))
        others = list(range(1, last))
        fill = size - 2
        one = [first, last, *others[:fill]]
        other = [*others[len(others) - fill :], last, first] if fill else [last, first]
        seen, again = ask([batch[i] for i in one]), ask([batch[i] for i in other])
        if seen is None or again is None:
            return None
        return [difference(seen[one.index(i)], again[other.index(i)], largest=False) for i in (first, last)]

    def _review_in_float32(self, scope: Scope, batch: Sequence[Prepared], ask: Ask) -> Verdict:
        key = fingerprint([scope.method, repr(scope.output), repr(scope.group)])
        known = self._memory.get(key) if self._memory is not None else None
        if isinstance(known, str):
            return Verdict(known)
        hindrance = probing.float32_hindrance(self._networks)
        if hindrance:
            return Verdict(
                note="batches were compared with single requests in "
                f"{precision_of(self._model)} alone, not in float32: {hindrance}"
            )
        try:
            with probing.in_float32(self._networks):
                reason = self._float32_difference(batch, ask)
        except Exception as caught:  # memory, as a rule: the comparison before it stands
            return Verdict(note=f"batches were not compared in float32: {type(caught).__name__}: {caught}")
        if self._memory is not None:
            self._memory.put(key, reason)
        return Verdict(reason)

    @staticmethod
    def _float32_difference(batch: Sequence[Prepared], ask: Ask) -> str:
        few = [batch[i] for i in _spread(len(batch), ROWS)]
        together = ask(few)
        singles = [ask([item]) for item in few]
        if together is None or any(single is None for single in singles):
            raise RuntimeError("a request failed there")
        for i, single in enumerate(singles):
            assert single is not None
            found = difference(single[0], together[i], largest=True)
            if found.within(TOLERANCES["float32"]):
                continue
            copies = ask([few[i]] * len(few)) or []
            rounding = [difference(copies[0], copy, largest=True) for copy in copies[1:]]
            if not all(one.within(TOLERANCES["float32"]) for one in rounding):
                return f"by {found} in float32"  # rows of equal content differ: that is no rounding
            rounding = [difference(single[0], copy, largest=True) for copy in copies]
            if _beyond(rounding, (), TOLERANCES["float32"], 0.0, CEILING) or _beyond(
                [found], rounding, TOLERANCES["float32"], OVER_ROUNDING, 1.0
            ):
                return f"by {found} in float32"
        return ""


def precision_of(model: Model) -> str:
    """`float32`, `tf32`, `float16`, `bfloat16`, or what else the adapter says; float32 where it says
    nothing."""
    details = model.info.details
    dtype = str(details.get("dtype", "float32"))
    if dtype == "float32" and probing.uses_tf32(str(details.get("device", "cpu"))):
        return "tf32"
    return dtype


def verdicts_of(model: Model, folder: Path) -> Remembered:
    """Verdicts that hold for this adapter, its weights and settings, and the libraries installed.

    Args:
        folder: evalsuite's cache.
    """
    info = model.info
    versions = {name: _version(name) for name in _LIBRARIES}
    owner = fingerprint([info.fingerprint, repr(sorted(info.details.items())), versions, _source(model)])
    return Remembered(folder / "self-checks.json", owner)


def _beyond(
    found: Sequence[Difference],
    rounding: Sequence[Difference],
    tolerance: Tolerance,
    factor: float,
    share: float,
) -> str:
    """How answers differ by more than was measured of rounding; empty when they do not.

    Args:
        factor: of the measured rounding.
        share: of the tolerance.
    """
    parts = []
    for name, unit, granted in (
        ("nats", "nats", tolerance.nats),
        ("grey", "grey levels", tolerance.grey),
    ):
        value = _size([getattr(one, name) for one in found])
        floor = _size([getattr(one, name) for one in rounding])
        if value > factor * floor + share * granted:
            parts.append(f"{value:.3g} {unit} where rounding gives {floor:.3g}")
    differing, by_rounding = _share(found), _share(rounding)
    if differing > factor * by_rounding + share * tolerance.texts:
        parts.append(f"{differing:.0%} of the texts where rounding changes {by_rounding:.0%}")
    return "by " + " and ".join(parts) if parts else ""


def _size(values: Sequence[float | None]) -> float:
    """Root mean square of what there is."""
    squares = [value * value for value in values if value is not None]
    return math.sqrt(sum(squares) / len(squares)) if squares else 0.0


def _share(found: Sequence[Difference]) -> float:
    return sum(one.other for one in found) / len(found) if found else 0.0


def _spread(count: int, wanted: int) -> list[int]:
    """Positions from the first to the last, evenly.

    >>> _spread(10, 4), _spread(2, 4)
    ([0, 3, 6, 9], [0, 1])
    """
    if count <= wanted:
        return list(range(count))
    return [i * (count - 1) // (wanted - 1) for i in range(wanted)]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _source(model: Any) -> str:
    """Digest of the Python files beside the adapter's own: a corrected adapter is checked again."""
    try:
        folder = Path(inspect.getfile(type(model))).parent
        files = sorted(folder.glob("*.py"))
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    except (OSError, TypeError):
        return ""
