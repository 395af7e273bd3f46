"""MMBench: the TSV with base64 images and the rotated copies that CircularEval needs."""

import base64
import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..language import noun, references
from ..render import render
from ..world import COLOURS, INVERSE, PLACES, RELATIONS, SHAPES, SIZES, Scene
from .sink import Sink, png

TABLE = "mmbench/MMBench_DEV_EN.tsv"
COLUMNS = (
    "index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image", "source", "l2-category",
    "comment", "split",
)  # fmt: skip
ROTATION = 1_000_000
"""The k-th rotated copy of question i has the index i + k * ROTATION."""

_COARSE = "coarse_perception"
_SINGLE = "finegrained_perception (instance-level)"
_CROSS = "finegrained_perception (cross-instance)"


@dataclass(frozen=True)
class Choice:
    """A multiple-choice question: the first option is the right one, two to four in all."""

    question: str
    options: tuple[str, ...]
    category: str
    ability: str


def write_mmbench(sink: Sink, scenes: Sequence[Scene], rng: np.random.Generator) -> None:
    """Write one question about every scene, with all its rotations.

    The question kinds come in turn, so that they are equally frequent. Of MMBench's six L2 abilities the
    world has three: coarse perception (what is it an image of, how many things), fine-grained perception of
    one thing (colour, shape, size, place) and across things (relation, comparison). It has no logic, relation
    or attribute reasoning, and no question claims to be of these.
    """
    buffer, meaning = io.StringIO(), io.StringIO()
    writer, plain = (csv.writer(out, delimiter="\t", lineterminator="\n") for out in (buffer, meaning))
    for out in (writer, plain):
        out.writerow(COLUMNS)
    for position, scene in enumerate(scenes):
        drawn = render(scene)
        choice = choose(scene, rng, position)
        count = len(choice.options)
        order = [int(i) for i in rng.permutation(count)]
        for k in range(count):
            shown = [order[(i + k) % count] for i in range(count)]
            index = position + 1 + k * ROTATION
            options = [choice.options[i] for i in shown] + [""] * (4 - count)
            before = [index, choice.question, "", *options, "ABCD"[shown.index(0)], choice.category]
            after = ["miniature world", choice.ability, "", "dev"]
            image = base64.b64encode(png(drawn)).decode() if k == 0 else str(position + 1)
            pixels = hashlib.sha256(drawn.tobytes()).hexdigest() if k == 0 else image
            writer.writerow([*before, image, *after])
            plain.writerow([*before, pixels, *after])
    sink.text(TABLE, buffer.getvalue(), meaning.getvalue())


def choose(scene: Scene, rng: np.random.Generator, turn: int) -> Choice:
    """A question about a scene; kinds are tried from the `turn`-th on until one applies to the scene."""
    kinds = _FOR_ONE if len(scene.things) == 1 else _FOR_MORE
    for step in range(len(kinds)):
        choice = kinds[(turn // 2 + step) % len(kinds)](scene, rng)
        if choice is not None:
            return choice
    raise ValueError("no kind of question applies to the scene")


def _colour(scene: Scene, rng: np.random.Generator) -> Choice | None:
    unique = [t for t in scene.things if t.shape in references(scene, t)]
    if not unique:
        return None
    thing = unique[int(rng.integers(len(unique)))]
    options = _with_others(rng, thing.colour, list(COLOURS), 4)
    return Choice(f"what color is the {thing.shape}?", options, "attribute_recognition", _SINGLE)


def _shape(scene: Scene, rng: np.random.Generator) -> Choice | None:
    unique = [t for t in scene.things if f"{t.colour} object" in references(scene, t)]
    if not unique:
        return None
    thing = unique[int(rng.integers(len(unique)))]
    options = _with_others(rng, thing.shape, list(SHAPES), 3)
    return Choice(f"what shape is {thing.colour}?", options, "attribute_recognition", _SINGLE)


def _size(scene: Scene, rng: np.random.Generator) -> Choice | None:
    thing = scene.things[int(rng.integers(len(scene.things)))]
    question = f"how big is the {references(scene, thing)[0]}?"
    return Choice(question, _with_others(rng, thing.size, list(SIZES), 2), "attribute_recognition", _SINGLE)


def _place(scene: Scene, rng: np.random.Generator) -> Choice | None:
    if scene.place is None:
        return None
    question = f"where is the {references(scene, scene.things[0])[0]}?"
    return Choice(question, _with_others(rng, scene.place, list(PLACES), 4), "object_localization", _SINGLE)


def _count(scene: Scene, rng: np.random.Generator) -> Choice | None:
    options = _with_others(rng, str(len(scene.things)), ["1", "2", "3"], 3)
    return Choice("how many objects are there?", options, "image_scene", _COARSE)


def _topic(scene: Scene, rng: np.random.Generator) -> Choice | None:
    """What the image shows, among others with another colour or shape."""
    thing = scene.things[int(rng.integers(len(scene.things)))]
    here = {t.combination for t in scene.things}
    absent = [f"a {c} {s}" for c in COLOURS for s in SHAPES if (c, s) not in here]
    right = f"a {noun(thing, size=False)}"
    options = _with_others(rng, right, [right, *absent], 4)
    return Choice("what does the image show?", options, "image_topic", _COARSE)


def _relation(scene: Scene, rng: np.random.Generator) -> Choice | None:
    if scene.relation is None:
        return None
    first, second = scene.things
    relation = scene.relation
    if rng.random() < 0.5:
        first, second, relation = second, first, INVERSE[relation]
    sentences = {rel: f"{noun(first, size=False)} {rel} {noun(second, size=False)}" for rel in RELATIONS}
    options = _with_others(rng, sentences[relation], list(sentences.values()), 4)
    return Choice("what does the image show?", options, "spatial_relationship", _CROSS)


def _comparison(scene: Scene, rng: np.random.Generator) -> Choice | None:
    if len(scene.things) != 2 or scene.things[0].size == scene.things[1].size:
        return None
    word, size = (("larger", "large"), ("smaller", "small"))[int(rng.integers(2))]
    names = {thing.size: f"the {noun(thing, size=False)}" for thing in scene.things}
    options = _with_others(rng, names[size], list(names.values()), 2)
    return Choice(f"which object is {word}?", options, "attribute_comparison", _CROSS)


_Maker = Callable[[Scene, np.random.Generator], Choice | None]
_FOR_ONE: tuple[_Maker, ...] = (_colour, _place, _shape, _count, _size, _topic)
_FOR_MORE: tuple[_Maker, ...] = (_relation, _comparison, _colour, _relation, _comparison, _count, _shape)


def _with_others(rng: np.random.Generator, right: str, pool: list[str], count: int) -> tuple[str, ...]:
    wrong = [value for value in pool if value != right]
    return (right, *(wrong[int(i)] for i in rng.choice(len(wrong), size=count - 1, replace=False)))
