"""Interleaved documents: each text says what the next image shows, given the images before."""

import numpy as np

from .edits import Change, sample_change
from .language import at_place, noun, references
from .world import Scene, Split, may_follow, sample_scene

_KINDS = ("recolour", "reshape", "resize", "move", "add", "remove")

Story = list[str | Scene]


def sample_story(rng: np.random.Generator, split: Split, images: int | None = None) -> Story:
    """Sample a story of a split: text, scene, text, scene, ... with two or three scenes.

    Every text but the first speaks of what changes, so the scene after it follows only from the text and the
    scene before. All scenes share one background.

    Raises:
        ValueError: `images` is not 2 or 3.
    """
    if images not in (None, 2, 3):
        raise ValueError(f"a story has 2 or 3 images, not {images!r}")
    count = images or 2 + int(rng.integers(2))
    while True:
        story = _attempt(rng, split, count)
        if story is not None:
            return story


def _attempt(rng: np.random.Generator, split: Split, count: int) -> Story | None:
    scene = sample_scene(rng, split=split, things=1 + int(rng.random() < 0.3))
    story: Story = [_opening(scene), scene]
    last = ""
    while len(story) < 2 * count:
        kinds = [kind for kind in _KINDS if kind != last and (kind != "move" or len(scene.things) == 1)]
        change = sample_change(rng, scene, kinds[int(rng.integers(len(kinds)))])
        if change is None or not may_follow(change.target, split):
            return None
        story += [_continuation(rng, change), change.target]
        scene, last = change.target, change.kind
    return story


def _opening(scene: Scene) -> str:
    first = scene.things[0]
    if scene.relation is None:
        return f"this is a {noun(first)} {at_place(scene.place or '')} ."
    return f"this is a {noun(first)} {scene.relation} a {noun(scene.things[1])} ."


def _continuation(rng: np.random.Generator, change: Change) -> str:
    opening = ("now", "then")[int(rng.integers(2))]
    if change.before is None:
        new, old = change.target.things
        return f"{opening} there is a {noun(new)} {change.target.relation} the {noun(old, size=False)} ."
    alone = len(change.source.things) == 1
    names = references(change.source, change.before)
    name = "it" if alone else f"the {names[int(rng.integers(len(names)))]}"
    after = change.after
    if after is None:
        return f"{opening} {name} is not there ."
    if change.kind == "move":
        return f"{opening} {name} moves to the {change.target.place} ."
    if change.kind == "recolour":
        return f"{opening} {name} is {after.colour} ."
    if change.kind == "reshape":
        return f"{opening} {name} is a {after.shape} ."
    return f"{opening} {name} is {after.size} ."
