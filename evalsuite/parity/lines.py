"""One line per compared value, and the verdict over two values."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evalsuite.errors import EvalsuiteError
from evalsuite.parity.environments import Environments, ask
from evalsuite.parity.packages import Package

Verdict = Literal["equal", "different", "absent", "failed"]
Value = float | Sequence[float]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Two values are equal where |theirs - ours| is at most `absolute` + `relative` · |theirs|."""

    relative: float = 0.0
    absolute: float = 0.0

    def allowed(self, theirs: float) -> float:
        return self.absolute + self.relative * abs(theirs)


@dataclass(frozen=True, slots=True)
class Line:
    """A metric of a package beside ours.

    Args:
        package, version: the official implementation.
        metric, mode: as the package calls them.
        theirs, ours: values; of a metric with a value per sample, those of the sample that differs most.
        difference: ours - theirs; None where one of them is missing.
        allowed: largest difference that counts as equal.
        verdict: `equal`, `different`, `absent` (the package is not installed), `failed`.
        note: why there is no value, how to get the package, how many samples.
    """

    package: str
    version: str
    metric: str
    mode: str = ""
    theirs: float | None = None
    ours: float | None = None
    difference: float | None = None
    allowed: float | None = None
    verdict: Verdict = "failed"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Parity:
    """What was compared.

    Args:
        lines: a line per metric.
        about: what it was computed on; JSON-able.
    """

    lines: tuple[Line, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Lines with two values."""
        return sum(line.difference is not None for line in self.lines)

    @property
    def passed(self) -> bool:
        """Whether something was compared, and nothing differs or failed."""
        return self.compared > 0 and all(line.verdict in ("equal", "absent") for line in self.lines)


@dataclass(frozen=True, slots=True)
class Ours:
    """Our side of a metric: how it is computed, and how far apart two implementations may be."""

    compute: Callable[[], Value]
    tolerance: Tolerance


def compare(
    package: Package,
    job: Mapping[str, Any],
    ours: Mapping[tuple[str, str], Ours],
    environments: Environments,
    variables: Mapping[str, str] | None = None,
) -> list[Line]:
    """Runs a job in the package's environment and puts our values beside.

    Args:
        job: for `child.py`.
        ours: (metric, mode) as the package calls them -> our side.
        variables: environment of the package's process.
    """
    try:
        python = environments.python(package)
    except EvalsuiteError as error:
        return [Line(package.name, "", "", note=str(error))]
    _log.info("running %s in %s", package.name, python)
    found = ask(package, python, job, variables or {})
    version = str(found.get("version", ""))
    if not version:
        note = f"not installed in {python}. Get it with `{package.install}`, --make-env or --python"
        return [Line(package.name, "", "", verdict="absent", note=note)]
    lines = []
    for value in found["values"]:
        name, mode = value["metric"], value["mode"]
        if "error" in value:
            lines.append(Line(package.name, version, name, mode, note=value["error"]))
        elif (name, mode) in ours:
            lines.append(_line(package.name, version, name, mode, value["value"], ours[name, mode]))
    if "error" in found:
        lines.append(Line(package.name, version, "", note=found["error"]))
    return lines


def _line(package: str, version: str, name: str, mode: str, theirs: Value, side: Ours) -> Line:
    try:
        ours = side.compute()
    except EvalsuiteError as error:
        first = theirs if isinstance(theirs, float | int) else None
        return Line(package, version, name, mode, theirs=first, note=f"ours: {error}")
    if isinstance(theirs, float | int) and isinstance(ours, float | int):
        pairs, note = [(float(theirs), float(ours))], ""
    else:
        assert not isinstance(theirs, float | int)
        assert not isinstance(ours, float | int)
        if len(theirs) != len(ours):
            note = f"{len(theirs)} values there, {len(ours)} here"
            return Line(package, version, name, mode, verdict="different", note=note)
        pairs = [(float(a), float(b)) for a, b in zip(theirs, ours, strict=True)]
        note = f"largest difference of {len(pairs)} values"
    return _worst(package, version, name, mode, pairs, side.tolerance, note)


def _worst(
    package: str, version: str, name: str, mode: str, pairs: Iterable[tuple[float, float]],
    tolerance: Tolerance, note: str,
) -> Line:  # fmt: skip
    """The pair that exceeds its tolerance most; equal infinities and two NaNs are equal."""

    def excess(pair: tuple[float, float]) -> float:
        difference = _difference(*pair)
        return math.inf if math.isnan(difference) else abs(difference) - _allowed(pair[0], tolerance)

    theirs, ours = max(pairs, key=excess)
    difference, allowed = _difference(theirs, ours), _allowed(theirs, tolerance)
    equal = not math.isnan(difference) and abs(difference) <= allowed
    return Line(
        package,
        version,
        name,
        mode,
        theirs,
        ours,
        difference,
        allowed,
        "equal" if equal else "different",
        note,
    )


def _allowed(theirs: float, tolerance: Tolerance) -> float:
    return tolerance.allowed(theirs) if math.isfinite(theirs) else 0.0


def _difference(theirs: float, ours: float) -> float:
    if theirs == ours or (math.isnan(theirs) and math.isnan(ours)):
        return 0.0
    return ours - theirs
