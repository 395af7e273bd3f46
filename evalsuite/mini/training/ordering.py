"""The order in which a caption names things: made predictable, so that nothing is learnt as a coin flip.

A scene lists its things in random order, and so does its canonical caption. Neither a model that reads the
image nor one that is given an instruction can know that order: learnt word by word it is a coin flip before
every caption, and a pull towards the canonical caption's condition is a pull towards the mean of two.
"""

from dataclasses import replace

from ..language import caption
from ..world import CANVAS, RELATIONS, Scene, Thing


def in_reading_order(scene: Scene) -> Scene:
    """The same scene with its things from left to right or from top to bottom; three things row by row."""
    if len(scene.things) == 2:
        return _reversed(scene) if scene.relation in ("right of", "below") else scene
    return replace(scene, things=tuple(sorted(scene.things, key=_row_then_column)))


def caption_of(scene: Scene) -> str:
    """The canonical caption in reading order: the only one that follows from the image alone."""
    return caption(in_reading_order(scene))


def caption_as_said(text: str, scene: Scene) -> str:
    """The canonical caption that names things in the order of a text about the scene.

    Things that the text does not name by colour and shape come last, in the scene's order.
    """
    padded = f" {text} "

    def place(thing: Thing) -> int:
        at = padded.find(f" {thing.colour} {thing.shape} ")
        return at if at >= 0 else len(padded)

    return caption(replace(scene, things=tuple(sorted(scene.things, key=place))))


def captions_in_order(texts: tuple[str, ...], scene: Scene) -> list[str]:
    """Those of a scene's captions that name its things in reading order; the canonical one is the first."""
    first = caption_of(scene)
    return [first, *(text for text in texts if text != first and caption_as_said(text, scene) == first)]


def says_everything(text: str, canonical: str) -> bool:
    """Whether a caption of a scene says as much as the canonical one, in whatever order and words.

    The relation of two things may be said the other way round; a place may not be left out.
    """
    needed = set(canonical.split()) - {"a", "at", "in", "the"}
    if any(f" {relation} " in canonical for relation in RELATIONS):
        needed -= {word for relation in RELATIONS for word in relation.split()}
    return needed <= set(text.split())


def _reversed(scene: Scene) -> Scene:
    return replace(scene, things=scene.things[::-1])


def _row_then_column(thing: Thing) -> tuple[int, float]:
    return int(3 * thing.y / CANVAS), thing.x
