"""Subjects: things shown in reference images, and prompts that put them elsewhere, naming only their shape.

As in DreamBench, what to generate is said by class ("a circle at the top left"), and what exactly is shown:
colour and size are in the reference images alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .detect import Detection
from .language import at_place, noun
from .world import (
    COLOURS,
    PLACES,
    RELATIONS,
    SHAPES,
    SIZES,
    Scene,
    Thing,
    legal,
    place_of,
    relation_of,
    sample_background,
    sample_radius,
    split_of,
)  # fmt: skip

ASKED = ("top left", "top right", "centre", "bottom left", "bottom right")
"""Where prompts put a subject that is alone."""
LIVE = "triangle"
"""The class that plays DreamBench's live subjects, with a prompt list of its own."""
OTHERS = {"object": ("triangle", "blue"), "live": ("circle", "black")}
"""Shape and colour of what stands beside a subject, by kind: of a shape that subjects of the kind never have,
so that a prompt has one meaning. Its size goes with the relation."""
SHOWN = ("top", "left", "right", "bottom")
"""Where reference images show it: none of them is already what a prompt asks for."""


@dataclass(frozen=True)
class Subject:
    """A thing to be recognised: its looks, and images of it alone at different places."""

    shape: str
    colour: str
    size: str
    references: tuple[Scene, ...]

    @property
    def name(self) -> str:
        """Its name in files: "small_red_circle"."""
        return f"{self.size}_{self.colour}_{self.shape}"

    @property
    def kind(self) -> str:
        """`object` or `live`: which list of prompts it is asked with."""
        return "live" if self.shape == LIVE else "object"


@dataclass(frozen=True)
class SubjectPrompt:
    """A prompt with `{0}` for a token and `{1}` for the class, and what it asks for.

    Args:
        place: where the subject is to be, alone; None with `relation`.
        relation: of the subject to `other`.
        other: shape, colour and size of what stands beside it.
    """

    text: str
    place: str | None = None
    relation: str | None = None
    other: tuple[str, str, str] | None = None


def prompts_for(kind: str) -> list[SubjectPrompt]:
    """The prompts of a kind of subjects, the same for each of them: places, then relations."""
    found = [SubjectPrompt(f"a {{0}} {{1}} {at_place(place)}", place=place) for place in ASKED]
    shape, colour = OTHERS[kind]
    for k, relation in enumerate(RELATIONS):
        size = SIZES[k % 2]
        other = noun(Thing(shape, colour, size, 0, 0, 0))
        found.append(
            SubjectPrompt(
                f"a {{0}} {{1}} {relation} a {other}", relation=relation, other=(shape, colour, size)
            )
        )
    return found


def sample_subjects(rng: np.random.Generator, count: int) -> list[Subject]:
    """`count` subjects, no two of one name, each shown at different places in scenes of the test split.

    Raises:
        ValueError: there are fewer than `count`.
    """
    looks = [(shape, colour, size) for shape in SHAPES for colour in COLOURS for size in SIZES]
    if count > len(looks):
        raise ValueError(f"there are {len(looks)} subjects, {count} were asked for")
    chosen = [looks[int(i)] for i in rng.permutation(len(looks))[:count]]
    return [Subject(*look, _references(rng, look)) for look in chosen]


def _references(rng: np.random.Generator, look: tuple[str, str, str]) -> tuple[Scene, ...]:
    return tuple(_shown(rng, look, SHOWN[int(i)]) for i in rng.permutation(len(SHOWN)))


def _shown(rng: np.random.Generator, look: tuple[str, str, str], place: str) -> Scene:
    """A scene of the test split in which the thing is alone, at a place."""
    shape, colour, size = look
    row, column = divmod(PLACES.index(place), 3)
    while True:
        x, y = (17.0 + 15.0 * cell + int(rng.integers(-4, 5)) / 2 for cell in (column, row))
        thing = Thing(shape, colour, size, x, y, sample_radius(rng, size))
        scene = Scene((thing,), sample_background(rng))
        if legal(scene) and split_of(scene) == "test":
            return scene


@dataclass(frozen=True)
class Wanted:
    """What an image generated for a prompt must show.

    Args:
        subject: shape, colour and size of the subject, which the reference images show.
        place: of the subject, alone; or `relation` to `other` (shape, colour, size).
    """

    subject: tuple[str, str, str]
    place: str | None = None
    relation: str | None = None
    other: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class SubjectMatch:
    """How an image agrees with what was wanted.

    Args:
        kept: a thing of the subject's shape, colour and size is there.
        followed: the things that the prompt names, by shape (what stands beside, by all its looks), and no
            more, where the prompt puts them.
    """

    kept: bool
    followed: bool

    @property
    def right(self) -> bool:
        """The subject is the one of the reference images, and is where the prompt puts it."""
        return self.kept and self.followed


def match_subject(wanted: Wanted, seen: Sequence[Detection]) -> SubjectMatch:
    """Compare what was seen with what was wanted.

    `right` needs the subject itself where the prompt puts it; with one thing of its shape in the image,
    which `followed` asks for, that is the same as both being true.
    """

    def looks(detection: Detection) -> tuple[str, str, str]:
        return detection.shape, detection.colour, detection.size

    kept = any(looks(detection) == wanted.subject for detection in seen)
    subjects = [detection for detection in seen if detection.shape == wanted.subject[0]]
    if len(subjects) != 1:
        return SubjectMatch(kept, False)
    (subject,) = subjects
    if wanted.other is None:
        return SubjectMatch(kept, len(seen) == 1 and place_of(subject.x, subject.y) == wanted.place)
    others = [detection for detection in seen if looks(detection) == wanted.other]
    if len(seen) != 2 or len(others) != 1:
        return SubjectMatch(kept, False)
    relation = relation_of(subject.x - others[0].x, subject.y - others[0].y)
    return SubjectMatch(kept, relation == wanted.relation)
