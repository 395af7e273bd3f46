"""Says how many recorded values were compared."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from tests.dreamllm.recordings import COMPARED, VARIANTS

    if COMPARED:
        sections = ", ".join(f"{name} {count}" for name, count in sorted(COMPARED.items()))
        names = ", ".join(variant.name for variant in VARIANTS)
        terminalreporter.write_line(
            f"DreamLLM recordings (variants {names}): {COMPARED.total()} values compared: {sections}"
        )
