"""The harder split: scenes and sayings that nothing in training is like, so that no model saturates.

Three things, at least one of a combination that training never shows (`world.HELD_OUT`), and relations
between two of three things, which training asks about and states for two things only. All words are known.
"""

from itertools import permutations

import numpy as np

from .language import AnswerType, Caption, Question, noun, questions, references
from .world import INVERSE, RELATIONS, Scene, Thing, relation_of, sample_scene

CLEAR = 6.0
"""Pixels by which the longer axis must win for a relation to be asked about or stated."""


def clear_relation(first: Thing, second: Thing) -> str | None:
    """Relation of the first thing to the second; None where the axes differ by less than `CLEAR` pixels."""
    dx, dy = first.x - second.x, first.y - second.y
    return relation_of(dx, dy) if abs(abs(dx) - abs(dy)) >= CLEAR else None


def hard_scenes(rng: np.random.Generator, count: int) -> list[Scene]:
    """`count` test scenes, no two alike: three things, a combination that training never shows, and a clear
    relation of the first two."""
    found: dict[str, Scene] = {}
    while len(found) < count:
        drawn = sample_scene(rng, split="test", things=3)
        if not drawn.held_out:
            continue
        orders = [order for order in permutations(drawn.things) if clear_relation(order[0], order[1])]
        if orders:
            scene = Scene(orders[int(rng.integers(len(orders)))], drawn.background)
            found.setdefault(scene.key(), scene)
    return list(found.values())


def describe_hard(scene: Scene, rng: np.random.Generator, k: int = 5) -> list[Caption]:
    """`k` different true captions in random order, each of which relates the first two things.

    Raises:
        ValueError: the scene is not one of `hard_scenes`, or there are not as many as `k` captions.
    """
    first, second, third = scene.things
    relation = clear_relation(first, second)
    if relation is None:
        raise ValueError("the first two things are in no clear relation")
    pool: list[Caption] = []
    for a, said, b in ((first, relation, second), (second, INVERSE[relation], first)):
        for size in (False, True):
            text = f"a {noun(third, size=size)} and a {noun(a, size=size)} {said} a {noun(b, size=size)}"
            states = frozenset({"colour", "shape", "relation", *(["size"] if size else [])})
            pool += [Caption(text, states), Caption(f"the image shows {text}", states)]
    if k > len(pool):
        raise ValueError(f"a scene has {len(pool)} captions, {k} were asked for")
    return [pool[int(i)] for i in rng.choice(len(pool), size=k, replace=False)]


def hard_questions(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """What `questions` asks about three things, and relations among them, in random order."""
    found = [*questions(scene, rng), *_relations(scene, rng)]
    return [found[int(i)] for i in rng.permutation(len(found))]


def _relations(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """About the one thing that stands in a relation to another: asked only where it is clear that no third
    one does."""
    found: list[Question] = []
    kind: AnswerType = "other"
    for thing, other in permutations(scene.things, 2):
        relation = clear_relation(thing, other)
        (third,) = [one for one in scene.things if one not in (thing, other)]
        if relation is None or clear_relation(third, other) in (None, relation):
            continue
        name = _any(rng, references(scene, other))
        found += [
            Question(f"what color is the object {relation} the {name}?", thing.colour, kind, "relation"),
            Question(f"what shape is {relation} the {name}?", thing.shape, kind, "relation"),
        ]
    first, second = scene.things[:2]
    relation = clear_relation(first, second)
    if relation is not None:
        a, b = _any(rng, references(scene, first)), _any(rng, references(scene, second))
        wrong = _any(rng, [one for one in RELATIONS if one != relation])
        found += [
            Question(f"is the {a} {relation} the {b}?", "yes", "yes/no", "relation"),
            Question(f"is the {a} {wrong} the {b}?", "no", "yes/no", "relation"),
        ]
    return found


def _any(rng: np.random.Generator, pool: list[str]) -> str:
    return pool[int(rng.integers(len(pool)))]
