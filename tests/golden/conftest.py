"""`pytest tests/golden`: every case file of the golden folder, and a closing table of what was compared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.goldens import golden_root

_PROPERTY = "golden"


@pytest.fixture
def compared(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Tells the closing table how many cases of which set a test compared; a set without cases is an
    error."""

    def record(name: str, count: int) -> None:
        assert count > 0, f"the golden set {name!r} is empty: nothing was compared"
        request.node.user_properties.append((_PROPERTY, (name, count)))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport)
    ]
    lines: dict[str, list[int]] = {}
    failed = set()
    for report in reports:
        if report.when != "call" and report.passed:
            continue
        for key, told in report.user_properties:
            if key == _PROPERTY:
                name, count = told
                lines.setdefault(name, []).append(count)
                if report.failed:
                    failed.add(name)
    if not lines:
        return
    terminalreporter.section(f"golden cases in {golden_root()}")
    width = max(map(len, lines))
    for name, counts in sorted(lines.items()):
        mark = "DIFFERENT" if name in failed else "equal"
        terminalreporter.write_line(f"{name:{width}}  {sum(counts):>7,} cases  {mark}")
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        test, reason = report.nodeid.split("::")[-1], reason.removeprefix("Skipped: ")
        if "empty parameter set" in reason:
            test, reason = test.split("[")[0], "the folder has no case file for it"
        terminalreporter.write_line(f"not compared: {test}: {reason}")
