"""Where detections come from: a file that was made elsewhere, a detector plugin, or the miniature's pixels.

GenEval's own detector (Mask2Former with a Swin-S backbone on COCO, mmdetection 2) cannot be installed beside
current libraries, so it is not here. Either run it where it lives and write what it found into a file, or
name a plugin: a function without arguments that gives a `Detector`, registered as an entry point of the group
`evalsuite.detectors` or written `package.module:function`.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evalsuite.content import Image
from evalsuite.errors import DataError, SampleError, SpecError, suggest
from evalsuite.task.metrics import COLORS, Detection
from evalsuite.task.readers import read_lines, sha256_of

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

GROUP = "evalsuite.detectors"


@dataclass(frozen=True, slots=True)
class Found:
    """A detected object.

    Args:
        detection: box, score, and its colour where the detector gives one.
        mask: (height, width) of the image, True on the object; None where the detector gives none. The
            colour classifier greys out everything else.
    """

    detection: Detection
    mask: np.ndarray | None = field(default=None, repr=False)


@runtime_checkable
class Detector(Protocol):
    """Finds objects in images."""

    @property
    def name(self) -> str:
        """With version and weights, as scores record it."""
        ...

    @property
    def tells_colors(self) -> bool:
        """Whether it gives colours itself, so that no classifier is needed."""
        ...

    def detect(self, image: Image, pixels: PilImage) -> Mapping[str, Sequence[Found]]:
        """Class name -> objects; all of them, thresholds come later.

        Args:
            image: the encoded file, for detectors that know it already.
            pixels: the same image decoded, RGB.

        Raises SampleError for an image about which nothing can be said.
        """
        ...


class FileDetections:
    """Detections of a JSON-lines file, made elsewhere.

    A line: `{"image": sha256 of the image's file, "detections": {class: [[x1, y1, x2, y2, score], …]}}`,
    with the colour as a sixth element where it was classified there too.

    Raises DataError for a malformed line or an image that occurs twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, dict[str, list[Found]]] = {}
        colors = True
        for number, row in read_lines(path):
            where = f"{path}, line {number}"
            name, detections = row.get("image"), row.get("detections")
            if not isinstance(name, str) or not isinstance(detections, dict):
                raise DataError(f"{where} has no image and detections.", "See the docs on creation.")
            if name in self._found:
                raise DataError(f"{where}: image {name} occurs twice.", "Remove one of the two.")
            if not all(isinstance(boxes, list) for boxes in detections.values()):
                raise DataError(f"{where}: a class has no list of detections.", "Write {class: [[…], …]}.")
            self._found[name] = {
                kind: [Found(_detection(box, where)) for box in boxes] for kind, boxes in detections.items()
            }
            colors &= all(
                one.detection.color is not None for found in self._found[name].values() for one in found
            )
        self.tells_colors = colors
        self.name = f"detections {sha256_of(path)[:12]}"

    def detect(self, image: Image, pixels: PilImage) -> Mapping[str, Sequence[Found]]:
        digest = image.sha256()
        if digest not in self._found:
            raise SampleError(f"{self._path} says nothing about the image {digest[:12]}…")
        return self._found[digest]


def _detection(box: Any, where: str) -> Detection:
    if not isinstance(box, list) or len(box) not in (5, 6):
        raise DataError(f"{where}: {json.dumps(box)} is not a detection.", "Write [x1, y1, x2, y2, score].")
    try:
        x1, y1, x2, y2, score = (float(value) for value in box[:5])
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {json.dumps(box)} is not a detection.", "Write five numbers.") from error
    if not all(map(math.isfinite, (x1, y1, x2, y2, score))):
        raise DataError(f"{where}: {json.dumps(box)} is not a detection.", "Write five finite numbers.")
    color = box[5] if len(box) == 6 else None
    if color is not None and color not in COLORS:
        raise DataError(f"{where}: there is no colour {color!r}.", f"Known: {', '.join(COLORS)}.")
    return Detection((x1, y1, x2, y2), score, color)


class MiniWorldDetector:
    """The miniature's exact detector: shapes are classes, every detection is sure."""

    name = "mini-world pixels"
    tells_colors = True

    def detect(self, image: Image, pixels: PilImage) -> Mapping[str, Sequence[Found]]:
        import numpy as np
        from PIL import Image as pil

        from evalsuite.task.miniature import CANVAS, detect

        if pixels.size != (CANVAS, CANVAS):
            pixels = pixels.resize((CANVAS, CANVAS), pil.Resampling.BICUBIC)
        found: dict[str, list[Found]] = {}
        for one in detect(np.asarray(pixels)):
            found.setdefault(one.shape, []).append(Found(Detection(one.box, 1.0, one.colour)))
        return found


BUILT_IN: Mapping[str, Callable[[], Detector]] = MappingProxyType({"mini-world": MiniWorldDetector})


def load_detector(name: str) -> Detector:
    """The detector of that name: built in, an installed entry point, or `package.module:function`.

    Raises SpecError where there is none, or what is there is no detector.
    """
    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    make: Any
    if name in BUILT_IN:
        make = BUILT_IN[name]
    elif name in points:
        make = points[name].load()
    elif ":" in name:
        module, _, attribute = name.partition(":")
        try:
            make = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise SpecError(
                f"The detector {name} cannot be loaded ({error}).", "Check module and function."
            ) from error
    else:
        raise SpecError(f"There is no detector {name!r}.", suggest(name, [*BUILT_IN, *points]))
    made = make()
    if not isinstance(made, Detector):
        raise SpecError(f"The detector {name} lacks name, tells_colors or detect.", "See its protocol.")
    return made


def with_color(found: Found, color: str) -> Found:
    """The same object with its colour."""
    return replace(found, detection=replace(found.detection, color=color))
