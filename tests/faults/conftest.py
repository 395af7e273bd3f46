"""Counts what the campaign tried and how each attempt ended, and shows the table at the end.

Every test here has the mark `faults`. Those that take long have `long`, too, and run only where they are
asked for: `pytest -m faults` runs all, `pytest` the fast ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Tally = Callable[..., None]
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    everything = any(word in (config.option.markexpr or "") for word in ("faults", "long"))
    kept, left = [], []
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)
            if item.get_closest_marker("long") and not everything:
                left.append(item)
                continue
        kept.append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """`tally(class, outcome, count=1)`: one line of the table."""

    def count(kind: str, outcome: str, number: int = 1) -> None:
        record_property("fault", (kind, outcome, number))

    return count


def pytest_terminal_summary(terminalreporter: Any) -> None:
    found: dict[str, Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "fault" and getattr(report, "when", "call") == "call":
                    kind, outcome, number = value
                    found.setdefault(kind, Counter())[outcome] += number
    if not found:
        return
    terminalreporter.section("fault campaign")
    width = max(map(len, found))
    total = 0
    for kind, outcomes in sorted(found.items()):
        total += sum(outcomes.values())
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
        terminalreporter.write_line(f"{kind:<{width}}  {sum(outcomes.values()):>6}  {told}")
    terminalreporter.write_line(f"{'all':<{width}}  {total:>6}")
