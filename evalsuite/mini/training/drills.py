"""Terse questions in a row ("red? yes circle color? blue ..."): a decision every three words.

Looking something up (is this word said, which colour goes with this shape) is learnt from decisions, not
from words;
in ordinary questions there is one decision in fifteen words, and a small model sees too few of them in
minutes.
"""

import numpy as np

from ..language import at_place
from ..world import COLOURS, COMBINATIONS, INVERSE, PLACES, RELATIONS, SHAPES, SIZES, Scene


def drills(
    scene: Scene, rng: np.random.Generator, count: int, lettered_count: int = 5
) -> list[tuple[str, str]]:
    """So many (question, answer) about a scene in random order, then some that are answered by a letter."""
    things = scene.things
    shapes, colours = [t.shape for t in things], [t.colour for t in things]
    combinations = {t.combination for t in things}
    found: list[tuple[str, str]] = []
    for pool, here in ((list(SHAPES), shapes), (list(COLOURS), colours)):
        absent = [word for word in pool if word not in here]
        some = [absent[int(i)] for i in rng.permutation(len(absent))[: len(here)]]
        found += [(word, "yes") for word in here] + [(word, "no") for word in some]
    for colour in colours:
        for shape in sorted({*shapes, SHAPES[int(rng.integers(3))]}):
            found.append((f"{colour} {shape}", "yes" if (colour, shape) in combinations else "no"))
    for thing in things:
        if shapes.count(thing.shape) == 1:
            found += [(f"{thing.shape} color", thing.colour), (f"{thing.shape} size", thing.size)]
        if colours.count(thing.colour) == 1:
            found += [(f"{thing.colour} shape", thing.shape), (f"{thing.colour} size", thing.size)]
        found += [(f"how many {thing.shape}s", str(shapes.count(thing.shape)))]
    found.append(("how many", str(len(things))))
    if scene.place is not None:
        found.append(("where", scene.place))
        found.append(("where", at_place(scene.place)))
    if scene.relation is not None:
        for (a, b), relation in ((things, scene.relation), (things[::-1], INVERSE[scene.relation])):
            if a.shape != b.shape:
                found.append((f"{a.shape} to {b.shape}", relation))
                found.append((f"{relation} {b.shape}", a.shape))
            if a.colour != b.colour:
                found.append((f"{a.colour} to {b.colour}", relation))
                found.append((f"{relation} {b.colour}", a.colour))
    order = rng.permutation(len(found))
    chosen = [found[int(i)] for i in order][:count]
    return [*chosen, *(lettered(scene, rng) for _ in range(lettered_count))]


def lettered(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """Which of the options is true, by its letter: a colour or a shape of the scene among others."""
    thing = scene.things[int(rng.integers(len(scene.things)))]
    by_colour = rng.random() < 0.65
    here = {t.colour if by_colour else t.shape for t in scene.things}
    pool = [word for word in (COLOURS if by_colour else SHAPES) if word not in here]
    others = [pool[int(i)] for i in rng.permutation(len(pool))[:3]]
    words = [thing.colour if by_colour else thing.shape, *others]
    # With the thing named, the other things' colours and shapes may be among the options.
    named = by_colour and [t.shape for t in scene.things].count(thing.shape) == 1 and rng.random() < 0.6
    if named and len(scene.things) > 1:
        other = next(t for t in scene.things if t is not thing)
        if other.colour != thing.colour and other.colour not in words:
            words[-1] = other.colour
    order = [int(i) for i in rng.permutation(len(words))]
    listed = " ".join(f"{'abcd'[at]}. {words[i]}" for at, i in enumerate(order))
    return (f"{thing.shape} color {listed}" if named else f"{listed} letter"), "abcd"[order.index(0)]


def listed(rng: np.random.Generator, count: int = 5) -> list[tuple[str, str]]:
    """Options with letters, then `count` times which letter one of them has; no scene is needed.

    The first question contains the list. Finding the letter of a given option is the second half of every
    multiple-choice question, and here there is one decision for every few words. Options are asked for with
    replacement, so that no letter follows from those before.
    """
    options = _options(rng)
    text = " ".join(f"{'abcd'[at]}. {option}" for at, option in enumerate(options))
    asked = [(options[int(i)], "abcd"[int(i)]) for i in rng.integers(len(options), size=count)]
    return [(f"{text} . {asked[0][0]}", asked[0][1]), *asked[1:]]


def _options(rng: np.random.Generator) -> list[str]:
    """Two to four different answers of one kind, as multiple-choice questions offer them."""
    kind = int(rng.integers(7))
    if kind < 5:
        pool = [list(COLOURS), list(SHAPES), list(SIZES), list(PLACES), ["1", "2", "3"]][kind]
    elif kind == 5:
        pool = [f"a {colour} {shape}" for colour, shape in COMBINATIONS]
    else:
        first, second = (
            " ".join(COMBINATIONS[int(i)]) for i in rng.choice(len(COMBINATIONS), size=2, replace=False)
        )
        pool = [f"{first} {relation} {second}" for relation in RELATIONS]
        if rng.random() < 0.3:
            pool = [f"the {first}", f"the {second}"]
    count = min(len(pool), 4)
    return [pool[int(i)] for i in rng.permutation(len(pool))[:count]]
