"""The report in a real browser, opened from disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.report.report_plugin import HOSTILE

pytest.importorskip("selenium", reason="selenium is in the extra 'test'")

from selenium.webdriver.support.select import Select

from tests.report.pages import Shown

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

UP, DOWN, LEFT, RIGHT, ENTER, ESCAPE = "\ue013", "\ue015", "\ue012", "\ue014", "\ue007", "\ue00c"


@pytest.mark.slow
def test_every_page_opens_without_a_complaint_and_runs_nothing(chrome: Chrome, site: Path) -> None:
    for path in sorted(site.rglob("*.html")):
        page = Shown(chrome, site, path.relative_to(site).as_posix())
        assert page.complaints() == []
        assert page.run("return window.executed") is None
        # The favourite icon aside, everything came from the report's folder.
        names = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert all(name.startswith(site.resolve().as_uri()) for name in names)


def test_the_policy_stops_what_would_slip_through(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "index.html")
    for script in (
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.setAttribute('onclick', 'window.executed = 1')",
        "document.createElement('script').src = 'https://example.org/a.js'",
        "Evalsuite.load('../evil')",
        "document.createElement('script').textContent = 'window.executed = 1'",
    ):
        refused = page.run(f"try {{ {script}; return ''; }} catch (error) {{ return error.name; }}")
        assert refused == "TypeError", script
    assert page.run("return window.executed") is None


def models(page: Shown) -> list[str]:
    return page.texts("#board tbody th")


def test_the_leaderboard_sorts_filters_and_chooses_columns(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "index.html")
    assert models(page) == ["exact", "odd"]
    head = "#board th[data-task='shapes'] button"
    page.one(head).click()
    page.one(head).click()
    assert models(page) == ["odd", "exact"]
    assert page.one("#board th[data-task='shapes']").get_attribute("aria-sort") == "ascending"
    page.one("#board th.model button").click()
    assert models(page) == ["exact", "odd"]

    assert len(page.texts("#board thead th")) == 5
    page.type("#tasks", "stor")
    assert len(page.texts("#board thead th")) == 2
    page.type("#models", "od")
    assert models(page) == ["odd"]
    page.one("#choose summary").click()
    page.one("[data-preset='all']").click()
    assert [text.split("\n")[-1] for text in page.texts("#board thead th")] == [
        "Model",
        "accuracy ↑",
        "length ↓",
    ]

    # What is shown is in the address.
    again = page.run("return location.hash")
    page = Shown(chrome, site, "index.html" + again)
    assert (models(page), len(page.texts("#board thead th"))) == (["odd"], 3)
    page.type("#models", "nobody")
    assert page.one("#none").is_displayed()


def test_whiskers_stand_where_their_numbers_say(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "index.html")
    places = page.run(
        "const all = [...document.querySelectorAll('#board td[data-key]')];"
        "const cells = all.filter((one) => one.offsetParent);"
        "return cells.map((cell) => {"
        "  const box = (part) => cell.querySelector(part)?.getBoundingClientRect();"
        "  const range = box('.range'), point = box('.point');"
        "  return range && [range.left, point.left + point.width / 2, range.right]; })"
    )
    drawn = [place for place in places if place]
    assert drawn
    assert all(low - 1 <= point <= high + 1 for low, point, high in drawn)


def test_dark_and_light_switch_and_are_remembered(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "index.html")
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = page.run(ground)
    page.one("#theme").click()
    after = page.run(ground)
    assert before != after
    page = Shown(chrome, site, "tasks/shapes.html")
    assert page.run(ground) == after
    page.one("#theme").click()
    assert page.run(ground) == before


def test_a_tasks_page_switches_metrics_and_models(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "tasks/shapes.html")
    assert page.texts(".measure > h3") == ["accuracy ↑"]
    Select(page.one("#measure")).select_by_index(1)
    assert page.texts(".measure > h3") == ["length ↓"]
    assert len(page.texts(".measure .numbers tbody tr")) == 2
    page.one("input[data-model='odd']").click()
    assert len(page.texts(".measure .numbers tbody tr")) == 1
    assert page.run("return document.querySelector('a[href^=\"javascript\"]')") is None
    page.one("#failures td a").click()
    page = Shown.__new__(Shown)
    page.chrome = chrome
    page.until("return document.querySelector('.detail-head h2')")
    assert page.sample.startswith("shapes/")


def test_samples_are_walked_by_keys(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/shapes.html")
    page.await_sample("shapes/0 <b>")
    assert page.one("#item-0").get_attribute("aria-selected") == "true"
    page.press("j", "j")
    page.await_sample("shapes/2 <b>")
    page.press("k")
    page.await_sample("shapes/1 <b>")
    page.one("#list").send_keys(DOWN)
    page.await_sample("shapes/2 <b>")
    assert page.one("#list").get_attribute("aria-activedescendant") == "item-2"
    assert page.one("#item-2").get_attribute("aria-selected") == "true"
    page.press("/")
    assert page.run("return document.activeElement.name") == "q"
    page.press("j")  # typed, not a command
    assert page.sample == "shapes/2 <b>"
    page.press(ESCAPE)
    assert page.run("return document.activeElement.id") == "list"
    page.press("?")
    assert page.one("#help").is_displayed()


def test_samples_are_filtered(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/shapes.html")
    assert page.found == "24 samples"
    page.choose("a", "odd")
    page.choose("outcome", "zero")
    assert page.found == "11 of 24 samples"  # the hostile ones, without the one that has no score
    page.choose("outcome", "failed")
    assert page.found == "2 of 24 samples"
    page.choose("outcome", "any")
    page.choose("relation", "model is worse")
    page.choose("b", "exact")
    assert page.found == "11 of 24 samples"
    page.choose("relation", "answers differ")
    assert page.found == "13 of 24 samples"
    page.one(".more-filters summary").click()
    page.choose("label.colour", "green")
    assert page.found == "3 of 24 samples"
    hash_ = page.run("return location.hash")
    page = Shown(chrome, site, "samples/shapes.html" + hash_)
    assert page.found == "3 of 24 samples"
    page.run(
        "[...document.querySelectorAll('#filters button')].find((b) => b.textContent === 'Reset').click()"
    )
    assert page.found == "24 samples"
    page.type("[name='q']", "13: which")
    page.await_found("1 of 24 samples")
    page.type("[name='q']", "LONE surrogate")
    page.await_found("1 of 24 samples")
    page.type("[name='q']", "no such words")
    page.await_found("0 of 24 samples")


def test_samples_are_ordered_by_score(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/shapes.html#a=odd&score=1&sort=high")
    first = "return (document.querySelector('#item-0 .id') || {}).textContent"
    assert page.until(first) == "shapes/8 <b>"  # the line of 100,000 characters


def test_a_link_opens_its_sample_even_when_filters_hide_it(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/shapes.html#outcome=zero&sample=shapes%2F13+%3Cb%3E")
    page.await_sample("shapes/13 <b>")
    assert page.found == "24 samples"
    page = Shown(chrome, site, "samples/shapes.html#sample=gone")
    assert page.one("#progress").text == "There is no sample gone here."


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_answers_are_text(chrome: Chrome, site: Path, number: int) -> None:
    page = Shown(chrome, site, f"samples/shapes.html#sample=shapes%2F{number}+%3Cb%3E")
    page.await_sample(f"shapes/{number} <b>")
    answer = ".answer[data-column='1'] .step > .said .text"
    whole = HOSTILE[number]
    if len(whole) > 5000:
        assert len(page.one(answer).text) < 5000
        page.one(f"{answer} .more").click()
    shown = page.run("return arguments[0].textContent", page.one(answer))
    named = "".join(f"U+{ord(c):04X}" if c in "\x00\x1b\u2028\u2029\u202c\u202e\ud83d" else c for c in whole)
    assert shown == named
    assert page.run("return arguments[0].querySelectorAll(':not(.control)').length", page.one(answer)) == 0
    assert page.run("return window.executed") is None
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert page.run("return document.querySelectorAll('#detail a:not(.picture)').length") == 0
    assert page.complaints() == []


def test_the_prompt_is_shown_as_the_model_saw_it(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/shapes.html#sample=shapes%2F13+%3Cb%3E")
    page.await_sample("shapes/13 <b>")
    turns = page.texts(".asked .turn")
    assert [turn.split("\n") for turn in turns] == [
        ["system", "Answer with one word."],
        ["user", "A stop sign?"],
        ["assistant", "red"],
        ["user", "13: which colour is it?"],
        ["assistant, prefilled", "The colour is"],
    ]
    page.until("return document.querySelector('.asked .turn img').naturalWidth === 48")
    assert page.texts(".reference li") == ["green ×2", "any"]
    assert page.texts(".answer h3") == ["exact", "odd"]


def test_models_are_side_by_side_and_can_be_left_out(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/picks.html")
    page.await_sample("picks/0 <b>")
    page.press("j")
    page.await_sample("picks/1 <b>")
    tops = [element.location["y"] for element in page.all(".answer")]
    assert tops[0] == tops[1]
    assert page.texts(".answer[data-column='0'] .chosen th") == ["green"]
    assert page.texts(".answer[data-column='1'] .chosen th") == ["red"]
    page.one(".more-filters summary").click()
    page.one("input[name='show'][value='0']").click()
    page.until("return document.querySelectorAll('.answer').length === 1")
    assert page.texts(".answer h3") == ["odd"]


def test_the_slider_moves_by_keys_and_pointer(chrome: Chrome, site: Path) -> None:
    from selenium.webdriver import ActionChains

    page = Shown(chrome, site, "samples/edits.html")
    page.await_sample("edits/0 <b>")
    slider = page.one(".slider input")
    clip = "return document.querySelector('.slider .after').style.clipPath"
    assert "50%" in page.run(clip)
    page.run("arguments[0].focus()", slider)
    page.press(RIGHT, RIGHT, LEFT)
    assert "51%" in page.run(clip)
    assert page.sample == "edits/0 <b>"
    page.run("arguments[0].scrollIntoView({block: 'center'})", slider)
    box = slider.size
    ActionChains(chrome).move_to_element_with_offset(slider, 0, 0).click_and_hold().move_by_offset(
        -box["width"] // 4, 0
    ).release().perform()
    part = float(page.run(clip).split()[-1].rstrip("%)"))
    assert 20 < part < 30
    pictures = "return [...document.querySelectorAll('.slider img')].map((image) => image.naturalWidth)"
    assert page.until(f"{pictures}.every(Boolean) && {pictures[7:]}") == [48, 400]
    sides = page.texts(".comparison option")
    assert sides == ["source", "reference", "exact", "odd"] * 2


def test_the_gallery_shows_images_and_opens_them(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/edits.html#view=gallery")
    page.until("return document.querySelectorAll('#item-0 img').length === 4")
    assert page.texts("#item-0 figcaption .who") == ["source", "reference", "exact", "odd"]
    addresses = page.run("return [...document.querySelectorAll('#item-0 img')].map((image) => image.src)")
    assert ["/thumbnails/" in address for address in addresses][2:] == [True, True]
    page.one("#list").send_keys(RIGHT, ENTER)
    page.await_sample("edits/0 <b>")
    page.press(ESCAPE)
    assert page.sample == ""
    page.press("g")
    assert page.one("#view").text == "Gallery"


def test_documents_are_shown_as_documents(chrome: Chrome, site: Path) -> None:
    page = Shown(chrome, site, "samples/stories.html")
    page.await_sample("stories/0 <b>")
    order = page.run(
        "return [...document.querySelector('.answer .document').children].map((e) => e.tagName.toLowerCase())"
    )
    assert order == ["bdi", "a", "bdi", "a", "bdi"]


def test_a_narrow_window_shows_one_thing_at_a_time(chrome: Chrome, site: Path) -> None:
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for address in ("index.html", "tasks/shapes.html", "samples/shapes.html", "provenance.html"):
            page = Shown(chrome, site, address)
            assert page.run("return document.documentElement.scrollWidth") <= 390, address
        page = Shown(chrome, site, "samples/shapes.html")
        assert not page.one("#detail").is_displayed()
        page.until("return document.querySelector('#item-1 .id')")
        page.one("#item-1").click()
        page.await_sample("shapes/1 <b>")
        assert not page.one("#list").is_displayed()
        page.one(".back").click()
        assert page.one("#list").is_displayed()
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_missing_data_file_is_told(chrome: Chrome, site: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    for path in (copy / "data" / "shapes").glob("samples-*"):
        path.unlink()
    page = Shown(chrome, copy, "samples/shapes.html")
    page.until("return document.getElementById('found').textContent.includes('is missing')")
    assert "copy the whole folder" in page.found
