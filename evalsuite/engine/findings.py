"""What a worker finds out about batches while it works, as others can use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalsuite.engine.batching import Scope

ScopeKey = tuple[str, str, str, str]
"""Task, device step, decoding and group, as text: a scope that means the same in every process."""


def scope_key(scope: Scope) -> ScopeKey:
    """The key of a scope; a group without a `repr` of its own is a worker's own."""
    return scope.task, scope.method, repr(scope.output), repr(scope.group)


@dataclass(frozen=True, slots=True)
class Findings:
    """What holds for every worker with the same model and kind of GPU.

    Args:
        fits: requests that memory was found to hold, by scope.
        alone: scopes whose batches answer otherwise than single requests; they are asked one at a time.
        checked: scopes that were compared with single requests, whatever the verdict.
    """

    fits: Mapping[ScopeKey, int] = field(default_factory=dict)
    alone: frozenset[ScopeKey] = frozenset()
    checked: frozenset[ScopeKey] = frozenset()

    def merged(self, other: Findings) -> Findings:
        """Both together: the smaller size, and every scope that one of them found unsafe.

        >>> one, other = Findings({("t", "m", "o", "g"): 4}), Findings({("t", "m", "o", "g"): 8})
        >>> one.merged(other).fits
        {('t', 'm', 'o', 'g'): 4}
        """
        fits = dict(self.fits)
        for key, count in other.fits.items():
            fits[key] = min(count, fits.get(key, count))
        return Findings(fits, self.alone | other.alone, self.checked | other.checked)
