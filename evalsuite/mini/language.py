"""What can be said about a scene: captions, questions with their one true answer, and all words there are."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from .world import COLOURS, INVERSE, PLACES, RELATIONS, SHAPES, SIZES, Scene, Thing

T = TypeVar("T")
AnswerType = Literal["yes/no", "number", "other"]
Topic = Literal["color", "shape", "size", "place", "relation", "count", "presence"]

EASY_VQA_COLOURS = ("black", "gray", "red", "blue", "green", "yellow", "brown", "teal")
EASY_VQA_SHAPES = ("circle", "rectangle", "triangle")

_WORDS = """
a an the is are was it its this that these there here in of at on to and or with by no not yes one two three
0 1 2 3 first second now then next into what where which how many big larger smaller than same another
color colour shape shapes size object objects image picture background white nothing place
contain contains present does do shows show draw make turn change remove add put moves becomes
circles squares triangles left right above below top bottom centre violet
answer question option options hint please select correct from using single word phrase letter
based given choices directly brief short describe caption b c d
"""
VOCABULARY: tuple[str, ...] = tuple(
    sorted(
        {
            *_WORDS.split(),
            *COLOURS,
            *SHAPES,
            *SIZES,
            *EASY_VQA_COLOURS,
            *EASY_VQA_SHAPES,
            *" ".join(PLACES).split(),
        }
    )
)
"""Every word that the world, easy-VQA and the usual prompts around them use, lower case, sorted."""


def words(text: str) -> list[str]:
    """The words of a text, lower case, without punctuation."""
    return re.findall(r"[a-z0-9]+", text.lower())


@dataclass(frozen=True)
class Caption:
    """A true caption, and what it states of the scene: some of colour, shape, size, place, relation."""

    text: str
    states: frozenset[str]


@dataclass(frozen=True)
class Question:
    """A question with the one answer that is true; `kind` is the official VQAv2 answer type."""

    text: str
    answer: str
    kind: AnswerType
    topic: Topic


def noun(thing: Thing, *, size: bool = True) -> str:
    """The noun phrase of a thing without article: "small red circle"."""
    return f"{thing.size} {thing.colour} {thing.shape}" if size else f"{thing.colour} {thing.shape}"


def at_place(place: str) -> str:
    """A place as an adverbial: "at the top left", "in the centre"."""
    return "in the centre" if place == "centre" else f"at the {place}"


def caption(scene: Scene) -> str:
    """The canonical caption: names every attribute that the world defines for the scene."""
    return _canonical(scene).text


def describe(scene: Scene, rng: np.random.Generator, k: int = 5) -> list[Caption]:
    """`k` different true captions in random order; the canonical one is among them.

    Raises:
        ValueError: there are not as many as `k` captions for the scene (there are at least 8).
    """
    pool = _CAPTIONS[len(scene.things)](scene)
    pool = list({c.text: c for c in pool}.values())
    if k > len(pool):
        raise ValueError(f"a scene has {len(pool)} captions, {k} were asked for")
    chosen = [pool[0]] + [pool[1 + int(i)] for i in rng.choice(len(pool) - 1, size=k - 1, replace=False)]
    return [chosen[int(i)] for i in rng.permutation(k)]


def captions(scene: Scene, rng: np.random.Generator, k: int = 5) -> list[str]:
    """`k` different true captions as text: see `describe`."""
    return [c.text for c in describe(scene, rng, k)]


_BARE = frozenset({"colour", "shape"})


def _canonical(scene: Scene) -> Caption:
    return _CAPTIONS[len(scene.things)](scene)[0]


def _captions_one(scene: Scene) -> list[Caption]:
    thing = scene.things[0]
    place = at_place(scene.place or "")
    full, bare = f"a {noun(thing)}", f"a {noun(thing, size=False)}"
    everything = _BARE | {"size", "place"}
    return [
        Caption(f"{full} {place}", everything),
        Caption(f"there is {full} {place}", everything),
        Caption(f"a picture of {full} {place}", everything),
        Caption(f"the image shows {full} {place}", everything),
        Caption(f"{place} is {full}", everything),
        Caption(f"{bare} {place}", _BARE | {"place"}),
        Caption(f"there is {bare} {place}", _BARE | {"place"}),
        Caption(f"{full}", _BARE | {"size"}),
        Caption(f"a picture of {bare}", _BARE),
    ]


def _captions_two(scene: Scene) -> list[Caption]:
    relation = scene.relation or ""
    everything = _BARE | {"size", "relation"}
    found: list[Caption] = []
    for (first, second), rel in ((scene.things, relation), (scene.things[::-1], INVERSE[relation])):
        full, bare = f"a {noun(first)}", f"a {noun(first, size=False)}"
        other, bare_other = f"a {noun(second)}", f"a {noun(second, size=False)}"
        found += [
            Caption(f"{full} {rel} {other}", everything),
            Caption(f"there is {full} {rel} {other}", everything),
            Caption(f"a picture of {full} {rel} {other}", everything),
            Caption(f"the image shows {full} {rel} {other}", everything),
            Caption(f"{bare} {rel} {bare_other}", _BARE | {"relation"}),
        ]
    return found


def _captions_three(scene: Scene) -> list[Caption]:
    stated = _BARE | {"size"}
    found: list[Caption] = []
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        a, b, c = (f"a {noun(scene.things[i])}" for i in order)
        short = [f"a {noun(scene.things[i], size=False)}" for i in order]
        found += [
            Caption(f"{a} , {b} and {c}", stated),
            Caption(f"the image shows {a} , {b} and {c}", stated),
            Caption(f"{short[0]} , {short[1]} and {short[2]}", _BARE),
        ]
    return found


_CAPTIONS: dict[int, Callable[[Scene], list[Caption]]] = {
    1: _captions_one,
    2: _captions_two,
    3: _captions_three,
}


def questions(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Questions about a scene in random order, each with exactly one true answer.

    Yes/no questions come in pairs of one with "yes" and one with "no"; a thing is only spoken of as "the
    circle" or "the red circle" where there is one such thing.
    """
    found = [
        *_attributes(scene),
        *_presence(scene, rng),
        *_relations(scene, rng),
        *_counts(scene, rng),
        *_checks(scene, rng),
    ]
    unique = list({question.text: question for question in found}.values())
    return [unique[int(i)] for i in rng.permutation(len(unique))]


def references(scene: Scene, thing: Thing) -> list[str]:
    """Noun phrases that single out a thing: "circle", "red object", "red circle"; the last always does."""
    found = []
    if sum(t.shape == thing.shape for t in scene.things) == 1:
        found.append(thing.shape)
    if sum(t.colour == thing.colour for t in scene.things) == 1:
        found.append(f"{thing.colour} object")
    return [*found, noun(thing, size=False)]


def _attributes(scene: Scene) -> list[Question]:
    found: list[Question] = []
    for thing in scene.things:
        names = references(scene, thing)
        if thing.shape in names:
            found += [
                Question(f"what color is the {thing.shape}?", thing.colour, "other", "color"),
                Question(f"what is the color of the {thing.shape}?", thing.colour, "other", "color"),
            ]
        if f"{thing.colour} object" in names:
            found += [
                Question(f"what shape is {thing.colour}?", thing.shape, "other", "shape"),
                Question(f"what is the {thing.colour} shape?", thing.shape, "other", "shape"),
            ]
        found += [Question(f"how big is the {name}?", thing.size, "other", "size") for name in names]
        found.append(Question(f"what size is the {names[0]}?", thing.size, "other", "size"))
    if scene.place is not None:
        thing = scene.things[0]
        found += [
            Question(f"where is the {name}?", scene.place, "other", "place")
            for name in references(scene, thing)
        ]
        found += [
            Question(f"what color is the {word}?", thing.colour, "other", "color")
            for word in ("shape", "object")
        ]
        found.append(Question("what is the color of the shape?", thing.colour, "other", "color"))
        found += [
            Question(f"what shape {ending}?", thing.shape, "other", "shape")
            for ending in ("is in the image", "is present", "does the image contain")
        ]
    return found


def _presence(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """About something there and something not there in easy-VQA's forms, a third of them negated as well."""
    found: list[Question] = []
    there: list[set[str]] = [
        {thing.shape for thing in scene.things},
        {f"{thing.colour} shape" for thing in scene.things},
        {noun(thing, size=False) for thing in scene.things},
    ]
    absent = [
        sorted(set(SHAPES) - there[0]),
        sorted({f"{colour} shape" for colour in COLOURS} - there[1]),
        _near_misses(scene),
    ]
    for present, missing in zip(there, absent, strict=True):
        negated = rng.random() < 1 / 3
        for name, is_there in ((_pick(rng, sorted(present)), True), (_pick(rng, missing), False)):
            if name is None:
                continue
            answers = ("yes", "no") if is_there else ("no", "yes")
            found.append(
                Question(str(_pick(rng, _ASK_PRESENT)).format(name), answers[0], "yes/no", "presence")
            )
            if negated:
                found.append(
                    Question(str(_pick(rng, _ASK_ABSENT)).format(name), answers[1], "yes/no", "presence")
                )
    return found


_ASK_PRESENT = [
    "is there a {}?",
    "is there a {}?",
    "is there a {} in the image?",
    "is a {} present?",
    "does the image contain a {}?",
]
_ASK_ABSENT = [
    "is there not a {}?",
    "is there not a {} in the image?",
    "is no {} present?",
    "does the image not contain a {}?",
]


def _near_misses(scene: Scene) -> list[str]:
    """Combinations that are not in the scene but share a colour or a shape with it: the hard negatives."""
    have = {thing.combination for thing in scene.things}
    colours, shapes = {colour for colour, _ in have}, {shape for _, shape in have}
    return [
        f"{colour} {shape}"
        for colour in COLOURS
        for shape in SHAPES
        if (colour, shape) not in have and (colour in colours or shape in shapes)
    ]


def _relations(scene: Scene, rng: np.random.Generator) -> list[Question]:
    relation = scene.relation
    if relation is None:
        return []
    found: list[Question] = []
    for (first, second), rel in ((scene.things, relation), (scene.things[::-1], INVERSE[relation])):
        other = _pick(rng, references(scene, second))
        found += [
            Question(f"what color is the object {rel} the {other}?", first.colour, "other", "relation"),
            Question(f"what shape is {rel} the {other}?", first.shape, "other", "relation"),
        ]
    first, second = scene.things
    a, b = _pick(rng, references(scene, first)), _pick(rng, references(scene, second))
    wrong = _pick(rng, [rel for rel in RELATIONS if rel != relation])
    return [
        *found,
        Question(f"is the {a} {relation} the {b}?", "yes", "yes/no", "relation"),
        Question(f"is the {a} {wrong} the {b}?", "no", "yes/no", "relation"),
    ]


def _counts(scene: Scene, rng: np.random.Generator) -> list[Question]:
    total = str(len(scene.things))
    shape, colour = str(_pick(rng, list(SHAPES))), str(_pick(rng, list(COLOURS)))
    held = _pick(rng, list(scene.things))
    assert held is not None
    found = [
        Question("how many objects are there?", total, "number", "count"),
        Question("how many shapes are in the image?", total, "number", "count"),
    ]
    for name in (shape, held.shape):
        count = sum(thing.shape == name for thing in scene.things)
        found.append(Question(f"how many {name}s are there?", str(count), "number", "count"))
    for name in (colour, held.colour):
        count = sum(thing.colour == name for thing in scene.things)
        found.append(Question(f"how many {name} objects are there?", str(count), "number", "count"))
    return found


def _checks(scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Is the circle red, is the red circle small: one true and one false of each."""
    thing = _pick(rng, list(scene.things))
    assert thing is not None
    found: list[Question] = []
    names = references(scene, thing)
    if thing.shape in names:
        wrong = _pick(rng, [colour for colour in COLOURS if colour != thing.colour])
        found.append(Question(f"is the {thing.shape} {thing.colour}?", "yes", "yes/no", "color"))
        found.append(Question(f"is the {thing.shape} {wrong}?", "no", "yes/no", "color"))
    if f"{thing.colour} object" in names:
        wrong = _pick(rng, [shape for shape in SHAPES if shape != thing.shape])
        found.append(Question(f"is the {thing.colour} object a {thing.shape}?", "yes", "yes/no", "shape"))
        found.append(Question(f"is the {thing.colour} object a {wrong}?", "no", "yes/no", "shape"))
    name = _pick(rng, names)
    for size in SIZES:
        answer = "yes" if size == thing.size else "no"
        found.append(Question(f"is the {name} {size}?", answer, "yes/no", "size"))
    return found


def _pick(rng: np.random.Generator, pool: list[T]) -> T | None:
    return pool[int(rng.integers(len(pool)))] if pool else None
