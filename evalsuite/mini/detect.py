"""An exact detector for images of the miniature world, and the comparison with the scene asked for.

The world has six colours and three shapes on a near-white ground, so what an image shows can be read off its
pixels, without a network. The rules allow for what generators do to images: soft edges, noise, slightly
wrong colours. Something of no clear shape is reported as such; what has no known colour, and specks, are not
reported at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from .render import TRIANGLE_BASE, TRIANGLE_TOP, covers
from .world import COLOURS, SHAPES, Scene, Thing, place_of, relation_of, size_of

MIN_AREA = 40
"""Pixels; the smallest thing in the world covers about 90, what is under this is a speck."""
COLOUR_REJECTION = 80.0
"""RGB distance from the line between background and palette colour from which on a pixel is of neither."""
SHAPE_REJECTION = 0.72
"""Least overlap (intersection over union) with the ideal shape; circle against square reach about 0.83."""
NO_SHAPE = "other"

_AREA = {"circle": np.pi, "square": np.pi, "triangle": TRIANGLE_TOP + TRIANGLE_BASE}


@dataclass(frozen=True)
class Detection:
    """Something seen: its shape ("other" where none fits), colour, size, centre and area in pixels."""

    shape: str
    colour: str
    size: str
    x: float
    y: float
    area: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the box, from centre and area; a thing of no shape counts as square."""
        area_of_one = _area_of(self.shape) if self.shape in SHAPES else 4.0
        radius = float(np.sqrt(self.area / area_of_one))
        return self.x - radius, self.y - radius, self.x + radius, self.y + radius


@dataclass(frozen=True)
class Match:
    """How what was seen agrees with what was asked for, each figure over all things of the scene.

    Args:
        count: as many things as asked for.
        colour, shape, size: every thing asked for is there with this attribute, and nothing else is there.
        where: one thing: in the same place (of nine); two: in the same relation; three: always true.
        all: everything above.
        bound: every colour-shape combination asked for is there as one thing, and nothing else.
        relation: the first two things are in the relation that the scene has them in; true for one thing.
        shift: the largest distance of a centre from where the scene has it, in pixels; infinite where the
            count is wrong.
    """

    count: bool
    colour: bool
    shape: bool
    size: bool
    where: bool
    all: bool
    bound: bool
    relation: bool
    shift: float

    def satisfies(self, attributes: Sequence[str]) -> bool:
        """Whether all the named attributes are right: some of colour, shape, size, place, relation.

        Colour and shape together must be right on the same thing.

        Raises:
            ValueError: unknown attribute.
        """
        known = {
            "colour": self.colour,
            "shape": self.shape,
            "size": self.size,
            "place": self.where,
            "relation": self.relation,
        }
        unknown = set(attributes) - set(known)
        if unknown:
            raise ValueError(f"no attribute is called {sorted(unknown)}; there are {sorted(known)}")
        if {"colour", "shape"} <= set(attributes) and not self.bound:
            return False
        return self.count and all(known[name] for name in attributes)


def detect(image: np.ndarray) -> list[Detection]:
    """What an image shows, largest first.

    Every pixel is explained as a mixture of the background and one palette colour; those that are at least
    half palette colour form regions; a region's shape is the one whose ideal form of the same area and centre
    overlaps it most.

    Args:
        image: (H, W, 3) uint8 RGB; sizes and places assume the world's 64x64.

    Raises:
        ValueError: wrong shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"an image is (H, W, 3) uint8, not {image.shape} {image.dtype}")
    labels = _colours(image.astype(np.float64))
    names = tuple(COLOURS)
    found: list[Detection] = []
    for region in _regions(labels >= 0):
        shares = np.bincount(labels[region], minlength=len(names))
        if shares.max() >= 0.8 * shares.sum():
            found.append(_read(region, names[int(shares.argmax())]))
            continue
        for colour in np.flatnonzero(shares >= MIN_AREA):
            found += [_read(part, names[int(colour)]) for part in _regions(region & (labels == colour))]
    return sorted(found, key=lambda d: (-d.area, d.y, d.x))


def matches(scene: Scene, detections: Sequence[Detection]) -> Match:
    """Compare what was seen with a scene, things and detections paired so that most attributes agree."""
    things = scene.things
    count = len(detections) == len(things)
    if not count:
        return Match(False, False, False, False, False, False, False, False, float("inf"))
    best = max(permutations(detections), key=lambda seen: _agreement(scene, seen))
    colour, shape, size = (
        all(getattr(t, name) == getattr(d, name) for t, d in zip(things, best, strict=True))
        for name in ("colour", "shape", "size")
    )
    where = _where(scene, best)
    shift = max(float(np.hypot(t.x - d.x, t.y - d.y)) for t, d in zip(things, best, strict=True))
    bound = colour and shape
    related = _related(scene.things) is None or _related(best) == _related(scene.things)
    return Match(True, colour, shape, size, where, bound and size and where, bound, related, shift)


def _agreement(scene: Scene, seen: Sequence[Detection]) -> tuple[int, float]:
    pairs = list(zip(scene.things, seen, strict=True))
    right = sum((t.colour == d.colour) + (t.shape == d.shape) for t, d in pairs) * 4
    right += sum(t.size == d.size for t, d in pairs) + _where(scene, seen)
    return right, -sum(_distance(t, d) for t, d in pairs)


def _distance(thing: Thing, detection: Detection) -> float:
    return float(np.hypot(thing.x - detection.x, thing.y - detection.y))


def _where(scene: Scene, seen: Sequence[Detection]) -> bool:
    if scene.place is not None:
        return place_of(seen[0].x, seen[0].y) == scene.place
    if scene.relation is not None:
        return relation_of(seen[0].x - seen[1].x, seen[0].y - seen[1].y) == scene.relation
    return True


def _related(things: Sequence[Thing | Detection]) -> str | None:
    """Relation of the first of several to the second."""
    if len(things) < 2:
        return None
    return relation_of(things[0].x - things[1].x, things[0].y - things[1].y)


def _colours(image: np.ndarray) -> np.ndarray:
    """Index of the palette colour of every pixel, -1 for background and unknown: (H, W) int."""
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    ground = np.median(edge, axis=0)
    palette = np.array(list(COLOURS.values()), dtype=np.float64)
    towards = palette - ground
    offset = image - ground
    # Every pixel as ground + share * (colour - ground): a soft edge is a mixture and must not pass for grey.
    share = offset @ towards.T / np.maximum((towards**2).sum(axis=1), 1.0)
    rest = np.linalg.norm(offset[:, :, None, :] - np.clip(share, 0, 1.1)[..., None] * towards, axis=-1)
    best = rest.argmin(axis=-1)
    share = np.take_along_axis(share, best[..., None], axis=-1)[..., 0]
    rest = rest.min(axis=-1)
    return np.where((share >= 0.5) & (rest <= COLOUR_REJECTION), best, -1)


def _regions(mask: np.ndarray) -> list[np.ndarray]:
    """Connected regions (4-neighbours) of at least `MIN_AREA` pixels, each as a mask."""
    from scipy import ndimage

    labelled, count = ndimage.label(mask)
    areas = np.bincount(labelled.ravel(), minlength=count + 1)
    return [labelled == i for i in range(1, count + 1) if areas[i] >= MIN_AREA]


def _read(region: np.ndarray, colour: str) -> Detection:
    rows, columns = np.nonzero(region)
    area = len(rows)
    x, y = float(columns.mean()) + 0.5, float(rows.mean()) + 0.5
    grid_y, grid_x = np.mgrid[: region.shape[0], : region.shape[1]] + 0.5
    overlaps: dict[str, float] = {}
    centres: dict[str, tuple[float, float]] = {}
    for shape in SHAPES:
        radius = float(np.sqrt(area / _area_of(shape)))
        # The centroid of a triangle lies below the centre of its box.
        down = ((2 * TRIANGLE_BASE - TRIANGLE_TOP) / 3 * radius) if shape == "triangle" else 0.0
        ideal = covers(shape, grid_x - x, grid_y - (y - down), radius)
        overlaps[shape] = float((ideal & region).sum() / (ideal | region).sum())
        centres[shape] = (x, y - down)
    shape = max(overlaps, key=lambda name: overlaps[name])
    radius = float(np.sqrt(area / _area_of(shape)))
    centre = centres[shape]
    if overlaps[shape] < SHAPE_REJECTION:
        shape = NO_SHAPE
        centre = (x, y)
    return Detection(shape, colour, size_of(radius), centre[0], centre[1], area)


def _area_of(shape: str) -> float:
    """Area of a shape of radius 1."""
    return float(_AREA[shape])
