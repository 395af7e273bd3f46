"""GenEval's metadata for the miniature world: the same six kinds of prompts, in the miniature's wording.

Shapes stand for classes. The wording is that of the captions that models were trained on, so a prompt names
colours even where the rules do not look at them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..language import at_place
from ..world import COMBINATIONS, PLACES, RELATIONS, SHAPES

Row = dict[str, Any]
Pair = tuple[str, str]

PER_TAG = 20
SEED = 20260


def composition_rows(seed: int = SEED, per_tag: int = PER_TAG) -> list[Row]:
    """The lines of an `evaluation_metadata.jsonl`: tag, include, exclude, prompt; `per_tag` of each tag."""
    makers = (_single_object, _two_object, _counting, _colors, _position, _color_attr)
    rows: list[Row] = []
    for part, make in enumerate(makers):
        rng = np.random.default_rng([seed, part])
        found: dict[str, Row] = {}
        rows_of_tag = make(rng)
        while len(found) < per_tag:
            row = next(rows_of_tag)
            found.setdefault(row["prompt"], row)
        rows += found.values()
    return rows


def _single_object(rng: np.random.Generator) -> Iterator[Row]:
    while True:
        thing, place = _one(rng), str(rng.choice(PLACES))
        text = f"there is {_noun(thing)} {at_place(place)}"
        yield _row("single_object", text, [{"class": thing[1], "count": 1}])


def _two_object(rng: np.random.Generator) -> Iterator[Row]:
    while True:
        first, second = _two(rng)
        text = f"{_noun(first)} {rng.choice(RELATIONS)} {_noun(second)}"
        yield _row("two_object", text, [{"class": first[1], "count": 1}, {"class": second[1], "count": 1}])


def _counting(rng: np.random.Generator) -> Iterator[Row]:
    while True:
        count, shape = int(rng.integers(2, 4)), str(rng.choice(SHAPES))
        colours = [colour for colour, other in COMBINATIONS if other == shape]
        things = [(str(colour), shape) for colour in rng.choice(colours, size=count, replace=False)]
        nouns = [_noun(thing) for thing in things]
        text = (
            f"{nouns[0]} {rng.choice(RELATIONS)} {nouns[1]}"
            if count == 2
            else f"{nouns[0]} , {nouns[1]} and {nouns[2]}"
        )
        row = _row("counting", text, [{"class": shape, "count": count}])
        yield row | {"exclude": [{"class": shape, "count": count + 1}]}


def _colors(rng: np.random.Generator) -> Iterator[Row]:
    while True:
        thing, place = _one(rng), str(rng.choice(PLACES))
        include = [{"class": thing[1], "count": 1, "color": thing[0]}]
        yield _row("colors", f"{_noun(thing)} {at_place(place)}", include)


def _position(rng: np.random.Generator) -> Iterator[Row]:
    while True:
        first, second = _two(rng)
        relation = str(rng.choice(RELATIONS))
        include = [
            {"class": second[1], "count": 1},
            {"class": first[1], "count": 1, "position": [relation, 0]},
        ]
        yield _row("position", f"{_noun(first)} {relation} {_noun(second)}", include)


def _color_attr(rng: np.random.Generator) -> Iterator[Row]:
    while True:
        first, second = _two(rng)
        include = [{"class": shape, "count": 1, "color": colour} for colour, shape in (first, second)]
        text = f"a picture of {_noun(first)} {rng.choice(RELATIONS)} {_noun(second)}"
        yield _row("color_attr", text, include)


def _row(tag: str, prompt: str, include: list[Row]) -> Row:
    return {"tag": tag, "include": include, "prompt": prompt}


def _noun(thing: Pair) -> str:
    return f"a {thing[0]} {thing[1]}"


def _one(rng: np.random.Generator) -> Pair:
    return COMBINATIONS[int(rng.integers(len(COMBINATIONS)))]


def _two(rng: np.random.Generator) -> tuple[Pair, Pair]:
    """Two things of different shapes and colours."""
    while True:
        first, second = _one(rng), _one(rng)
        if first[0] != second[0] and first[1] != second[1]:
            return first, second
