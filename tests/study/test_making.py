"""A study's page: blind, harmless, the same for the same seed, and evenly spread over topics."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image as pil

from evalsuite.errors import SpecError, StoreError
from evalsuite.study import Design, Key, make, read_key
from evalsuite.study.making import QUESTIONS, REFERENCE

NAMES = ("writer-one", "writer-two", "writer", "reference", "dreamllm", "true.jpg")


def page(folder: Path) -> str:
    return (folder / "page/index.html").read_text()


def made(runs: list[Path], out: Path, **design: object) -> Key:
    return make(runs, out, task="documents", design=Design(**design))  # type: ignore[arg-type]


def test_raters_are_given_nothing_that_tells_where_an_item_comes_from(
    runs: list[Path], tmp_path: Path
) -> None:
    key = made(runs, tmp_path / "s", count=9, reference=True)
    files = [path for path in (tmp_path / "s/page").rglob("*") if path.is_file()]
    for path in files:
        assert re.fullmatch(r"index\.html|[0-9a-f]{16}\.png", path.name)
        content = path.read_bytes()
        for name in NAMES:
            assert name.encode() not in content, (path, name)
    pictures = [path for path in files if path.suffix == ".png"]
    # Each image of each place has a file of its own: equal images do not show by an equal name.
    assert len(pictures) == len(key.items) == 27
    for path in pictures:
        with pil.open(path) as opened:
            assert opened.format == "PNG"
            assert not opened.info
    assert not any(item.id in item.sample or item.sample in item.id for item in key.items)
    assert read_key(tmp_path / "s") == key
    assert not (tmp_path / "s/page/key.json").exists()


def test_what_a_model_wrote_is_text_and_never_code(runs: list[Path], tmp_path: Path) -> None:
    made(runs, tmp_path / "s", count=2)
    html = page(tmp_path / "s")
    assert "&lt;script&gt;document.title" in html
    assert html.count("<script>") == 1
    assert "onerror=&#34;" in html
    assert "{{ 7*7 }}" in html
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", policy[1])
    assert "http" not in policy[1]
    assert not re.search(r'(?:src|href)="(?!images/)', html)


def test_the_same_seed_makes_the_same_study_and_another_one_another(runs: list[Path], tmp_path: Path) -> None:
    first, again, other = (
        made(runs, tmp_path / name, count=5, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first.items == again.items
    assert first.study == again.study != other.study
    assert page(tmp_path / "a") == page(tmp_path / "b")
    fewer = made(runs[:1], tmp_path / "d", count=5, seed=1)
    assert fewer.study != first.study


def test_samples_are_spread_evenly_over_topics_as_far_as_they_go(runs: list[Path], tmp_path: Path) -> None:
    key = made(runs[:1], tmp_path / "a", count=9)
    assert Counter(item.topic for item in key.items) == {"tea": 3, "bread": 3, "rain": 3}
    assert key.label == "topic"
    key = made(runs[:1], tmp_path / "b", count=18)
    assert Counter(item.topic for item in key.items) == {"tea": 7, "bread": 7, "rain": 4}
    everything = made(runs[:1], tmp_path / "c", count=150)
    assert len(everything.items) == 24


def test_every_source_shows_the_same_samples_in_mixed_order(runs: list[Path], tmp_path: Path) -> None:
    key = made(runs, tmp_path / "s", count=10, reference=True)
    by_source = {
        source.name: {item.sample for item in key.items if item.sources == (source.name,)}
        for source in key.sources
    }
    assert set(by_source) == {"writer-one", "writer-two", REFERENCE}
    assert len({frozenset(samples) for samples in by_source.values()}) == 1
    order = [item.sources[0] for item in key.items]
    assert order != sorted(order)
    shown = re.findall(r'data-item="([0-9a-f]+)"', page(tmp_path / "s"))
    assert shown == [item.id for item in key.items]


def test_compared_sources_stand_on_either_side(runs: list[Path], tmp_path: Path) -> None:
    key = made(runs, tmp_path / "s", mode="compare", count=24)
    assert key.answers == ("left", "right", "tie")
    sides = Counter(item.sources for item in key.items)
    assert set(sides) == {("writer-one", "writer-two"), ("writer-two", "writer-one")}
    assert min(sides.values()) >= 5
    assert page(tmp_path / "s").count("<article>") == 48
    three = made(runs, tmp_path / "t", mode="compare", count=4, reference=True, ties=False)
    assert len(three.items) == 12
    assert three.answers == ("left", "right")


def test_the_question_is_the_users_or_a_neutral_one_and_is_on_record(
    runs: list[Path], tmp_path: Path
) -> None:
    assert made(runs, tmp_path / "a", count=1).question == QUESTIONS["rate"]
    key = made(runs, tmp_path / "b", count=1, question="Like it?", answers=("good", "fair", "bad"))
    assert (key.question, key.answers) == ("Like it?", ("good", "fair", "bad"))
    html = page(tmp_path / "b")
    assert html.count("Like it?") == 2
    assert re.findall(r'data-answer="(\w+)"', html) == ["good", "fair", "bad"]


def test_edits_are_shown_with_their_source_and_instruction(runs: list[Path], tmp_path: Path) -> None:
    key = make(runs, tmp_path / "s", task="mini-magicbrush", design=Design(count=3, reference=True))
    assert len(key.items) == 9
    html = page(tmp_path / "s")
    prompts = re.findall(r'<div class="prompt">(.*?)</div>', html, re.DOTALL)
    assert len(prompts) == 9
    assert all("<img" in prompt and "<p>" in prompt for prompt in prompts)


@pytest.mark.slow
def test_studies_that_cannot_be_are_refused_with_what_to_do(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(StoreError, match="not empty"):
        made(runs, tmp_path / "full", count=1)
    with pytest.raises(SpecError, match="needs two runs"):
        made(runs[:1], tmp_path / "x", mode="compare")
    with pytest.raises(SpecError, match="have a task 'nothing'"):
        make(runs, tmp_path / "x", task="nothing")
    with pytest.raises(SpecError, match="no label 'subject'"):
        made(runs, tmp_path / "x", label="subject")
    with pytest.raises(SpecError, match="two or more different"):
        made(runs, tmp_path / "x", answers=("yes", "yes"))
    with pytest.raises(SpecError, match="called 'writer-one'"):
        made([runs[0], runs[0]], tmp_path / "x")
    assert not (tmp_path / "x").exists()
