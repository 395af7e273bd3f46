"""Edits do what their instruction says and nothing else; stories follow from their texts."""

import itertools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.mini.detect import detect
from evalsuite.mini.edits import KINDS, Edit, beside, sample_edit, sample_session
from evalsuite.mini.language import VOCABULARY, caption, words
from evalsuite.mini.render import render
from evalsuite.mini.stories import sample_story
from evalsuite.mini.world import (
    COLOURS,
    RELATIONS,
    SHAPES,
    SIZES,
    Scene,
    Split,
    Thing,
    legal,
    relation_of,
    split_of,
)

from . import oracle


@pytest.fixture(scope="module")
def edits() -> list[Edit]:
    rng = np.random.default_rng(3)
    return [sample_edit(rng, ("train", "test")[i % 2]) for i in range(600)]


def obey(instruction: str, seen: list) -> list[tuple[str, str, str]]:
    """(size, colour, shape) of all things after an instruction, read without the library."""
    if found := re.fullmatch(rf"(?:add|put) a (\w+) (\w+) (\w+) {oracle.RELATION} the (.+)", instruction):
        oracle.only(found[5], seen)
        return sorted([(found[1], found[2], found[3]), *((d.size, d.colour, d.shape) for d in seen)])
    if found := re.fullmatch(r"remove the (.+)", instruction):
        gone = oracle.only(found[1], seen)
        return sorted((d.size, d.colour, d.shape) for d in seen if d is not gone)
    found = re.fullmatch(
        r"(?:make|turn|change)(?: the color of)? the (.+?) (?:to |into )?(?:a )?(\w+)", instruction
    )
    assert found, instruction
    target, value = oracle.only(found[1], seen), found[2]
    field = "colour" if value in COLOURS else "shape" if value in SHAPES else "size"
    assert field != "size" or value in SIZES
    changes: Any = {field: value}
    changed = replace(target, **changes)
    return sorted((d.size, d.colour, d.shape) for d in [changed, *(d for d in seen if d is not target)])


@pytest.mark.slow
def test_the_target_is_what_the_instruction_makes_of_the_source(edits: list[Edit]) -> None:
    for edit in edits:
        after = [(d.size, d.colour, d.shape) for d in detect(render(edit.target))]
        assert obey(edit.instruction, detect(render(edit.source))) == sorted(after), edit


def test_an_added_thing_stands_where_the_instruction_says(edits: list[Edit]) -> None:
    added = [edit for edit in edits if edit.kind == "add"]
    for edit in added:
        new, old = edit.target.things
        assert old == edit.source.things[0]
        assert f" {relation_of(new.x - old.x, new.y - old.y)} the " in edit.instruction
    assert len(added) > 80


def test_nothing_but_the_named_thing_changes(edits: list[Edit]) -> None:
    for edit in edits:
        assert edit.source.background == edit.target.background
        before, after = set(edit.source.things), set(edit.target.things)
        gone, new = before - after, after - before
        assert (len(gone), len(new)) == {"add": (0, 1), "remove": (1, 0)}.get(edit.kind, (1, 1))
        if gone and new:
            (old,), (changed,) = gone, new
            same = {
                "recolour": replace(changed, colour=old.colour),
                "reshape": replace(changed, shape=old.shape),
                "resize": replace(changed, size=old.size, radius=old.radius),
            }
            assert same[edit.kind] == old


def test_both_scenes_are_legal_and_of_the_split(edits: list[Edit]) -> None:
    for i, edit in enumerate(edits):
        for scene in (edit.source, edit.target):
            assert legal(scene)
            assert split_of(scene) == ("train", "test")[i % 2]


def test_test_edits_are_not_mostly_about_held_out_combinations(edits: list[Edit]) -> None:
    held = [edit.source.held_out or edit.target.held_out for edit in edits[1::2]]
    assert 0.2 < np.mean(held) < 0.5


def test_all_kinds_are_equally_frequent(edits: list[Edit]) -> None:
    for kind in KINDS:
        assert sum(edit.kind == kind for edit in edits) == pytest.approx(120, abs=40)


@pytest.mark.slow
def test_captions_of_edits_are_those_of_their_scenes(edits: list[Edit]) -> None:
    for edit in edits:
        assert edit.source_caption == caption(edit.source)
        assert edit.target_caption == caption(edit.target)
        assert oracle.pick(edit.local_caption.removeprefix("a "), detect(render(edit.target)))
        assert set(words(edit.instruction)) <= set(VOCABULARY)


@pytest.mark.parametrize("turns", [2, 3])
def test_a_session_goes_on_from_where_it_was(turns: int) -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        session = sample_session(rng, "test", turns)
        assert len(session) == turns
        assert len({edit.kind for edit in session}) == turns
        assert all(a.target == b.source for a, b in itertools.pairwise(session))
        assert session[0].source.key() != session[-1].target.key()


@given(
    x=st.sampled_from(np.arange(15, 49.5, 0.5).tolist()),
    y=st.sampled_from(np.arange(15, 49.5, 0.5).tolist()),
    relation=st.sampled_from(RELATIONS),
    radius=st.sampled_from([7.0, 9.0, 12.0, 14.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=200)
def test_a_thing_put_beside_another_stands_in_that_relation_or_has_no_room(
    x: Any, y: Any, relation: Any, radius: Any, seed: Any
) -> None:
    anchor = Thing("square", "red", "small", x, y, 8.0)
    new = Thing("circle", "blue", "small" if radius < 10 else "large", 0.0, 0.0, radius)
    moved = beside(np.random.default_rng(seed), anchor, relation, new)
    if moved is not None:
        assert relation_of(moved.x - x, moved.y - y) == relation
        assert legal(Scene((moved, anchor), (250, 250, 250)))


@pytest.mark.slow
def test_stories_alternate_text_and_image_and_every_text_is_true() -> None:
    rng = np.random.default_rng(9)
    for i in range(200):
        splits: tuple[Split, ...] = ("train", "test")
        split = splits[i % 2]
        story: Any = sample_story(rng, split)
        texts, pictures = story[0::2], story[1::2]
        assert 2 <= len(pictures) <= 3
        assert len(texts) == len(pictures)
        assert all(
            isinstance(t, str) and t.endswith(" .") and set(words(t)) <= set(VOCABULARY) for t in texts
        )
        assert all(isinstance(s, Scene) and legal(s) and split_of(s) == split for s in pictures)
        assert len({scene.background for scene in pictures}) == 1
        assert oracle.caption_holds(texts[0].removeprefix("this is "), detect(render(pictures[0])))
        for before, text, after in zip(pictures, texts[1:], pictures[1:], strict=False):
            follows(text, detect(render(before)), detect(render(after)))


def follows(text: str, before: list, after: list) -> None:
    """Assert that a continuation is true of two images in a row."""
    if found := re.fullmatch(rf"(?:now|then) there is a (.+) {oracle.RELATION} the (.+) \.", text):
        assert len(after) == len(before) + 1
        assert oracle.holds(oracle.only(found[1], after), found[2], oracle.only(found[3], after))
        return
    if found := re.fullmatch(r"(?:now|then) (?:the (.+)|it) is not there \.", text):
        gone = oracle.only(found[1] or "object", before)
        assert len(after) == len(before) - 1
        assert not oracle.pick(f"{gone.colour} {gone.shape}", after)
        return
    if found := re.fullmatch(r"(?:now|then) it moves to the (.+) \.", text):
        assert oracle.place(after[0]) == found[1] != oracle.place(before[0])
        return
    found = re.fullmatch(r"(?:now|then) (?:the (.+)|it) is (?:a )?(\w+) \.", text)
    assert found, text
    changed = oracle.only(found[1] or "object", before)
    assert found[2] not in (changed.colour, changed.shape, changed.size)
    near = min(after, key=lambda d: (d.x - changed.x) ** 2 + (d.y - changed.y) ** 2)
    assert found[2] in (near.colour, near.shape, near.size)


def test_sessions_and_stories_of_other_lengths_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="1 to 3 turns"):
        sample_session(rng, "test", 4)
    with pytest.raises(ValueError, match="2 or 3 images"):
        sample_story(rng, "test", 5)
