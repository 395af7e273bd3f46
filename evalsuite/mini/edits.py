"""Edits of scenes: what changes, the instruction that says so, and captions of before and after."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from .language import caption, noun, references
from .world import (
    CANVAS,
    COLOURS,
    MARGIN,
    RELATIONS,
    SHAPES,
    SIZES,
    Scene,
    Split,
    Thing,
    apart,
    legal,
    may_follow,
    place_of,
    sample_radius,
    sample_scene,
)

Kind = Literal["recolour", "reshape", "resize", "remove", "add"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Change:
    """One thing of a scene changed: `before` is None when it is added, `after` when it is removed."""

    kind: str
    source: Scene
    target: Scene
    before: Thing | None
    after: Thing | None


@dataclass(frozen=True)
class Edit:
    """An editing task.

    Args:
        source, target: the scene before and after; everything that is not named stays where it is.
        instruction: what to do, unambiguous given the source.
        source_caption, target_caption: the whole scenes ("global descriptions").
        local_caption: what was edited as it is afterwards; for a removal, what is left ("local description").
        kind: one of `KINDS`.
    """

    source: Scene
    target: Scene
    instruction: str
    source_caption: str
    target_caption: str
    local_caption: str
    kind: Kind


def sample_edit(rng: np.random.Generator, split: Split, kind: Kind | None = None) -> Edit:
    """Sample an edit whose two scenes both belong to a split, of a given kind or of any."""
    kind = kind or KINDS[int(rng.integers(len(KINDS)))]
    while True:
        edit = edit_scene(rng, _start(rng, split, kind), split, kind)
        if edit is not None:
            return edit


def sample_session(rng: np.random.Generator, split: Split, turns: int = 2) -> tuple[Edit, ...]:
    """Sample several edits in a row: each starts from the target of the one before, no two are of one kind.

    Raises:
        ValueError: fewer than 1 or more than 3 turns.
    """
    if not 1 <= turns <= 3:
        raise ValueError(f"a session has 1 to 3 turns, not {turns}")
    while True:
        edits: list[Edit] = [sample_edit(rng, split)]
        while len(edits) < turns:
            left = [kind for kind in KINDS if kind not in {edit.kind for edit in edits}]
            following = edit_scene(rng, edits[-1].target, split, left[int(rng.integers(len(left)))])
            if following is None or following.target.key() == edits[0].source.key():
                break
            edits.append(following)
        if len(edits) == turns:
            return tuple(edits)


def edit_scene(
    rng: np.random.Generator, scene: Scene, split: Split, kind: Kind, tries: int = 20
) -> Edit | None:
    """An edit of a given kind of a given scene, or None where none was found in `tries` tries."""
    for _ in range(tries):
        change = sample_change(rng, scene, kind)
        if change is not None and may_follow(change.target, split):
            changed = change.after or change.target.things[0]
            return Edit(
                source=scene,
                target=change.target,
                instruction=_instruction(rng, change),
                source_caption=caption(scene),
                target_caption=caption(change.target),
                local_caption=f"a {noun(changed)}",
                kind=kind,
            )
    return None


def sample_change(rng: np.random.Generator, scene: Scene, kind: str) -> Change | None:
    """One change of a kind (`KINDS` or "move") drawn at random; None where this draw gave no legal scene."""
    if kind == "add":
        return _add(rng, scene)
    index = int(rng.integers(len(scene.things)))
    thing = scene.things[index]
    if kind == "remove":
        rest = scene.things[:index] + scene.things[index + 1 :]
        # What three things leave behind is rarely two in a clean relation.
        if len(rest) != 1:
            return None
        return _checked(Change(kind, scene, replace(scene, things=rest), thing, None))
    after = _altered(rng, thing, kind)
    things = (*scene.things[:index], after, *scene.things[index + 1 :])
    return _checked(Change(kind, scene, replace(scene, things=things), thing, after))


def beside(rng: np.random.Generator, thing: Thing, relation: str, new: Thing) -> Thing | None:
    """`new` moved to where it stands in `relation` to `thing`; None if there is no room.

    The usual places of a pair are 15 pixels from the middle; `new` stands as near to its own as `thing`
    allows.
    """
    sign = -1 if relation in ("left of", "above") else 1
    sideways = relation in ("left of", "right of")
    along, across = (thing.x, thing.y) if sideways else (thing.y, thing.x)
    low, high = MARGIN + new.radius, CANVAS - MARGIN - new.radius
    nearest = along + sign * (thing.radius + new.radius + 3)
    usual = CANVAS / 2 + sign * 15 + int(rng.integers(-2, 3)) / 2
    spot = min(usual, nearest) if sign < 0 else max(usual, nearest)
    offset = across + int(rng.integers(-3, 4)) / 2
    if not low <= spot <= high or not low <= offset <= high:
        return None
    moved = replace(new, x=spot, y=offset) if sideways else replace(new, x=offset, y=spot)
    return moved if apart(moved, thing) else None


def _start(rng: np.random.Generator, split: Split, kind: Kind) -> Scene:
    if kind in ("add", "remove"):
        return sample_scene(rng, split=split, things=1 if kind == "add" else 2)
    return sample_scene(rng, split=split)


def _checked(change: Change) -> Change | None:
    return change if legal(change.target) and change.target.key() != change.source.key() else None


def _altered(rng: np.random.Generator, thing: Thing, kind: str) -> Thing:
    if kind == "recolour":
        return replace(thing, colour=_other(rng, list(COLOURS), thing.colour))
    if kind == "reshape":
        return replace(thing, shape=_other(rng, list(SHAPES), thing.shape))
    if kind == "resize":
        size = _other(rng, list(SIZES), thing.size)
        return replace(thing, size=size, radius=sample_radius(rng, size))
    if kind == "move":
        x, y = (float(v) for v in 17 + 15 * rng.integers(3, size=2) + rng.integers(-4, 5, size=2) / 2)
        return replace(thing, x=x, y=y) if place_of(x, y) != place_of(thing.x, thing.y) else thing
    raise ValueError(f"no change is called {kind!r}")


def _add(rng: np.random.Generator, scene: Scene) -> Change | None:
    if len(scene.things) != 1:
        return None
    (thing,) = scene.things
    size = SIZES[int(rng.integers(2))]
    shape, colour = SHAPES[int(rng.integers(3))], list(COLOURS)[int(rng.integers(len(COLOURS)))]
    relation = RELATIONS[int(rng.integers(4))]
    new = beside(rng, thing, relation, Thing(shape, colour, size, 0.0, 0.0, sample_radius(rng, size)))
    if new is None:
        return None
    return _checked(Change("add", scene, replace(scene, things=(new, thing)), None, new))


def _instruction(rng: np.random.Generator, change: Change) -> str:
    def one_of(*forms: str) -> str:
        return forms[int(rng.integers(len(forms)))]

    if change.before is None:
        assert change.after is not None
        new, old = change.target.things
        relation = change.target.relation
        anchor = one_of(*references(change.source, old))
        return one_of("add a {0} {1} the {2}", "put a {0} {1} the {2}").format(noun(new), relation, anchor)
    name = one_of(*references(change.source, change.before))
    after = change.after
    if after is None:
        return f"remove the {name}"
    if change.kind == "recolour":
        return one_of("make the {0} {1}", "turn the {0} {1}", "change the color of the {0} to {1}").format(
            name, after.colour
        )
    if change.kind == "reshape":
        return one_of("turn the {0} into a {1}", "make the {0} a {1}", "change the {0} to a {1}").format(
            name, after.shape
        )
    return f"make the {name} {after.size}"


def _other(rng: np.random.Generator, pool: list[str], current: str) -> str:
    rest = [value for value in pool if value != current]
    return rest[int(rng.integers(len(rest)))]
