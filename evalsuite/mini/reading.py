"""Reading stories back: what a sentence says, and whether an image shows it, given the image before.

The inverse of `stories.py`, for documents that a model wrote: nothing is assumed of them, so what came before
is what the image before really shows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .detect import Detection, matches
from .world import CANVAS, COLOURS, PLACES, RADII, RELATIONS, SHAPES, SIZES, Scene, Thing


def _any(words: Sequence[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_SIZE, _COLOUR, _SHAPE = _any(SIZES), _any(list(COLOURS)), _any(SHAPES)
_NOUN = rf"(?P<size{{0}}>{_SIZE}) (?P<colour{{0}}>{_COLOUR}) (?P<shape{{0}}>{_SHAPE})"
_AT = rf"(?:in the (?P<centre>centre)|at the (?P<place>{_any([p for p in PLACES if p != 'centre'])}))"
_NAME = rf"(?:it|the (?:(?P<nc>{_COLOUR}) )?(?P<ns>{_SHAPE}|object))"
_BESIDE = rf"(?P<relation>{_any(RELATIONS)})"
_SENTENCES = {
    "opening": rf"this is a {_NOUN.format(1)} (?:{_AT}|{_BESIDE} a {_NOUN.format(2)})",
    "add": rf"(?:now|then) there is a {_NOUN.format(1)} {_BESIDE} the (?P<nc>{_COLOUR}) (?P<ns>{_SHAPE})",
    "remove": rf"(?:now|then) {_NAME} is not there",
    "move": rf"(?:now|then) {_NAME} moves to the (?P<place>{_any(PLACES)})",
    "recolour": rf"(?:now|then) {_NAME} is (?P<colour1>{_COLOUR})",
    "reshape": rf"(?:now|then) {_NAME} is a (?P<shape1>{_SHAPE})",
    "resize": rf"(?:now|then) {_NAME} is (?P<size1>{_SIZE})",
}
_PATTERNS = {kind: re.compile(pattern + r" \.") for kind, pattern in _SENTENCES.items()}
_OFFSETS = {"left of": (-15, 0), "right of": (15, 0), "above": (0, -15), "below": (0, 15)}


@dataclass(frozen=True)
class Sentence:
    """A sentence of the stories' language: its kind (`opening` or the kind of change), its words by role."""

    kind: str
    words: dict[str, str]


def read_sentence(text: str) -> Sentence | None:
    """The sentence that a text is; None for what stories never say.

    >>> read_sentence("now it is red .").kind
    'recolour'
    """
    said = " ".join(text.split())
    for kind, pattern in _PATTERNS.items():
        found = pattern.fullmatch(said)
        if found:
            return Sentence(kind, {key: value for key, value in found.groupdict().items() if value})
    return None


def expected(sentence: Sentence, before: Sequence[Detection]) -> Scene | None:
    """What an image must show after a sentence; None where the sentence speaks of what is not there.

    Args:
        before: what the image before shows; nothing for an opening.
    """
    words = sentence.words
    if sentence.kind == "opening":
        first = _said(words, "1")
        if "relation" not in words:
            return _scene([_at(first, words.get("place") or words["centre"])])
        second = _said(words, "2")
        dx, dy = _OFFSETS[words["relation"]]
        return _scene([replace(first, x=32.0 + dx / 2, y=32.0 + dy / 2),
                       replace(second, x=32.0 - dx / 2, y=32.0 - dy / 2)])  # fmt: skip
    things = [_thing(detection) for detection in before]
    named = [i for i, thing in enumerate(things) if _is_named(thing, words)]
    if len(named) != 1 or ("ns" not in words and len(things) != 1):
        return None
    (index,) = named
    thing = things[index]
    rest = things[:index] + things[index + 1 :]
    if sentence.kind == "add":
        dx, dy = _OFFSETS[words["relation"]]
        new = replace(_said(words, "1"), x=thing.x + dx, y=thing.y + dy)
        return _scene([new, thing, *rest])
    if sentence.kind == "remove":
        return _scene(rest) if rest else None
    if sentence.kind == "move":
        return _scene([_at(thing, words["place"]), *rest])
    changed = replace(
        thing,
        colour=words.get("colour1", thing.colour),
        shape=words.get("shape1", thing.shape),
        size=words.get("size1", thing.size),
    )
    return None if changed == thing else _scene([*things[:index], changed, *things[index + 1 :]])


def follows(text: str, before: Sequence[Detection], after: Sequence[Detection]) -> bool:
    """Whether an image shows what the sentence says and, besides, what the image before shows.

    Looks count for every thing, places for one thing, the relation for two (see `matches`).
    """
    sentence = read_sentence(text)
    scene = expected(sentence, before) if sentence else None
    return scene is not None and matches(scene, after).all


def _said(words: dict[str, str], which: str) -> Thing:
    size = words[f"size{which}"]
    return Thing(words[f"shape{which}"], words[f"colour{which}"], size, CANVAS / 2, CANVAS / 2, RADII[size])


def _thing(detection: Detection) -> Thing:
    return Thing(
        detection.shape, detection.colour, detection.size, detection.x, detection.y, RADII[detection.size]
    )


def _is_named(thing: Thing, words: dict[str, str]) -> bool:
    shape, colour = words.get("ns"), words.get("nc")
    return (shape in (None, "object", thing.shape)) and (colour in (None, thing.colour))


def _at(thing: Thing, place: str) -> Thing:
    row, column = divmod(PLACES.index(place), 3)
    return replace(thing, x=17.0 + 15 * column, y=17.0 + 15 * row)


def _scene(things: Sequence[Thing]) -> Scene:
    return Scene(tuple(things), (245, 245, 245))
