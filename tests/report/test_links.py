"""From numbers to the samples behind them, in a real browser."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("selenium", reason="selenium is in the extra 'test'")

from selenium.webdriver.support.select import Select

from tests.report.pages import Shown

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

LINKS = "return [...document.querySelectorAll('%s')].map((a) => [a.getAttribute('href'), a.textContent])"
RESET = "[...document.querySelectorAll('#filters button')].find((b) => b.textContent === 'Reset').click()"


def followed(page: Shown, selector: str) -> Shown:
    """The page behind a link."""
    address = page.run("return document.querySelector(arguments[0]).getAttribute('href')", selector)
    name, _, state = address.removeprefix("../").partition("#")
    root = page.run("return location.href").rsplit("/", 2)[0]
    return Shown(page.chrome, Path(root.removeprefix("file://")), f"{name}#{state}")


def test_bars_and_values_lead_to_their_samples(chrome: Chrome, site: Path) -> None:
    page = followed(Shown(chrome, site, "tasks/shapes.html"), ".bars li:nth-child(2) a")
    assert page.found == "6 of 24 samples"  # one of four colours
    assert page.run("return document.querySelector('[name=a]').selectedOptions[0].text") == "odd"
    page = followed(Shown(chrome, site, "tasks/shapes.html"), ".numbers tr:nth-child(2) a.value")
    assert page.found == "24 samples"
    page = followed(Shown(chrome, site, "tasks/shapes.html"), "#failures td.number a")
    assert page.found == "2 of 24 samples"


def test_bars_of_histograms_lead_to_as_many_samples_as_they_count(chrome: Chrome, site: Path) -> None:
    bars = LINKS % ".histogram a"
    page = Shown(chrome, site, "tasks/shapes.html")
    found = page.run(bars)
    assert len(found) > 4
    for address, title in found:
        count = int(title.rsplit(" ", 1)[1])
        page = Shown(chrome, site, address.removeprefix("../"))
        shown = int(page.found.split()[0])
        assert shown == count, (address, title)


def test_labels_of_the_open_sample_are_filters_and_the_pane_follows(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/shapes.html#sample=shapes%2F6+%3Cb%3E")
    page.await_sample("shapes/6 <b>")
    page.one(".labels button.label").click()
    assert page.found == "6 of 24 samples"
    assert page.sample == "shapes/6 <b>"  # it fits, so it stays
    assert page.texts(".detail-head .faint") == ["2 of 6"]
    Select(page.one("[name='label.colour']")).select_by_visible_text("green")
    page.await_sample("shapes/1 <b>")  # it fits no more: the first that does
    page.choose("outcome", "failed")
    assert page.found == "0 of 24 samples"
    page.until("return document.querySelector('#detail').textContent.includes('No sample fits')")
    page.run(RESET)
    page.await_sample("shapes/1 <b>")
    assert page.texts(".detail-head .faint") == ["2 of 24"]


def test_cells_of_a_confusion_matrix_lead_to_their_samples(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "tasks/picks.html")
    cells = page.run(LINKS % ".matrix a")
    assert sum(int(count) for _, count in cells) == 47  # one has failed
    for address, count in cells:
        page = Shown(chrome, site, address.removeprefix("../"))
        assert page.found == f"{count} of 24 samples"


def test_two_models_are_compared_and_flips_lead_to_samples(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "compare.html")
    assert page.texts(".pairs td a") == ["0 better · 1 worse of 4"]
    page.one(".pairs td a").click()
    page.until("return document.querySelector('.differing')")
    rows = [text.split() for text in page.texts(".differing tbody tr")]
    assert rows[0][:3] == ["shapes", "accuracy", "↑"]
    assert ["evidence" in rows[0], "worse" in rows[3]] == [True, True]  # few clusters; 18 of 24
    places = page.run(
        "return [...document.querySelectorAll('.differing .gain')].map((one) =>"
        " ['zero', 'range', 'point'].map((part) =>"
        " one.querySelector('.' + part)?.getBoundingClientRect().left))"
    )
    assert places[0][1] < places[0][2] < places[0][0]  # the whole interval is below zero
    assert page.texts("#task-0 .flips h3") == ["0 samples better", "11 samples worse"]
    page = followed(page, "#task-0 .flips h3 a")
    assert page.found == "11 of 24 samples"
    page = followed(Shown(chrome, site, "compare/pair-1.html"), "#task-0 .flips li a")
    page.until("return document.querySelector('.detail-head h2')")
    assert page.found == "11 of 24 samples"


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_filtered_list_is_saved_by_the_page(
    chrome: Chrome, site: Path, tmp_path: Path, kind: str
) -> None:
    chrome.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    page = Shown(chrome, site, "samples/shapes.html#a=odd&outcome=zero&sort=low")
    assert page.found == "11 of 24 samples"
    page.one(f"[data-export='{kind}']").click()
    target = tmp_path / f"shapes.{kind}"
    deadline = time.monotonic() + 20
    while not target.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    text = target.read_text("utf-8")
    if kind == "json":
        found: list[Any] = json.loads(text)
        assert found[0]["answers"][1] == {
            "model": "odd",
            "answer": "<script>window.executed = 1</script>",
            "state": "answered",
            "scores": [
                {"name": "accuracy", "rules": "official", "value": 0},
                {"name": "length", "rules": "official", "value": 36},
            ],
        }
        assert (found[0]["id"], found[0]["labels"]["colour"]) == ("shapes/0 <b>", "red")
    else:
        found = list(csv.DictReader(text.splitlines(keepends=True)))
        assert found[0]["odd: answer"] == "<script>window.executed = 1</script>"
        assert found[0]["odd: accuracy"] == "0"
    assert len(found) == 11
    assert page.complaints() == []


def test_spreadsheets_compute_nothing_of_an_export(chrome: Chrome, site: Path, tmp_path: Path) -> None:
    chrome.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    page = Shown(chrome, site, "samples/shapes.html")
    cells = page.run(
        "const rows = async () => [['=1+1', '@a', '-b, \"c\"', ['+d', 'e']]];"
        "const given = {page: 'x', rows, places: () => [0], fail() {}};"
        "const scores = [{name: 's', rules: 'r', data: [[-1.5]]}];"
        "const index = {rows: 1, labels: {}, columns: ['m'], states: [[0]], scores};"
        "window.given = Evalsuite.exporting(index, given)[0]; window.given.click(); return 1"
    )
    assert cells == 1
    target = tmp_path / "x.csv"
    deadline = time.monotonic() + 20
    while not target.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    row = next(csv.DictReader(target.read_text("utf-8").splitlines(keepends=True)))
    assert row == {
        "id": "'=1+1", "prompt": "'@a", "reference": "'-b, \"c\"",
        "m: answer": "'+d", "m: state": "answered", "m: s": "-1.5",
    }  # fmt: skip


def test_the_gallery_fills_its_width_with_references_scores_and_answers(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/edits.html#view=gallery")
    page.until("return document.querySelectorAll('#item-0 img').length === 4")
    assert page.texts("#item-0 figcaption .who") == ["source", "reference", "exact", "odd"]
    assert page.texts("#item-0 .worth") == ["100.0", "100.0"]
    left, right = page.run(
        "const items = [...document.querySelectorAll('.item')].map((one) => one.getBoundingClientRect());"
        "const box = document.getElementById('list');"
        "return [Math.min(...items.map((i) => i.left)) - box.getBoundingClientRect().left,"
        " box.getBoundingClientRect().left + box.clientWidth - Math.max(...items.map((i) => i.right))]"
    )
    assert abs(left) < 3
    assert abs(right) < 3
    page = Shown(chrome, site, "samples/shapes.html#view=gallery")
    page.until("return document.querySelectorAll('#item-1 .reply').length === 2")
    assert page.texts("#item-1 .reply")[0].split("\n") == ["green", "100.0"]


def test_new_pages_and_the_gallery_fit_a_narrow_window(chrome: Chrome, site: Path) -> None:
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for address in (
            "compare.html",
            "compare/pair-1.html",
            "tasks/picks.html",
            "samples/edits.html#view=gallery",
            "samples/edits.html#sample=edits%2F0+%3Cb%3E",
        ):
            page = Shown(chrome, site, address)
            assert page.run("return document.documentElement.scrollWidth") <= 390, address
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
