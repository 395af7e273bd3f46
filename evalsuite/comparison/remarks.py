"""What a reader of a comparison should know beside its numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from evalsuite.comparison.checks import Compared
from evalsuite.comparison.sides import Side
from evalsuite.leaderboards.marks import partial, stale

_SOFTWARE = ("evalsuite", "torch", "transformers", "diffusers", "pillow")
"""Packages that are known to move answers or scores."""


def _software(base: Side, candidate: Side) -> list[str]:
    """What else may explain a difference, or its absence."""
    first, second = (next(iter(side.tasks.values()))[0].run.manifest for side in (base, candidate))
    notes = []
    if first.model and second.model and first.model.fingerprint == second.model.fingerprint:
        beside = [model.details.get("configuration") for model in (first.model, second.model)]
        other = all(beside) and beside[0] != beside[1]
        notes.append(
            "Base and candidate have the same weights (equal fingerprints)"
            + (", but other files beside them: tokenizer, template or preprocessing." if other else ".")
        )
    if first.sessions and second.sessions:
        a, b = (manifest.sessions[-1].environment.packages for manifest in (first, second))
        changed = [
            f"{name} {a.get(name, 'none')} against {b.get(name, 'none')}"
            for name in _SOFTWARE
            if a.get(name) != b.get(name)
        ]
        if changed:
            notes.append(f"Measured with different software: {', '.join(changed)}.")
    return notes


def _incomplete(base: Side, candidate: Side, keys: Collection[str]) -> list[str]:
    """Data that are not the official split, samples not asked or judged yet, answers newer than the
    scores."""
    found: dict[str, None] = {}
    for which, side in (("base", base), ("candidate", candidate)):
        for key in keys:
            for one in side.tasks[key]:
                record = one.run.manifest.task(key)
                if phrase := partial(one.result.info, record):
                    found[f"{key}: {phrase}."] = None
                if one.result.unfinished:
                    count = f"{one.result.unfinished} of {one.result.total}"
                    found[f"{key}: {count} samples are missing in the {which}."] = None
                if late := stale(one.result, one.run.counts()):
                    found[
                        f"{key}: {late} answers of the {which} came after its scores (`evalsuite score`)."
                    ] = None
    return list(found)


def notes_on(
    base: Side, candidate: Side, different: dict[str, dict[str, str]], rows: Sequence[Compared]
) -> list[str]:
    """One sentence each: what was allowed to differ, what one side lacks, what is not paired."""
    notes = [
        f"{key}: allowed to differ: {', '.join(found.values())}." for key, found in different.items() if found
    ]
    judges = {key: measured[0].result.judge for key, measured in base.tasks.items() if key in different}
    notes += [f"{key}: judged by {judge}." for key, judge in judges.items() if judge]
    for side, other in ((base, candidate), (candidate, base)):
        alone = [key for key in side.tasks if key not in other.tasks]
        if alone:
            which = "base" if side is base else "candidate"
            unscored = [key for key in alone if key in other.unscored]
            phrase = f" (not scored on the other side: {', '.join(unscored)})" if unscored else ""
            notes.append(f"Only the {which} has {', '.join(alone)}{phrase}.")
    notes += _incomplete(base, candidate, different)
    notes += _software(base, candidate)
    unpaired = [row.name for row in rows if not row.difference.paired]
    if unpaired:
        notes.append(
            f"Not paired, so less is seen: {', '.join(dict.fromkeys(unpaired))}; see each number's method."
        )
    bare = [row.name for row in rows if math.isnan(row.difference.p)]
    if bare:
        notes.append(f"Without interval and test: {', '.join(bare)}.")
    return notes
