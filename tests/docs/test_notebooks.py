"""The documentation's notebooks: what is committed is what executing them gives, and shows as a page."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_notebooks", ROOT / "docs" / "_site" / "notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


notebooks = _module()
NAMES: list[str] = notebooks.names()


def _shape(notebook: dict[str, Any]) -> list[Any]:
    """Sources, and the kinds of what came out of them."""
    return [
        (cell["source"], [(o["output_type"], sorted(o.get("data", {}))) for o in cell.get("outputs", [])])
        for cell in notebook["cells"]
    ]


def test_there_are_three_small_ones_in_the_site() -> None:
    assert len(NAMES) == 3
    menu = (ROOT / "mkdocs.yml").read_text()
    for name in NAMES:
        assert (ROOT / "docs" / "notebooks" / name).stat().st_size < 300_000
        assert f"notebooks/{name.removesuffix('.ipynb')}.md" in menu


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_executed_again_it_gives_the_same_kinds_of_output(name: str, tmp_path: Path) -> None:
    pytest.importorskip("nbclient", reason="nbclient is in the extra 'test'")
    pytest.importorskip("ipykernel", reason="ipykernel is in the extra 'test'")
    found = notebooks.executed(name, tmp_path)
    assert _shape(found) == _shape(notebooks.read(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_output_is_on_the_page_and_nothing_of_this_machine(name: str) -> None:
    notebook, page = notebooks.read(name), notebooks.markdown(name)
    outputs = [o for cell in notebook["cells"] for o in cell.get("outputs", [])]
    assert len(outputs) >= 4
    shown = page.count('class="notebook-output"') + page.count('<img alt="plot"') + page.count("```text")
    assert shown == len(outputs)
    assert not any(o["output_type"] == "error" for o in outputs)
    assert "/tmp/" not in page
    for line in page.splitlines():
        if line.startswith('<div class="notebook-output">'):
            assert line.endswith("</div>")  # one line: nothing in it is read as Markdown
