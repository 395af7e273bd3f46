"""Boxes in answers: what a text names, in pixels, and how well a box fits (RefCOCO's comprehension).

No benchmark says how an answer is to be read; the conventions of models do, by name:

* ``qwen-vl``: `(x1,y1),(x2,y2)` from 0 to 999 (QwenLM/Qwen-VL `eval_mm/evaluate_grounding.py`);
* ``internvl``: `[[x1, y1, x2, y2]]`, from 0 to 1000 where they sum to 4 or more, else from 0 to 1
  (OpenGVLab/InternVL `internvl_chat/eval/refcoco/evaluate_grounding.py`);
* ``unit``: the first `[x1, y1, x2, y2]`, from 0 to 1 (lmms-eval `lmms_eval/tasks/refcoco/utils_rec.py`);
* ``json-pixels``: every box in JSON, or in text, in pixels (lmms-eval
`lmms_eval/tasks/refcoco_grounding/utils.py`);
* ``json``: the same, each box also taken as from 0 to 1000 (what that task scores).

Numbers are 32-bit for the first two, as there: boxes and IoU equal the named code on every recorded answer
(tests/golden/test_refcoco.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOX_FORMS", "SINGLE_PRECISION", "Box", "boxes_in", "center_inside", "iou"]

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2: left, top, right, bottom."""
_Float = np.float32
_QWEN = re.compile(r"\((.*?)\),\((.*?)\)")
_INTERNVL = re.compile(r"\[*\[(.*?),(.*?),(.*?),(.*?)\]\]*")
_N = r"(-?\d+(?:\.\d+)?)"
_UNIT = re.compile(rf"\[\s*{_N},\s*{_N},\s*{_N},\s*{_N}\s*\]")
_LOOSE = re.compile(rf"\[?\s*{_N}\s*[,\s]\s*{_N}\s*[,\s]\s*{_N}\s*[,\s]\s*{_N}\s*\]?")
_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)
_KEYS = ("bbox_2d", "bbox", "box", "coordinates", "coord", "location", "position")
_INTERNVL_UNIT_SUM = 4


def _scaled(numbers: Sequence[float], over: float, width: float, height: float) -> Box:
    found = np.asarray(numbers, dtype=_Float) / _Float(over)
    found[0::2] *= _Float(width)
    found[1::2] *= _Float(height)
    x1, y1, x2, y2 = map(float, found)
    return x1, y1, x2, y2


def _qwen_vl(text: str, width: float, height: float) -> list[Box]:
    found = _QWEN.search(text)
    if not found or "," not in found[1] or "," not in found[2]:
        return []
    try:
        (x1, y1), (x2, y2) = (map(float, pair.split(",")) for pair in found.groups())
    except ValueError:
        return []
    return [_scaled((x1, y1, x2, y2), 999, width, height)]


def _internvl(text: str, width: float, height: float) -> list[Box]:
    found = _INTERNVL.search(text)
    try:
        numbers = [float(one) for one in found.groups()] if found else []
    except ValueError:
        return []
    if not numbers:
        return []
    over = 1000 if np.asarray(numbers, dtype=_Float).sum() >= _INTERNVL_UNIT_SUM else 1
    return [_scaled(numbers, over, width, height)]


def _unit(text: str, width: float, height: float) -> list[Box]:
    found = _UNIT.search(text)
    return [_scaled([float(one) for one in found.groups()], 1, width, height)] if found else []


def _json_pixels(text: str, width: float, height: float) -> list[Box]:
    return [*_of_json(_parsed(text))] or [
        (float(a), float(b), float(c), float(d)) for a, b, c, d in _LOOSE.findall(text)
    ]


def _json(text: str, width: float, height: float) -> list[Box]:
    found: list[Box] = []
    for box in _json_pixels(text, width, height):
        x1, y1, x2, y2 = (number / 1000 for number in box)
        found += [box, (x1 * width, y1 * height, x2 * width, y2 * height)]
    return found


def _parsed(text: str) -> Any:
    text = text.strip()
    fenced = _FENCED.search(text)
    inner = [
        text[text.find(a) : text.rfind(b) + 1] for a, b in ("[]", "{}") if -1 < text.find(a) < text.rfind(b)
    ]
    for one in (*([fenced[1]] if fenced else []), text, *inner):
        try:
            return json.loads(one)
        except (ValueError, RecursionError):
            continue
    return None


def _of_json(value: Any) -> Iterator[Box]:
    if isinstance(value, list):
        if len(value) == 4 and all(isinstance(one, int | float) for one in value):
            yield _four(value)
        else:
            for one in value:
                yield from _of_json(one)
    elif isinstance(value, dict):
        for key in _KEYS:
            if isinstance(value.get(key), list) and len(value[key]) == 4:
                try:
                    box = _four(value[key])
                except (TypeError, ValueError):
                    continue
                yield box
                return
        for one in value.values():
            yield from _of_json(one)


def _four(values: Sequence[Any]) -> Box:
    x1, y1, x2, y2 = map(float, values)
    return x1, y1, x2, y2


BOX_FORMS: Mapping[str, Callable[[str, float, float], list[Box]]] = MappingProxyType(
    {"qwen-vl": _qwen_vl, "internvl": _internvl, "unit": _unit, "json-pixels": _json_pixels, "json": _json}
)


SINGLE_PRECISION = frozenset({"qwen-vl", "internvl"})
"""Forms whose programs compute in 32 bits."""


def boxes_in(text: str, form: str, width: float, height: float) -> list[Box]:
    """The boxes that an answer names, in pixels; none where it names none in that form.

    Args:
        form: a name in `BOX_FORMS`.
        width, height: of the image, pixels.

    >>> boxes_in("(0,0),(999,500)", "qwen-vl", 640, 480)[0][2]
    640.0
    """
    return BOX_FORMS[form](text, width, height)


def iou(one: Box, other: Box, *, bits: int = 32) -> float:
    """Intersection over union in [0, 1] of two boxes; 0 where one of them is no box (its corners are not in
    order, or its area is 0).

    Args:
        bits: of the numbers: 32 as Qwen-VL and InternVL compute it, 64 as lmms-eval does.

    >>> iou((0, 0, 2, 2), (1, 0, 3, 2), bits=64)  # doctest: +ELLIPSIS
    0.3333...
    """
    kind = np.float32 if bits == 32 else np.float64
    a, b = np.asarray(one, dtype=kind), np.asarray(other, dtype=kind)
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    shared = sides[0] * sides[1]
    union = _area(a) + _area(b) - shared
    with np.errstate(divide="ignore", invalid="ignore"):
        found = float(shared / union)
    return found if 0 <= found <= 1 else 0.0


def center_inside(box: Box, truth: Box) -> bool:
    """Whether the middle of a box lies in the right one."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return truth[0] <= x <= truth[2] and truth[1] <= y <= truth[3]


def _area(box: NDArray[Any]) -> Any:
    return (box[2] - box[0]) * (box[3] - box[1])
