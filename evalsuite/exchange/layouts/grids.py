"""Four images as one file, two by two, and back."""

from __future__ import annotations

import io
from collections.abc import Sequence

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import DataError, SampleError


def as_png(image: Image) -> bytes:
    """The pixels as PNG; a file that is PNG already stays as it is. Raises DataError for a broken image."""
    data = image.read()
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    stream = io.BytesIO()
    decode(image).save(stream, "PNG")
    return stream.getvalue()


def make_grid(images: Sequence[Image], suffix: str) -> bytes:
    """A file of four tiles, top left, top right, bottom left, bottom right; WebP without loss where the
    suffix says so, else PNG.

    Raises DataError for a broken image, and for images of different sizes.
    """
    from PIL import Image as pil

    tiles = [decode(image) for image in images]
    sizes = {tile.size for tile in tiles}
    if len(sizes) != 1:
        told = ", ".join(f"{width}×{height}" for width, height in sorted(sizes))
        raise DataError(f"The images are of different sizes ({told}).", "A grid needs tiles of one size.")
    width, height = tiles[0].size
    grid = pil.new("RGB", (2 * width, 2 * height))
    for place, tile in enumerate(tiles):
        grid.paste(tile, (place % 2 * width, place // 2 * height))
    stream = io.BytesIO()
    if suffix == ".webp":
        # `exact` keeps every pixel; webp's method 6 would take minutes for what 0 stores a bit larger.
        grid.save(stream, "WEBP", lossless=True, exact=True, method=0)
    else:
        grid.save(stream, "PNG")
    return stream.getvalue()


def split_grid(image: Image, *, black: bool) -> list[Image]:
    """The four tiles as PNG, in the order of `make_grid`.

    Args:
        black: a tile that is wholly black is an image, too.

    Raises:
        DataError: the file cannot be decoded.
        SampleError: no grid of 2×2, or a tile is missing.
    """
    grid = decode(image)
    if grid.width % 2 or grid.height % 2:
        raise SampleError(f"{image.label} is {grid.width}×{grid.height}: no grid of 2×2 equal tiles.")
    width, height = grid.width // 2, grid.height // 2
    tiles: list[Image] = []
    for place in range(4):
        left, top = place % 2 * width, place // 2 * height
        tile = grid.crop((left, top, left + width, top + height))
        if not black and tile.getbbox() is None:
            raise SampleError(f"Tile {place + 1} of {image.label} is wholly black: its image is missing.")
        stream = io.BytesIO()
        tile.save(stream, "PNG")
        tiles.append(Image(stream.getvalue(), name=f"{image.label}, tile {place + 1}"))
    return tiles
