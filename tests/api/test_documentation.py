"""docs/python.md is true: its blocks run from top to bottom, and it names all that is public."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import evalsuite

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "python.md"


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the blocks leave behind."""
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)
    assert len(blocks) >= 10
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        for block in blocks:
            exec(compile(block, str(DOCUMENT), "exec"), found)
        found["html"] = [found[name]._repr_html_() for name in ("run", "sample", "comparison", "flip")]
    return found


@pytest.mark.slow
def test_the_blocks_do_what_the_text_says(namespace: dict[str, Any]) -> None:
    assert namespace["comparison"].passed
    assert list(namespace["comparison"].frame["verdict"]) == ["better"]
    assert namespace["sample"].prompt.startswith("[image]")
    assert len(namespace["sample"].images) == 1
    assert 0 < len(namespace["wrong"]) <= 10
    assert all(view.scores["accuracy"] == 0 for view in namespace["wrong"])
    assert namespace["plan"].samples(1.0) > 100
    assert set(namespace["frame"]["model"]) == {"question-prior", "random"}
    assert len(namespace["published"]) > 50
    assert namespace["needed"].needs
    assert namespace["taken_apart"].parts
    assert "mini-coco-t2i" in set(namespace["tasks"]["name"])


def test_a_run_a_sample_and_a_comparison_show_themselves(namespace: dict[str, Any]) -> None:
    run, sample, comparison, flip = namespace["html"]
    assert "question-prior" in run
    assert "accuracy" in run
    assert 'src="data:image/png;base64,' in sample
    assert "reference" in sample
    assert "passed: 1 gate held" in comparison
    assert flip.count('src="data:image/png;base64,') == 2


def test_every_public_name_is_in_the_document_or_returned_by_one_that_is() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    returned = {"__version__", "Comparison", "HoursPlan", "Run", "SamplePlan", "SampleView", "load_gates"}
    assert [name for name in evalsuite.__all__ if name not in text and name not in returned] == []
