"""Terse questions in a row ("red? yes circle color? blue ..."): a decision every three words.

Looking something up (is this word said, which colour goes with this shape) is learnt from decisions, not
from words;
in ordinary questions there is one decision in fifteen words, and a small model sees too few of them in
minutes.
"""

import numpy as np

from ..language import at_place
from ..world import COLOURS, INVERSE, SHAPES, Scene


def drills(scene: Scene, rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """So many (question, answer) about a scene, in random order."""
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
    # Which of four is it: the letters of multiple choice.
    pool = list(COLOURS) if rng.random() < 0.6 else list(SHAPES)
    thing = things[int(rng.integers(len(things)))]
    right, here = (thing.colour, colours) if len(pool) > 3 else (thing.shape, shapes)
    others = [str(w) for w in rng.permutation(np.array([w for w in pool if w not in here]))][:3]
    for _ in range(2 if others else 0):
        options = [str(w) for w in rng.permutation(np.array([right, *others]))]
        listed = " ".join(f"{'abcd'[i]}. {word}" for i, word in enumerate(options))
        chosen.append((f"{listed} letter", "abcd"[options.index(right)]))
    return [chosen[int(i)] for i in rng.permutation(len(chosen))]
