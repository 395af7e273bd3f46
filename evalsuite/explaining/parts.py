"""The parts of an explanation, and how it is rendered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from evalsuite.reproduction import Comparison
from evalsuite.reproduction.rendering import pipes, signed


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a number depends on.

    Args:
        name: scoring rules, postprocessing, prompt …
        how: `measured` on the stored answers (or other runs), or `listed`: nothing here can measure it.
        effect: what this part would change the number by, in the table's unit; None where it is listed.
        spread: the effect goes both ways, by so much at the most.
    """

    name: str
    how: Literal["measured", "listed"]
    text: str
    effect: float | None = None
    spread: float | None = None

    def shown(self, digits: int) -> str:
        """The effect for a table."""
        if self.spread is not None:
            return f"±{self.spread:.{digits}f}"
        return "" if self.effect is None else signed(self.effect, digits)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A number of a run, or its difference from a published one, taken apart.

    Args:
        value, low, high: ours, in the table's unit.
        comparison: with the published cell, where one was named.
    """

    run: str
    task: str
    metric: str
    value: float
    low: float
    high: float
    digits: int
    parts: tuple[Part, ...]
    comparison: Comparison | None = None

    def headline(self) -> list[str]:
        """Ours, the published number, the verdict, and what can account for the difference."""
        ends = "" if math.isnan(self.low) else f" ({self._number(self.low)}–{self._number(self.high)})"
        lines = [f"ours {self._number(self.value)}{ends}"]
        made = self.comparison
        if made is None or made.published is None or made.difference is None:
            return lines
        apart = signed(made.difference, self.digits)
        lines[0] += f", published {self._number(made.published.value)}, difference {apart}"
        lines.append(f"{made.verdict}" + (f": {'; '.join(made.reasons)}" if made.reasons else ""))
        wanted = -made.difference
        # What would bring ours nearer, by how well it fits.
        towards = [(abs(p.effect - wanted), p) for p in self.parts if p.effect and p.effect * wanted > 0]
        open_ = f"to be accounted for: {signed(wanted, self.digits)}"
        if towards:
            best = min(towards, key=lambda pair: pair[0])[1]
            lines.append(f"{open_}; nearest measured part: {best.name} {best.shown(self.digits)}")
        elif round(wanted, self.digits):
            lines.append(f"{open_}; no measured part goes that way")
        return lines

    def _number(self, value: float) -> str:
        return f"{value:.{self.digits}f}"


def markdown(found: Explanation) -> str:
    """The explanation as a Markdown page."""
    rows = [(part.name, part.how, part.shown(found.digits), part.text) for part in found.parts]
    body = pipes(("part", "how", "effect", "what"), rows)
    head = "  \n".join(found.headline())
    return f"# {found.task}, {found.metric}, of {found.run}\n\n{head}\n\n{body}\n"


def as_json(found: Explanation) -> dict[str, Any]:
    """Everything, for other programs."""
    made = found.comparison
    return {
        "run": found.run, "task": found.task, "metric": found.metric, "value": found.value,
        "low": None if math.isnan(found.low) else found.low,
        "high": None if math.isnan(found.high) else found.high,
        "published": made.published.model_dump() if made and made.published else None,
        "difference": made.difference if made else None,
        "verdict": made.verdict if made else None,
        "reasons": list(made.reasons) if made else [],
        "parts": [
            {"name": p.name, "how": p.how, "effect": p.effect, "spread": p.spread, "text": p.text}
            for p in found.parts
        ],
    }  # fmt: skip
