"""200,000 samples: what a browser loads and draws does not grow with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evalsuite.report.files import ROWS, SampleFiles
from evalsuite.report.output import Output
from evalsuite.task import Metric

pytest.importorskip("selenium", reason="selenium is in the extra 'test'")

from tests.report.pages import Shown
from tests.report.support import once

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

COUNT = 200_000
NEEDLE = 123_456


@pytest.fixture(scope="module")
def large(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report's pages and scripts around the data of 200,000 samples of one task."""
    return once(tmp_path_factory, "report-large", lambda folder: write_large(folder, site))


def write_large(folder: Path, site: Path) -> None:
    output = Output(folder)
    files = SampleFiles(output, "shapes", ["exact", "odd"], [("official", "accuracy")])
    labels = [{"colour": colour} for colour in ("red", "green", "blue")]
    for i in range(COUNT):
        right = i % 10 != 0
        said = "needle" if i == NEEDLE else "yes"
        name = f"sample-{i}"
        told = [[0, {"k": "text", "x": said, "n": 1, "cut": False}, 0.0]]
        files.add(
            {"id": name, "l": {}, "p": [{"m": [["user", ["?"]]]}], "a": [{"s": told, "v": []}, None]},
            [name, "?", "yes", [said, ""]],
            labels=labels[i % 3],
            scores={(0, 0): float(right), (0, 1): 1.0},
            states=[0, 1 if i % 1000 == 0 else 0],
            classes=[0, 0 if right else 1],
        )
    about = {"title": "shapes", "capability": "text", "total": COUNT, "missing": "", "colours": [0, 1]}
    files.finish(about, {"accuracy": Metric("accuracy", scale=100.0)})
    for name in ("samples/shapes.html", *(f"assets/{path.name}" for path in (site / "assets").iterdir())):
        output.write(name, (site / name).read_bytes())


@pytest.mark.slow
def test_two_hundred_thousand_samples_open_filter_and_scroll(chrome: Chrome, large: Path) -> None:
    page = Shown(chrome, large, "samples/shapes.html")
    page.await_sample("sample-0")
    drawn = "return document.querySelectorAll('.item').length"
    loads = "return Evalsuite.loads.count"
    assert page.found == "200,000 samples"
    assert page.run(drawn) < 60
    assert page.run(loads) == 3  # the index, the first rows, the first samples
    assert (large / "data" / "shapes" / "index.js").stat().st_size < 10 * COUNT

    page.choose("outcome", "zero")
    assert page.found == "20,000 of 200,000 samples"
    page.choose("a", "odd")
    page.choose("outcome", "failed")
    assert page.found == "200 of 200,000 samples"
    assert page.run(loads) < 20  # rows of the few samples that can be seen
    page.choose("outcome", "any")
    page.choose("relation", "model is better")
    page.choose("b", "exact")
    assert page.found == "20,000 of 200,000 samples"
    page.choose("relation", "no condition")

    before = page.run(loads)
    page.run("const list = document.getElementById('list'); list.scrollTop = list.scrollHeight")
    page.until(
        "return [...document.querySelectorAll('.item .id')].some((e) => e.textContent === 'sample-199999')"
    )
    assert page.run(drawn) < 60
    assert page.run(loads) - before <= 2
    assert page.complaints() == []


def test_free_text_is_found_among_two_hundred_thousand(chrome: Chrome, large: Path) -> None:
    page = Shown(chrome, large, "samples/shapes.html")
    page.type("[name='q']", "needle")
    page.await_found("1 of 200,000 samples")
    page.until("return document.getElementById('progress').textContent === ''")
    assert page.run("return Evalsuite.loads.count") <= COUNT // ROWS + 10
    page.one("#item-0").click()
    page.await_sample(f"sample-{NEEDLE}")


def test_a_link_into_two_hundred_thousand_loads_one_page_of_samples(chrome: Chrome, large: Path) -> None:
    page = Shown(chrome, large, f"samples/shapes.html#sample=sample-{NEEDLE}")
    page.await_sample(f"sample-{NEEDLE}")
    assert page.run("return Evalsuite.loads.count") <= 6
