"""Which sides the compare pages have: models, each with its repetitions; and their differences."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from evalsuite.comparison.comparing import Comparison, compare
from evalsuite.comparison.sides import differences, open_side, with_same_judges
from evalsuite.errors import EvalsuiteError, SpecError, suggest
from evalsuite.report.labels import labels_of
from evalsuite.report.privacy import without_folders
from evalsuite.store import RunReader
from evalsuite.tracking.gathering import place_of_run

MOST = 4
"""So many sides are compared in pairs unless some are named."""

_ALLOWED = {"seed", "limit"}
"""Runs that differ in nothing else are compared, on the samples that they share."""

_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class RunSide:
    """One side: the runs of one checkpoint, repetitions with different seeds.

    Args:
        name: as pages call it.
        readers: the first is the one whose samples are shown.
    """

    name: str
    readers: tuple[RunReader, ...]

    @property
    def paths(self) -> list[Path]:
        """Of its runs."""
        return [reader.path for reader in self.readers]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sides and what `evalsuite compare` finds.

    Args:
        comparison: None where nothing can be compared.
        refused: why tasks that both have are left out, one sentence each.
    """

    base: RunSide
    candidate: RunSide
    comparison: Comparison | None
    refused: tuple[str, ...]


def sides_of(readers: Sequence[RunReader]) -> list[RunSide]:
    """The scored runs, those of one checkpoint with different seeds together."""
    groups: dict[tuple[str, str, int | None], list[RunReader]] = {}
    for reader in readers:
        if not any(result.estimates for result in reader.metrics()):
            continue
        model = reader.manifest.model
        step = place_of_run(reader).step
        groups.setdefault((reader.model_name, model.fingerprint if model else "", step), []).append(reader)
    whole: list[tuple[RunReader, ...]] = []
    for group in groups.values():
        whole += [tuple(group)] if _repetitions(group) else [(reader,) for reader in group]
    labels = labels_of([runs[0] for runs in whole])
    found = []
    for label, runs in zip(labels, whole, strict=True):
        seeds = len({reader.spec.seed for reader in runs})
        found.append(RunSide(f"{label}, {seeds} seeds" if seeds > 1 else label, runs))
    return found


def _repetitions(group: Sequence[RunReader]) -> bool:
    """Whether runs of one checkpoint are one side: different seeds, measured alike."""
    try:
        with ExitStack() as stack:
            open_side([reader.path for reader in group], stack)
    except EvalsuiteError:
        return False
    return True


def chosen(sides: Sequence[RunSide], order: Sequence[str], names: Sequence[str]) -> list[RunSide]:
    """The sides that are compared: those named (by model or side), else the first of `order`.

    Raises:
        SpecError: no run has such a model.
    """
    for name in names:
        if not any(name in (side.name, side.readers[0].model_name) for side in sides):
            known = [side.name for side in sides]
            raise SpecError(f"No scored run is of a model {name!r}.", suggest(name, known))
    if names:
        return [side for side in sides if {side.name, side.readers[0].model_name} & set(names)]
    if len(sides) <= MOST:
        return list(sides)
    places = {name: i for i, name in enumerate(order)}
    ranked = sorted(sides, key=lambda side: places.get(side.readers[0].model_name, len(places)))
    return ranked[:MOST]


def pairs_of(sides: Sequence[RunSide], tasks: Sequence[str]) -> list[Pair]:
    """Every two sides with a task in common; the one that comes later is the candidate.

    Args:
        tasks: only these; all when empty.
    """
    found = [_pair(base, candidate, tasks) for base, candidate in itertools.combinations(sides, 2)]
    return [pair for pair in found if pair.comparison is not None or pair.refused]


def _pair(base: RunSide, candidate: RunSide, tasks: Sequence[str]) -> Pair:
    alike: list[str] = []
    refused: list[str] = []
    found: Comparison | None = None
    try:
        with ExitStack() as stack:
            opened = with_same_judges(open_side(base.paths, stack), open_side(candidate.paths, stack))
            for key, measured in opened[1].tasks.items():
                own = opened[0].tasks.get(key)
                if own is None or (tasks and measured[0].result.info.name not in tasks):
                    continue
                different = differences(own, measured)
                lines = [line for aspect, line in different.items() if aspect not in _ALLOWED]
                if lines:
                    refused.append(f"{key} was not measured alike: {', '.join(lines)}.")
                else:
                    alike.append(key)
        if alike:
            found = compare(
                base.paths, candidate.paths, allow=_ALLOWED, tasks=alike, groups=True,
                resamples=_RESAMPLES, recompute=False,
            )  # fmt: skip
            found = replace(found, base=base.name, candidate=candidate.name)
    except EvalsuiteError as error:
        refused.append(error.what)
    return Pair(base, candidate, found, tuple(map(without_folders, refused)))
