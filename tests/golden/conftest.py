"""`pytest tests/golden`: every case file of the golden folder, and a closing table of what was compared."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from tests.goldens import golden_root

_PROPERTY = "golden"
_CALLED = pytest.StashKey[pytest.CallInfo[None]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remembers how a test ended, for the fixtures that end after it."""
    if call.when == "call":
        item.stash[_CALLED] = call
    return (yield)


@pytest.fixture
def compared(request: pytest.FixtureRequest) -> Iterator[Callable[[str, int], None]]:
    """Tells the closing table how many cases of which set a test compared; a set without cases, and a test
    that passes without a comparison, are errors."""
    counts: list[int] = []

    def record(name: str, count: int) -> None:
        assert count > 0, f"the golden set {name!r} is empty: nothing was compared"
        counts.append(count)
        request.node.user_properties.append((_PROPERTY, (name, count)))

    yield record
    ended = request.node.stash.get(_CALLED, None)
    if ended is not None and ended.excinfo is None:
        assert counts, "its golden set is empty: nothing was compared"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    def reports(*outcomes: str) -> list[pytest.TestReport]:
        found = (report for outcome in outcomes for report in terminalreporter.stats.get(outcome, []))
        return [report for report in found if isinstance(report, pytest.TestReport)]

    counts: dict[str, int] = {}
    names: dict[str, list[str]] = {"unread": [], "elsewhere": []}
    for report in reports("passed"):
        given: Any
        for key, given in report.user_properties if report.when == "call" else ():
            if key in names:
                names[key] += given
            elif key == _PROPERTY:
                name, count = given
                counts[name] = counts.get(name, 0) + count
    different, skipped = reports("failed", "error"), reports("skipped")
    if not counts and not different and not any(names.values()):
        return
    terminalreporter.section(f"golden cases in {golden_root()}")
    width = max(map(len, counts), default=0)
    for name in sorted(counts):
        terminalreporter.write_line(f"{name:{width}}  {counts[name]:>7,} cases  equal")
    absent = set()
    for report in skipped:
        test = report.nodeid.split("::")[-1]
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "empty parameter set" in reason:
            absent.add(f"{report.nodeid.split('::')[0].rpartition('/')[2]}: {test.split('[')[0]}")
        else:
            terminalreporter.write_line(f"not compared: {test}: {reason.removeprefix('Skipped: ')}")
    if absent:
        terminalreporter.write_line(f"no case files for {len(absent)} checks: {'; '.join(sorted(absent))}")
    if names["elsewhere"]:
        terminalreporter.write_line(f"read by other tests: {', '.join(names['elsewhere'])}")
    if names["unread"]:
        terminalreporter.write_line(f"no test reads: {', '.join(names['unread'])}", yellow=True, bold=True)
    for report in different:
        terminalreporter.write_line(f"DIFFERENT: {report.nodeid.split('::')[-1]}")
