"""The miniature world: what a scene is, and how scenes are drawn at random.

A scene is one to three coloured shapes on a near-white canvas of 64x64 pixels. Everything is plain data; the
image (`render.py`), the words (`language.py`) and the files (`write.py`) are functions of it.

Two rules keep training and testing apart. Three colour-shape combinations (`HELD_OUT`) never occur in the
split "train", so that composition can be measured; and every arrangement of things belongs to one split only
(`split_of`), so that no test scene is a training scene, whatever the seeds.
"""

import hashlib
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

Split = Literal["train", "test"]
RGB = tuple[int, int, int]

CANVAS = 64
SHAPES = ("circle", "square", "triangle")
COLOURS: dict[str, RGB] = {
    "red": (220, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 220),
    "yellow": (245, 205, 30),
    "purple": (160, 40, 200),
    "black": (25, 25, 25),
}
SIZES = ("small", "large")
RADII = {"small": 8.0, "large": 13.0}
HELD_OUT = frozenset({("green", "triangle"), ("purple", "square"), ("yellow", "circle")})
COMBINATIONS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
TRAIN_COMBINATIONS = tuple(pair for pair in COMBINATIONS if pair not in HELD_OUT)

PLACES = (
    "top left", "top", "top right",
    "left", "centre", "right",
    "bottom left", "bottom", "bottom right",
)  # fmt: skip
RELATIONS = ("left of", "right of", "above", "below")
INVERSE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}

GAP = 2.0
"""Least distance in pixels between the boxes of two things."""
MARGIN = 1.0
"""Least distance in pixels between the box of a thing and the edge of the canvas."""

_LOW, _MIDDLE, _HIGH = 17.0, 32.0, 47.0
_THIRDS = (24.5, 39.5)
_TEST_SHARE = 4


@dataclass(frozen=True)
class Thing:
    """One coloured shape: the centre of its box in pixels from the top left, half the side of the box."""

    shape: str
    colour: str
    size: str
    x: float
    y: float
    radius: float

    @property
    def combination(self) -> tuple[str, str]:
        """Colour and shape."""
        return self.colour, self.shape

    @property
    def held_out(self) -> bool:
        """Whether this colour-shape combination never occurs in training."""
        return self.combination in HELD_OUT

    def key(self) -> str:
        """Canonical text of this thing."""
        return f"{self.size} {self.colour} {self.shape} {self.x:.1f} {self.y:.1f} {self.radius:.1f}"


@dataclass(frozen=True)
class Scene:
    """Things on a background (8-bit RGB), in the order in which the canonical caption names them."""

    things: tuple[Thing, ...]
    background: RGB

    @property
    def held_out(self) -> bool:
        """Whether any thing is of a combination that never occurs in training."""
        return any(thing.held_out for thing in self.things)

    @property
    def place(self) -> str | None:
        """Name of the place in a scene of one thing, else None."""
        return place_of(self.things[0].x, self.things[0].y) if len(self.things) == 1 else None

    @property
    def relation(self) -> str | None:
        """Relation of the first thing to the second in a scene of two, else None."""
        if len(self.things) != 2:
            return None
        first, second = self.things
        return relation_of(first.x - second.x, first.y - second.y)

    def key(self) -> str:
        """Canonical text of the scene, the same whatever the order of the things."""
        things = " | ".join(sorted(thing.key() for thing in self.things))
        return f"{things} | {','.join(map(str, self.background))}"


def place_of(x: float, y: float) -> str:
    """Name of the ninth of the canvas in which a point lies."""
    column = int(x > _THIRDS[0]) + int(x > _THIRDS[1])
    row = int(y > _THIRDS[0]) + int(y > _THIRDS[1])
    return PLACES[3 * row + column]


def relation_of(dx: float, dy: float) -> str:
    """Relation of a thing to another that it lies `dx` right of and `dy` below: the longer axis decides."""
    if abs(dx) >= abs(dy):
        return "left of" if dx < 0 else "right of"
    return "above" if dy < 0 else "below"


def size_of(radius: float) -> str:
    """Name of the nearer standard size."""
    return min(SIZES, key=lambda size: abs(RADII[size] - radius))


def apart(first: Thing, second: Thing) -> bool:
    """Whether the boxes of two things keep `GAP` pixels between them along one axis."""
    reach = first.radius + second.radius + GAP
    return max(abs(first.x - second.x), abs(first.y - second.y)) >= reach


def inside(thing: Thing) -> bool:
    """Whether the thing keeps `MARGIN` pixels from the edge of the canvas."""
    low, high = MARGIN + thing.radius, CANVAS - MARGIN - thing.radius
    return low <= thing.x <= high and low <= thing.y <= high


def legal(scene: Scene) -> bool:
    """Whether a scene keeps the rules of the world.

    One to three things, inside the canvas, apart, all of different combinations; one is 3 pixels or more from
    where its place would get another name; two are aligned within 3 pixels on the axis that their relation
    does not use; three are all small.
    """
    things = scene.things
    if not 1 <= len(things) <= 3 or not all(map(inside, things)):
        return False
    if len({thing.combination for thing in things}) < len(things):
        return False
    if not all(apart(first, second) for first, second in combinations(things, 2)):
        return False
    if any(thing.size != size_of(thing.radius) for thing in things):
        return False
    if len(things) == 1:
        return all(abs(at - edge) >= 3 for at in (things[0].x, things[0].y) for edge in _THIRDS)
    if len(things) == 2:
        return min(abs(things[0].x - things[1].x), abs(things[0].y - things[1].y)) <= 3
    return len(things) < 3 or all(thing.size == "small" for thing in things)


def split_of(scene: Scene) -> Split:
    """The split to which this arrangement belongs, from a hash of its things (a quarter is for testing).

    A scene with a held-out combination is always a test scene; the background plays no part.
    """
    return "test" if scene.held_out or in_test_share(scene) else "train"


def in_test_share(scene: Scene) -> bool:
    """Whether the hash of the things alone puts a scene into the test split: a quarter of all scenes."""
    things = "|".join(sorted(thing.key() for thing in scene.things))
    return hashlib.sha256(things.encode()).digest()[0] % _TEST_SHARE == 0


def may_follow(scene: Scene, split: Split) -> bool:
    """Whether a scene may be made from another one of a split, by an edit or in a story.

    The hash decides for held-out combinations too: were they always taken into "test" while only a quarter
    of the others is, changes towards them would be four times too frequent there.
    """
    return in_test_share(scene) if split == "test" else split_of(scene) == "train"


def sample_background(rng: np.random.Generator) -> RGB:
    """A near-white colour: a level of 238 to 252, each channel up to 3 away from it."""
    level = int(rng.integers(238, 253))
    red, green, blue = (int(level + d) for d in rng.integers(-3, 4, size=3))
    return red, green, blue


def sample_radius(rng: np.random.Generator, size: str) -> float:
    """Radius in pixels for a size: the standard one, up to 1 away, in steps of a half."""
    return RADII[size] + _jitter(rng, 1.0)


def sample_combinations(rng: np.random.Generator, split: Split, count: int) -> list[tuple[str, str]]:
    """`count` different colour-shape combinations that may occur in a split."""
    pool = TRAIN_COMBINATIONS if split == "train" else COMBINATIONS
    return [pool[i] for i in rng.choice(len(pool), size=count, replace=False)]


def sample_scene(rng: np.random.Generator, *, split: Split, things: int | None = None) -> Scene:
    """Draw a scene of a split.

    Args:
        rng: source of all chance; the same state gives the same scene.
        split: "train" never shows a `HELD_OUT` combination; "test" draws from all of them.
        things: how many (1 to 3); by default 1 (45 %), 2 (45 %) or 3 (10 %).

    Raises:
        ValueError: `split` or `things` is not one of those named.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', not {split!r}")
    if things not in (None, 1, 2, 3):
        raise ValueError(f"a scene has 1 to 3 things, not {things!r}")
    count = (
        things if things is not None else 1 + int(np.searchsorted((0.45, 0.90), rng.random(), side="right"))
    )
    # The combinations are drawn once: sorting into splits by hash must not favour the held-out ones.
    pairs = sample_combinations(rng, split, count)
    while True:
        scene = Scene(_LAYOUTS[count](rng, pairs), sample_background(rng))
        if legal(scene) and split_of(scene) == split:
            return scene


def _jitter(rng: np.random.Generator, reach: float) -> float:
    """A multiple of a half in [-reach, reach]."""
    steps = round(2 * reach)
    return int(rng.integers(-steps, steps + 1)) / 2


def _thing(rng: np.random.Generator, pair: tuple[str, str], size: str, x: float, y: float) -> Thing:
    return Thing(pair[1], pair[0], size, x, y, sample_radius(rng, size))


def _any_size(rng: np.random.Generator) -> str:
    return SIZES[int(rng.integers(2))]


def _one(rng: np.random.Generator, pairs: list[tuple[str, str]]) -> tuple[Thing, ...]:
    column, row = ((_LOW, _MIDDLE, _HIGH)[i] for i in rng.integers(3, size=2))
    x, y = column + _jitter(rng, 2), row + _jitter(rng, 2)
    return (_thing(rng, pairs[0], _any_size(rng), x, y),)


def _two(rng: np.random.Generator, pairs: list[tuple[str, str]]) -> tuple[Thing, ...]:
    across = _MIDDLE + _jitter(rng, 12)
    spots = [(end + _jitter(rng, 1.5), across + _jitter(rng, 1.5)) for end in (_LOW, _HIGH)]
    if rng.random() < 0.5:
        spots = [(y, x) for x, y in spots]
    if rng.random() < 0.5:
        spots.reverse()
    return tuple(_thing(rng, pair, _any_size(rng), x, y) for pair, (x, y) in zip(pairs, spots, strict=True))


def _three(rng: np.random.Generator, pairs: list[tuple[str, str]]) -> tuple[Thing, ...]:
    grid = (12.0, 32.0, 52.0)
    cells = rng.choice(9, size=3, replace=False)
    return tuple(
        _thing(rng, pair, "small", grid[cell % 3] + _jitter(rng, 2), grid[cell // 3] + _jitter(rng, 2))
        for pair, cell in zip(pairs, cells, strict=True)
    )


_LAYOUTS = {1: _one, 2: _two, 3: _three}
