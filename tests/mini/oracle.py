"""A second opinion on scenes: reads images with the detector and answers questions by its own rules.

It shares no code with `evalsuite.mini.language`; agreement of the two is what the tests look for.
"""

import re

from evalsuite.mini.detect import Detection

RELATION = r"(left of|right of|above|below)"
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
COLOURS = ("red", "green", "blue", "yellow", "purple", "black")
SHAPES = ("circle", "square", "triangle")


def pick(phrase: str, seen: list[Detection]) -> list[Detection]:
    """The things a noun phrase such as "red circle", "red object" or "circle" may mean."""
    words = phrase.split()
    return [
        thing
        for thing in seen
        if all(word in (thing.colour, thing.shape, thing.size, "object", "shape") for word in words)
    ]


def only(phrase: str, seen: list[Detection]) -> Detection:
    """The one thing a noun phrase means; it must not be ambiguous."""
    found = pick(phrase, seen)
    assert len(found) == 1, f"{phrase!r} means {len(found)} things"
    return found[0]


def holds(first: Detection, relation: str, second: Detection) -> bool:
    """Whether a relation holds clearly: by more than half of a small thing, and by far the larger offset."""
    dx, dy = first.x - second.x, first.y - second.y
    along, across = {"left of": (-dx, dy), "right of": (dx, dy), "above": (-dy, dx), "below": (dy, dx)}[
        relation
    ]
    return along > 10 and along > 3 * abs(across)


def place(thing: Detection) -> str:
    """Place by thirds of the canvas."""
    column = "left" if thing.x < 64 / 3 else "right" if thing.x > 128 / 3 else ""
    row = "top" if thing.y < 64 / 3 else "bottom" if thing.y > 128 / 3 else ""
    return f"{row} {column}".strip() or "centre"


def answer(question: str, seen: list[Detection]) -> str:
    """The answer to a question of the world, from what was seen."""
    text = question.removesuffix("?")
    if found := re.fullmatch(rf"what (color is the object|shape is) {RELATION} the (.+)", text):
        anchor = only(found[3], seen)
        other = [thing for thing in seen if thing is not anchor and holds(thing, found[2], anchor)]
        assert len(other) == 1
        return other[0].colour if found[1].startswith("color") else other[0].shape
    if found := re.fullmatch(r"what (?:color is the|is the color of the) (.+)", text):
        return only(found[1], seen).colour
    if text in ("what shape is in the image", "what shape is present", "what shape does the image contain"):
        return only("shape", seen).shape
    if found := re.fullmatch(r"what shape is (\w+)", text) or re.fullmatch(r"what is the (\w+) shape", text):
        return only(found[1], seen).shape
    if found := re.fullmatch(r"(?:how big|what size) is the (.+)", text):
        return only(found[1], seen).size
    if found := re.fullmatch(r"where is the (.+)", text):
        return place(only(found[1], seen))
    if found := re.fullmatch(r"how many (.+) are (?:there|in the image)", text):
        return str(len(pick(found[1].replace("objects", "object").rstrip("s"), seen)))
    if found := re.fullmatch(rf"is the (.+) {RELATION} the (.+)", text):
        return _yes(holds(only(found[1], seen), found[2], only(found[3], seen)))
    if found := re.fullmatch(
        r"is there a (.+?)(?: in the image)?|is a (.+) present|does the image contain a (.+)", text
    ):
        return _yes(bool(pick(next(filter(None, found.groups())), seen)))
    if found := re.fullmatch(
        r"is there not a (.+?)(?: in the image)?|is no (.+) present|does the image not contain a (.+)", text
    ):
        return _yes(not pick(next(filter(None, found.groups())), seen))
    if found := re.fullmatch(r"is the (.+) (\w+)", text):
        thing = only(found[1].removesuffix(" a"), seen)
        return _yes(found[2] in (thing.colour, thing.shape, thing.size))
    raise AssertionError(f"nobody knows how to answer {question!r}")


def caption_holds(caption: str, seen: list[Detection]) -> bool:
    """Whether everything a caption says is true and it mentions every thing once."""
    nouns = re.findall(rf"a ((?:(?:small|large) )?(?:{'|'.join(COLOURS)}) (?:{'|'.join(SHAPES)}))", caption)
    things = [pick(noun, seen) for noun in nouns]
    if any(len(found) != 1 for found in things) or len({id(found[0]) for found in things}) != len(seen):
        return False
    if (found := re.search(RELATION, caption)) and len(things) == 2:
        return holds(things[0][0], found[1], things[1][0])
    if found := re.search(r"(?:at|in) the ((?:top|bottom|left|right|centre)(?: left| right)?)", caption):
        return place(things[0][0]) == found[1]
    return True


def _yes(value: bool) -> str:
    return "yes" if value else "no"
