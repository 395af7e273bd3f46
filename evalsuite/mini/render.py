"""Scenes to pixels, without any graphics library, so that the same scene is the same bytes everywhere."""

import numpy as np

from .world import CANVAS, COLOURS, Scene, Thing

_SAMPLES = 4
SQUARE_SIDE = 0.886
"""Half side of a square over its radius: a square covers as much as the circle of the same radius."""
TRIANGLE_TOP, TRIANGLE_BASE = 1.0, 0.85
"""Height of a triangle above and below its centre, over its radius; its base is two radii wide."""


def covers(shape: str, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Which points lie in a shape around the origin.

    Args:
        shape: one of `world.SHAPES`.
        x, y: coordinates in pixels, to the right and down, of any shapes that broadcast.
        radius: half the box of the shape, in pixels.

    Returns:
        Booleans of the broadcast shape.

    Raises:
        ValueError: unknown shape.
    """
    inside: np.ndarray
    if shape == "circle":
        inside = x * x + y * y <= radius * radius
    elif shape == "square":
        half = SQUARE_SIDE * radius
        inside = (np.abs(x) <= half) & (np.abs(y) <= half)
    elif shape == "triangle":
        top, base = -TRIANGLE_TOP * radius, TRIANGLE_BASE * radius
        # The half width grows from 0 at the top to one radius at the base.
        inside = (y <= base) & (np.abs(x) * (base - top) <= radius * (y - top))
    else:
        raise ValueError(f"no shape is called {shape!r}; there are circle, square, triangle")
    return inside


def coverage(thing: Thing, canvas: int = CANVAS) -> np.ndarray:
    """Share of each pixel that a thing covers: (canvas, canvas) float64 in [0, 1], from 4x4 samples each."""
    axis = (np.arange(canvas * _SAMPLES) + 0.5) / _SAMPLES
    inside = covers(thing.shape, axis[None, :] - thing.x, axis[:, None] - thing.y, thing.radius)
    shares: np.ndarray = inside.reshape(canvas, _SAMPLES, canvas, _SAMPLES).mean(axis=(1, 3))
    return shares


def render(scene: Scene) -> np.ndarray:
    """The image of a scene: (64, 64, 3) uint8 RGB, anti-aliased, the same bytes for the same scene."""
    canvas = np.empty((CANVAS, CANVAS, 3))
    canvas[:] = scene.background
    for thing in scene.things:
        # Only the box of the thing is computed: its corner is moved to whole pixels first.
        left, top = int(thing.x - thing.radius) - 1, int(thing.y - thing.radius) - 1
        left, top = max(left, 0), max(top, 0)
        side = min(int(2 * thing.radius) + 4, CANVAS)
        local = Thing(thing.shape, thing.colour, thing.size, thing.x - left, thing.y - top, thing.radius)
        box = canvas[top : top + side, left : left + side]
        share = coverage(local, side)[: box.shape[0], : box.shape[1], None]
        box += share * (np.array(COLOURS[thing.colour]) - box)
    return np.floor(canvas + 0.5).astype(np.uint8)
