"""The page in a real browser: from disk, by keyboard and mouse, kept over a reload, harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.study import Design, Key, make, read_votes
from tests.study.browser import PROGRAM, Page, browser

pytestmark = [pytest.mark.skipif(not PROGRAM, reason="needs Chromium"), pytest.mark.slow]


@pytest.fixture(scope="module")
def study(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    folder = tmp_path_factory.mktemp("page") / "s"
    return folder, make(runs, folder, task="documents", design=Design(count=3))


@pytest.fixture
def page(study: tuple[Path, Key], tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path, (study[0] / "page/index.html").as_uri()) as found:
        yield found


def begin(page: Page, name: str) -> None:
    page.evaluate(f"document.getElementById('rater').value = {json.dumps(name)}")
    page.evaluate("document.querySelector('#begin button').click()")


def shown(page: Page) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('section.item:not([hidden])')].map(s => s.dataset.item)"
    )


def downloaded(page: Page) -> dict:
    """What the download button would save."""
    page.evaluate(
        "URL.createObjectURL = blob => { window.saved = blob; return '#'; }; URL.revokeObjectURL = () => {};"
        "document.getElementById('download').click()"
    )
    return json.loads(page.evaluate("window.saved.text()"))


@pytest.mark.slow
def test_votes_by_keyboard_and_mouse_are_kept_and_can_be_read(
    study: tuple[Path, Key], page: Page, tmp_path: Path
) -> None:
    folder, key = study
    begin(page, "Ann O'Neil <b>")
    order = []
    for answer in range(4):
        (item,) = shown(page)
        order.append(item)
        if answer % 2:
            page.evaluate("document.querySelectorAll('button.answer')[1].click()")
        else:
            page.key("1")
    page.key("9")
    page.key("ArrowLeft")
    assert shown(page) == [order[3]]
    assert page.evaluate("document.querySelector('.answer.chosen').dataset.answer") == "no"
    page.key("1")
    assert page.evaluate("document.getElementById('count').textContent") == "4 of 6"
    # After a reload the same rater resumes where they stopped, in the same order.
    page.go((folder / "page/index.html").as_uri())
    begin(page, "Ann O'Neil <b>")
    assert page.evaluate("document.getElementById('count').textContent") == "4 of 6"
    (item,) = shown(page)
    assert item not in order
    page.key("2")
    page.key("2")
    assert page.evaluate("!document.getElementById('end').hidden")
    saved = downloaded(page)
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(saved))
    ballots = read_votes(key, [path])
    given = ballots.votes["Ann O'Neil <b>"]
    assert [given[item] for item in order] == ["yes", "no", "yes", "yes"]
    assert len(given) == 6
    assert not ballots.notes
    assert page.errors == []


@pytest.mark.slow
def test_raters_have_orders_of_their_own_and_hostile_text_does_nothing(
    study: tuple[Path, Key], page: Page
) -> None:
    folder, key = study
    orders = set()
    for name in ("ann", "ben", "cem", "dan", "eva"):
        page.go((folder / "page/index.html").as_uri())
        begin(page, name)
        order: list[Any] = []
        while len(order) < len(key.items):
            order += shown(page)
            page.key("1")
        assert sorted(order) == sorted(item.id for item in key.items)
        orders.add(tuple(order))
    assert len(orders) > 2
    assert page.evaluate("document.title") == "Study"
    assert page.evaluate("[...document.images].every(i => i.loading === 'lazy' || i.naturalWidth > 0)")
    assert page.errors == []
