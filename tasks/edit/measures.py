"""The measures of edited images, each adding its columns to the values of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from evalsuite.errors import DataError
from evalsuite.request import ImageResponse
from evalsuite.task import FORMULAS, Answered
from evalsuite.task.features import (
    current_keeper,
    digest_of,
    joint_key,
    kept_each,
    kept_rows,
    kind_of,
)
from evalsuite.task.metrics import mse, pixel_distance, psnr, ssim
from evalsuite.task.networks import Columns, cosines, image_features, text_features

from .settings import ColumnSettings

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

    from evalsuite.task.features import PairNetwork

    from .scoring import Result

Values = dict[int, dict[str, float]]
"""By position in the batch, the values of the columns."""
Lacking = dict[str, dict[int, str]]
"""By column, of the positions without a value, the reason."""

_Found = TypeVar("_Found")

QUALITIES = {"PSNR": psnr, "MSE": mse, "SSIM": ssim}
PAIRS = ("LPIPS", "structure")
OF_SOURCE = (*QUALITIES, *PAIRS, "source text", "direction")
"""Measures that always look at the source."""
FEATURES = ("image", "text", "source text", "target text", "direction")
"""Measures in the features of a network."""

_OF_TEXT = {"source text": "source", "target text": "target"}
"""Whose image is compared with its description, where it is not the result's."""


def needs(how: ColumnSettings) -> set[str]:
    """What of an edit a column looks at beside the result: some of source, target, mask."""
    found = set()
    if how.measure in OF_SOURCE or how.region != "whole":
        found.add("source")
    if how.measure in ("L1", "L2", "image"):
        found.add(how.against)
    if how.measure == "target text":
        found.add("target")
    if how.region != "whole":
        found.add("mask")
    return found


def of_pixels(how: Mapping[str, ColumnSettings], result: Result) -> dict[str, float]:
    """The columns that need no network. Raises SampleError where there is nothing to compare a result with.

    A column whose region is empty has no value, nor has PSNR of equal images, which is infinite.
    """
    import numpy as np

    values: dict[str, float] = {}
    for name, column in how.items():
        if column.measure in ("L1", "L2"):
            beside = np.asarray(result.beside(column.against))
            distances = pixel_distance(np.asarray(result.drawn), beside)
            values[name] = distances.l1 if column.measure == "L1" else distances.l2
        elif column.measure in QUALITIES:
            keep = region(result, column.region)
            if keep is not None and not keep.any():
                continue
            source = result.beside("source")
            pair = np.asarray(_fitted(result.drawn, source)), np.asarray(source)
            value = QUALITIES[column.measure](*pair, keep)
            if np.isfinite(value):
                values[name] = value
    return values


def add_features(
    columns: Columns, how: Mapping[str, ColumnSettings], results: Mapping[int, Result], values: Values
) -> Lacking:
    """The columns in the features of networks; each network sees each image and text once.

    Returns:
        By column, position -> reason, of the results that have no value because the column's network does not
        take one of their images (of such a size, say).
    """
    lacking: Lacking = {}
    for key in sorted({column.network for column in how.values() if column.measure in FEATURES}):
        wanted = {name: one for name, one in how.items() if one.network == key and one.measure in FEATURES}
        found, refused = _of_taken(partial(_likenesses, columns, key, wanted), results)
        for name, likenesses in found.items():
            lacking[name] = refused
            for i, value in likenesses.items():
                values[i][name] = value
    return lacking


def _likenesses(
    columns: Columns, key: str, wanted: Mapping[str, ColumnSettings], results: Mapping[int, Result]
) -> dict[str, dict[int, float]]:
    """By column of one network, value by position. Raises DataError for an image that it does not take."""
    seen = _Seen(columns, key, results)
    return {name: seen.column(column) if results else {} for name, column in wanted.items()}


def _of_taken(
    compute: Callable[[Mapping[int, Result]], _Found], results: Mapping[int, Result]
) -> tuple[_Found, dict[int, str]]:
    """What is computed of the results whose images a network takes; of the others, the reason by position.

    All are computed together; only where that fails is each tried alone.
    """
    try:
        return compute(results), {}
    except DataError:
        refused = {}
        for i, result in results.items():
            try:
                compute({i: result})
            except DataError as error:
                refused[i] = str(error)
        if not refused:
            raise
        return compute({i: result for i, result in results.items() if i not in refused}), refused


class _Seen:
    """What one network sees of a batch, each kind of image and text once."""

    def __init__(self, columns: Columns, key: str, results: Mapping[int, Result]) -> None:
        self._columns, self._key, self._results = columns, key, results
        self._kept: dict[tuple[str, str], np.ndarray] = {}

    def column(self, how: ColumnSettings) -> dict[int, float]:
        """Value by position in the batch."""
        found: dict[int, float] = {}
        places = list(self._results)
        if how.measure == "image":
            likeness = cosines(self._images("drawn"), self._images(how.against))
        elif how.measure == "direction":
            changes = (
                self._unit(self._images("drawn")) - self._unit(self._images("source")),
                self._unit(self._texts("description")) - self._unit(self._texts("source_description")),
            )
            likeness = cosines(*changes)
        else:
            formula = FORMULAS[how.formula]
            which = _OF_TEXT.get(how.measure, "drawn" if how.region == "whole" else how.region)
            described = "source_description" if how.measure == "source text" else "description"
            texts = self._texts(described, formula.prefix)
            network = self._columns.text_network(self._key)
            likeness = formula.of(cosines(self._images(which), texts), network)
        for at, i in enumerate(places):
            keep = region(self._results[i], how.region)
            if keep is None or keep.any():
                found[i] = float(likeness[at])
        return found

    def _images(self, which: str) -> np.ndarray:
        if ("image", which) not in self._kept:
            network, results = self._columns.network(self._key), list(self._results.values())
            self._kept["image", which] = kept_rows(
                kind_of(network, "features", "image", network.dim),
                [_key(result, which) for result in results],
                lambda: network.images([_image(result, which) for result in results]),
            )
        return self._kept["image", which]

    def _texts(self, which: str, prefix: str = "") -> np.ndarray:
        kind = f"{prefix}{which}"
        if ("text", kind) not in self._kept:
            texts = [prefix + getattr(result.turn, which) for result in self._results.values()]
            self._kept["text", kind] = text_features(self._columns.text_network(self._key), texts)
        return self._kept["text", kind]

    @staticmethod
    def _unit(vectors: np.ndarray) -> np.ndarray:
        import numpy as np

        wide = vectors.astype(np.float64)
        unit: np.ndarray = wide / np.maximum(
            np.linalg.norm(wide, axis=1, keepdims=True), np.finfo(np.float64).tiny
        )
        return unit


def add_distances(
    columns: Columns, how: Mapping[str, ColumnSettings], results: Mapping[int, Result], values: Values
) -> Lacking:
    """The columns of networks that compare pairs: result and source, one region kept, the rest black.

    Returns:
        As of `add_features`.
    """
    lacking: Lacking = {}
    for name, column in how.items():
        if column.measure in PAIRS:
            network = columns.pair_network(column.network)
            found, lacking[name] = _of_taken(partial(_distances, network, column.region), results)
            for i, distance in found.items():
                values[i][name] = distance
    return lacking


def _distances(network: PairNetwork, part: str, results: Mapping[int, Result]) -> dict[int, float]:
    """Distance by position. Raises DataError for an image that the network does not take."""
    kind = kind_of(network, "distances", "two images and a region", 1, "<f8")
    seen = {}
    for i, result in results.items():
        keep = region(result, part)
        if keep is None or keep.any():
            seen[i] = result
    pairs = list(seen.values())
    keys = [joint_key(_key(pair, "drawn"), _key(pair, "source"), _part(pair, part)) for pair in pairs]
    distances = kept_each(kind, keys, lambda at: _distance(network, pairs[at], part))
    return {i: float(distance) for i, distance in zip(seen, distances[:, 0], strict=True)}


def _distance(network: PairNetwork, result: Result, part: str) -> np.ndarray:
    """(1,) distance of a result to its source, one region kept, the rest black."""
    import numpy as np

    source, keep = result.beside("source"), region(result, part)
    pair = [np.asarray(p) for p in (_fitted(result.drawn, source), source)]
    first, second = ((p if keep is None else p * keep[..., None])[None] / 255 for p in pair)
    return network.distances_of_arrays(first, second)


def ask_workers(
    columns: Columns, how: Mapping[str, ColumnSettings], answered: Sequence[Answered], block: int
) -> None:
    """Has the workers of the run, where there are some, compute what networks see of whole images."""
    if current_keeper().workers is None:
        return
    whole = [
        one for one in answered if isinstance(one.response, ImageResponse) and len(one.response.images) == 1
    ]
    for key in sorted({column.network for column in how.values() if column.measure in FEATURES}):
        wanted = {
            which
            for column in how.values()
            if column.network == key
            for which in ({"drawn"} | (needs(column) & {"source", "target"}))
        }
        for which in sorted(wanted):
            files = [
                one.response.images[0] if which == "drawn" else getattr(one.sample.record.turns[-1], which)
                for one in whole
            ]
            image_features({key: columns.network(key)}, [f for f in files if f is not None], block=block)


def _key(result: Result, which: str) -> bytes:
    """Under what features of `_image` are kept."""
    if which in ("drawn", "source", "target"):
        return bytes.fromhex(result.file(which).sha256())
    return joint_key(_key(result, "drawn"), _key(result, "source"), _part(result, which))


def _part(result: Result, name: str) -> bytes:
    """What identifies a region of a result."""
    keep = region(result, name)
    return name.encode() + (b"" if keep is None else digest_of(keep))


def region(result: Result, name: str) -> np.ndarray | None:
    """(height, width) 0/1 of what is kept; None: the whole image."""
    if name == "whole" or result.mask is None:
        return None
    return result.mask if name == "edited" else 1 - result.mask


def _image(result: Result, which: str) -> PilImage:
    """The result, what it is compared with, or one region of the result with the rest black."""
    if which == "drawn":
        return result.drawn
    if which in ("source", "target"):
        return result.beside(which)
    import numpy as np
    from PIL import Image

    keep = region(result, which)
    fitted = _fitted(result.drawn, result.beside("source"))
    return fitted if keep is None else Image.fromarray(np.asarray(fitted) * keep[..., None].astype(np.uint8))


def _fitted(drawn: PilImage, source: PilImage) -> Any:
    """The result in the size of its source: results of another size are scaled, bicubic."""
    from PIL import Image

    return drawn if drawn.size == source.size else drawn.resize(source.size, Image.Resampling.BICUBIC)
