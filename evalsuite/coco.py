"""pycocotools' objects and result files, in and out: captions, detections, masks in its run-length encoding.

Needs the extra: `pip install "evalsuite[coco]"`. Caption results of a run are written by
`evalsuite export --format coco` and read by `evalsuite import`; `COCO.loadRes` takes the same file.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.data.coco import Captioned, captions_in
from evalsuite.errors import DataError, SampleError, UnavailableError, text_of
from evalsuite.metrics.geneval import Detection

if TYPE_CHECKING:
    import numpy as np
    from pycocotools.coco import COCO

__all__ = [
    "DetectedObject",
    "captions_from_coco",
    "captions_to_coco",
    "decode_rle",
    "detection_results",
    "detections_from_results",
    "encode_rle",
]


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """An object of one class in one image.

    Args:
        detection: box (corners, in pixels), score, colour where it is known.
        mask: (height, width) bool, True on the object; None where there is none.
    """

    detection: Detection
    mask: np.ndarray | None = field(default=None, repr=False)


def captions_from_coco(coco: COCO, images: Path | tuple[Path, ...]) -> Iterator[Captioned]:
    """The images of a COCO object with their captions, as `read_captions` gives those of its file.

    Args:
        coco: of a captions file.
        images: the folder or folders of the image files.

    Raises:
        DataError: as `read_captions`.
    """
    yield from captions_in(coco.dataset, images, "the COCO object")


def captions_to_coco(captioned: Iterable[Captioned]) -> COCO:
    """A COCO object of images with captions, for `loadRes` and `COCOEvalCap`.

    Raises:
        DataError: an id is no number.
        UnavailableError: pycocotools is not installed.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for one in captioned:
        number = _number(one.id)
        size = {"width": one.width, "height": one.height}
        images.append({"id": number, "file_name": one.image.label, **size, **dict(one.labels)})
        for caption in one.captions:
            annotations.append({"id": len(annotations) + 1, "image_id": number, "caption": caption})
    coco: COCO = _module("pycocotools.coco").COCO()
    coco.dataset = {"info": {}, "images": images, "annotations": annotations}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how it builds its index
        coco.createIndex()
    return coco


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's compressed run lengths, JSON-able: `{"size": [height, width], "counts": text}`.

    Raises:
        SampleError: not two-dimensional.
        UnavailableError: pycocotools is not installed.
    """
    import numpy as np

    if mask.ndim != 2:
        raise SampleError(f"A mask has shape (height, width), not {mask.shape}.")
    found = _module("pycocotools.mask").encode(np.asfortranarray(mask != 0, dtype=np.uint8))
    return {"size": [int(side) for side in found["size"]], "counts": found["counts"].decode("ascii")}


def decode_rle(segmentation: Mapping[str, Any]) -> np.ndarray:
    """(height, width) bool of a run-length encoding, compressed (`counts` is text) or not (a list).

    Raises:
        DataError: it is neither.
        UnavailableError: pycocotools is not installed.
    """
    library = _module("pycocotools.mask")
    try:
        size, counts = [int(side) for side in segmentation["size"]], segmentation["counts"]
        if isinstance(counts, list):
            if len(size) != 2 or sum(counts) != size[0] * size[1]:
                raise ValueError(f"runs of {sum(counts)} pixels in an image of {size}")
            given = library.frPyObjects({"size": size, "counts": counts}, *size)
        else:
            given = {"size": size, "counts": counts.encode("ascii") if isinstance(counts, str) else counts}
        mask: np.ndarray = library.decode(given).astype(bool)
    except (KeyError, TypeError, ValueError, AttributeError, UnicodeError) as error:
        raise DataError(
            f"This is no run-length encoding: {text_of(error)}.", 'It is {"size": [h, w], "counts": …}.'
        ) from error
    return mask


def detection_results(
    image_id: int, found: Mapping[str, Sequence[DetectedObject]], categories: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The rows of COCO's detection results for one image, for `COCO.loadRes` and `COCOeval`.

    Args:
        image_id: the image's number.
        found: class name -> objects.
        categories: class name -> category id.

    Returns:
        `{image_id, category_id, bbox: [x, y, width, height], score, segmentation?, color?}`, in pixels.

    Raises:
        DataError: a class has no category id.
    """
    rows = []
    for name, objects in found.items():
        if name not in categories:
            raise DataError(f"The class {name!r} has no category id.", "Name it in `categories`.")
        for one in objects:
            left, top, right, bottom = one.detection.box
            row: dict[str, Any] = {
                "image_id": image_id,
                "category_id": categories[name],
                "bbox": [left, top, right - left, bottom - top],
                "score": one.detection.score,
            }
            if one.mask is not None:
                row["segmentation"] = encode_rle(one.mask)
            if one.detection.color is not None:
                row["color"] = one.detection.color
            rows.append(row)
    return rows


def detections_from_results(
    rows: Iterable[Mapping[str, Any]], categories: Mapping[str, int]
) -> dict[int, dict[str, list[DetectedObject]]]:
    """Detections by image and class, of the rows of a results file.

    Args:
        rows: as `detection_results` gives them.
        categories: class name -> category id.

    Raises:
        DataError: a row lacks a field, or names a category that is not there.
    """
    names = {number: name for name, number in categories.items()}
    found: dict[int, dict[str, list[DetectedObject]]] = {}
    for position, row in enumerate(rows):
        try:
            left, top, width, height = map(float, row["bbox"])
            image, name, score = int(row["image_id"]), names[row["category_id"]], float(row["score"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"Detection result {position} has no usable {text_of(error)}.",
                "A row has image_id, category_id (of `categories`), bbox [x, y, width, height] and score.",
            ) from error
        box = (left, top, left + width, top + height)
        segmentation = row.get("segmentation")
        mask = decode_rle(segmentation) if isinstance(segmentation, Mapping) else None
        one = DetectedObject(Detection(box, score, row.get("color")), mask)
        found.setdefault(image, {}).setdefault(name, []).append(one)
    return found


def _number(name: str) -> int:
    try:
        return int(name)
    except ValueError:
        raise DataError(f"The image id {name!r} is no number, as COCO's are.", "Number the images.") from None


def _module(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise UnavailableError(
            "COCO's objects need the package pycocotools.", 'pip install "evalsuite[coco]"'
        ) from error
