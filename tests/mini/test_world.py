"""Scenes keep the rules of the world, and the two splits stay apart."""

import hashlib
from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.mini.render import render
from evalsuite.mini.world import (
    CANVAS,
    COLOURS,
    COMBINATIONS,
    HELD_OUT,
    SHAPES,
    Scene,
    Thing,
    legal,
    sample_scene,
    split_of,
)


def scenes(split: str, count: int, seed: int = 0, things: int | None = None) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [sample_scene(rng, split=split, things=things) for _ in range(count)]  # type: ignore[arg-type]


@given(
    seed=st.integers(0, 2**32 - 1),
    split=st.sampled_from(["train", "test"]),
    things=st.sampled_from([None, 1, 2, 3]),
)
def test_every_scene_is_legal(seed: Any, split: Any, things: Any) -> None:
    scene = sample_scene(np.random.default_rng(seed), split=split, things=things)
    assert legal(scene)
    assert split_of(scene) == split
    assert things is None or len(scene.things) == things
    # The same again without the library's own helpers.
    for thing in scene.things:
        assert thing.radius <= thing.x <= CANVAS - thing.radius
        assert thing.radius <= thing.y <= CANVAS - thing.radius
        assert abs(thing.radius - {"small": 8, "large": 13}[thing.size]) <= 1
    for a, b in combinations(scene.things, 2):
        assert max(abs(a.x - b.x), abs(a.y - b.y)) - a.radius - b.radius >= 2
        assert (a.colour, a.shape) != (b.colour, b.shape)
    if len(scene.things) == 2:
        a, b = scene.things
        along, across = (
            (b.x - a.x, b.y - a.y) if scene.relation in ("left of", "right of") else (b.y - a.y, b.x - a.x)
        )
        assert abs(across) <= 3
        assert (along > 0) == (scene.relation in ("left of", "above"))
    if len(scene.things) == 3:
        assert {thing.size for thing in scene.things} == {"small"}
    assert min(scene.background) >= 235


def test_training_scenes_never_show_a_held_out_combination() -> None:
    seen = Counter(thing.combination for scene in scenes("train", 3000) for thing in scene.things)
    assert not seen.keys() & HELD_OUT
    assert seen.keys() == set(COMBINATIONS) - HELD_OUT, "every other combination is learnt"
    assert {colour for colour, _ in seen} == set(COLOURS)
    assert {shape for _, shape in seen} == set(SHAPES)


def test_test_scenes_draw_all_combinations_alike() -> None:
    seen = Counter(scene.things[0].combination for scene in scenes("test", 3600, things=1))
    assert seen.keys() == set(COMBINATIONS)
    assert all(130 < count < 280 for count in seen.values()), "200 each are expected"


@pytest.mark.slow
def test_no_arrangement_is_in_both_splits() -> None:
    arrangements = [{scene.things for scene in scenes(split, 3000)} for split in ("train", "test")]
    assert not arrangements[0] & arrangements[1]
    assert all(split_of(scene) == "test" for scene in scenes("test", 300))


def test_one_two_and_three_things_are_45_45_and_10_percent() -> None:
    counts = Counter(len(scene.things) for scene in scenes("train", 4000))
    assert counts[1] == pytest.approx(1800, abs=130)
    assert counts[2] == pytest.approx(1800, abs=130)
    assert counts[3] == pytest.approx(400, abs=80)


def test_all_places_and_relations_occur_alike() -> None:
    places = Counter(scene.place for scene in scenes("test", 1800, things=1))
    relations = Counter(scene.relation for scene in scenes("test", 1200, things=2))
    assert len(places) == 9
    assert min(places.values()) > 130
    assert len(relations) == 4
    assert min(relations.values()) > 230


def test_the_key_tells_scenes_apart_but_not_the_order_of_things() -> None:
    red = Thing("circle", "red", "small", 17.0, 32.0, 8.0)
    blue = Thing("square", "blue", "small", 47.0, 32.0, 8.0)
    ground = (250, 250, 250)
    assert Scene((red, blue), ground).key() == Scene((blue, red), ground).key()
    assert Scene((red,), ground).key() != Scene((red,), (250, 250, 249)).key()


def test_a_seed_gives_the_same_scenes_and_pixels_on_every_machine() -> None:
    digest = hashlib.sha256()
    for scene in scenes("test", 50, seed=7):
        digest.update(scene.key().encode())
        digest.update(render(scene).tobytes())
    assert digest.hexdigest() == "b071d7cee7e73dc99f41ed56a1399ea3d578591c53b533f41653231accf93569"


def test_images_show_palette_colours_on_the_background() -> None:
    for scene in scenes("test", 50):
        picture = render(scene)
        assert picture.shape == (64, 64, 3)
        assert picture.dtype == np.uint8
        assert (picture == scene.background).all(axis=-1).mean() > 0.4
        for thing in scene.things:
            assert tuple(picture[int(thing.y), int(thing.x)]) == COLOURS[thing.colour]
            edge = (picture != COLOURS[thing.colour]).any(axis=-1) & (picture != scene.background).any(
                axis=-1
            )
            assert edge.any() or thing.shape == "square", "slanted edges are anti-aliased"


@pytest.mark.parametrize(("split", "things"), [("valid", None), ("train", 0), ("train", 4)])
def test_a_scene_that_cannot_be_is_refused(split: Any, things: int | None) -> None:
    with pytest.raises(ValueError, match=r"must be|1 to 3"):
        sample_scene(np.random.default_rng(0), split=split, things=things)
