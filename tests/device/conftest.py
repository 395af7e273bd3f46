"""The pretended GPU for every test here, and a table of what was counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

TABLE: list[tuple[str, int, int, int, int]] = []
"""Capability, steps, kernels, uploads, waits."""


@pytest.fixture
def gpu() -> Iterator[Any]:
    from tests.device.pretended import pretended_gpu

    with pretended_gpu() as device:
        yield device


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if TABLE:
        terminalreporter.write_line(
            f"{'on a pretended GPU':<44}{'steps':>7}{'kernels':>9}{'copies':>8}{'waits':>7}"
        )
    for name, steps, kernels, uploads, waits in TABLE:
        terminalreporter.write_line(f"{name:<44}{steps:>7}{kernels:>9}{uploads:>8}{waits:>7}")
