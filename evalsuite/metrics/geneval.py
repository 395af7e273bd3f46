"""GenEval: does an image show what its prompt asks for, judged from detected objects (djghosh13/geneval).

Detector and colour classifier are models and not here; this is everything after them: which detections count,
the verdict with its reason, and the summary. Boxes and scores are compared in float32, as in
`evaluate_images.py`, because scores of exactly 0.3 or 0.9 occur.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalsuite.errors import DataError, SampleError

__all__ = ["COLORS", "Detection", "GenEvalSummary", "Verdict", "keep_detections", "summarize", "verdict"]

COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
"""What the colour classifier chooses from."""

_THRESHOLD = np.float32(0.3)
_COUNTING_THRESHOLD = np.float32(0.9)
_MOST_PER_CLASS = 16
_POSITION_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Detection:
    """One detected object.

    Args:
        box: x1, y1, x2, y2 in pixels.
        score: the detector's confidence.
        color: one of `COLORS`; needed only where the prompt names a colour.
    """

    box: tuple[float, float, float, float]
    score: float
    color: str | None = None


Detections = Mapping[str, Sequence[Detection]]


def keep_detections(detections: Detections, *, counting: bool) -> dict[str, list[Detection]]:
    """The detections that count, best first, by class.

    Args:
        detections: class -> detections of it.
        counting: whether the prompt is of the counting task. Scores must be above 0.9 there, 0.3 elsewhere;
            at most 16 of a class are kept.
    """
    threshold = _COUNTING_THRESHOLD if counting else _THRESHOLD
    kept = {}
    for name, found in detections.items():
        scores = np.array([detection.score for detection in found], dtype=np.float32)
        order = [index for index in np.argsort(scores)[::-1] if scores[index] > threshold]
        if order:
            kept[name] = [found[index] for index in order[:_MOST_PER_CLASS]]
    return kept


def _relations(first: Detection, second: Detection) -> set[str]:
    boxes = np.array([first.box, second.box], dtype=np.float32).reshape(2, 2, 2)
    centre_first, centre_second = boxes.mean(axis=1)
    size_first, size_second = np.abs(boxes[:, 1] - boxes[:, 0])
    offset = centre_first - centre_second
    # Objects must be apart by more than a tenth of their sizes; the direction is then that of the rest,
    # measured by the whole distance.
    apart = np.maximum(np.abs(offset) - _POSITION_SHARE * (size_first + size_second), 0) * np.sign(offset)
    if np.all(np.abs(apart) < 1e-3):
        return set()
    across, down = apart / np.linalg.norm(offset)
    names = {"left of": across < -0.5, "right of": across > 0.5, "above": down < -0.5, "below": down > 0.5}
    return {name for name, holds in names.items() if holds}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an image is correct, and a line for each reason why not."""

    correct: bool
    reasons: tuple[str, ...]


def verdict(kept: Detections, metadata: Mapping[str, Any]) -> Verdict:
    """The verdict on one image.

    Args:
        kept: what `keep_detections` left; only the first `count` of a class are looked at, and they need a
            colour where the prompt names one.
        metadata: the prompt's line of `evaluation_metadata.jsonl`: "include" and "exclude" lists of
            {"class", "count", "color"?, "position"? (relation, index of an earlier include)}.

    Raises:
        DataError: a detection has no colour where the prompt names one.
    """
    reasons: list[str] = []
    groups: list[Sequence[Detection] | None] = []
    for wanted in metadata.get("include", []):
        name, count = wanted["class"], wanted["count"]
        found = list(kept.get(name, ()))[:count]
        wrong = _count_and_color(found, wanted)
        if "position" in wanted and wrong is None:
            relation, target = wanted["position"]
            wrong = _position(found, groups[target], name, relation)
        if wrong is not None:
            reasons.append(wrong)
        groups.append(found if wrong is None else None)
    for unwanted in metadata.get("exclude", []):
        name, count = unwanted["class"], unwanted["count"]
        if len(kept.get(name, ())) >= count:
            reasons.append(f"expected {name}<{count}, found {len(kept.get(name, ()))}")
    return Verdict(not reasons, tuple(reasons))


def _count_and_color(found: Sequence[Detection], wanted: Mapping[str, Any]) -> str | None:
    name, count = wanted["class"], wanted["count"]
    if len(found) < count:
        return f"expected {name}>={count}, found {len(found)}"
    if "color" not in wanted:
        return None
    colors = [detection.color for detection in found]
    if None in colors:
        raise DataError(f"A detected {name} has no colour, and the prompt asks for {wanted['color']}.")
    right = colors.count(wanted["color"])
    if right >= count:
        return None
    listed = ", ".join(f"{colors.count(color)} {color}" for color in COLORS if color in colors)
    return f"expected {wanted['color']} {name}>={count}, found {right} {wanted['color']}; and {listed}"


def _position(
    found: Sequence[Detection], targets: Sequence[Detection] | None, name: str, relation: str
) -> str | None:
    if targets is None:
        return f"no target for {name} to be {relation}"
    for detection in found:
        for target in targets:
            relations = _relations(detection, target)
            if relation not in relations:
                return f"expected {name} {relation} target, found {' and '.join(sorted(relations))} target"
    return None


@dataclass(frozen=True, slots=True)
class GenEvalSummary:
    """Shares of correct images, in [0, 1].

    Args:
        images: over all images.
        prompts: over prompts, of those with at least one right image.
        tasks: tag -> share of its images.
        overall: the published score, the plain mean over `tasks` (not over images).
    """

    images: float
    prompts: float
    tasks: Mapping[str, float]
    overall: float


def summarize(correct: Sequence[bool], tags: Sequence[str], prompts: Sequence[str]) -> GenEvalSummary:
    """The official summary of a set of images (djghosh13/geneval `summary_scores.py`).

    Args:
        correct: whether each image is right (`verdict`), N values.
        tags: the task of each image, e.g. "two_object".
        prompts: the prompt of each image; images of one prompt have equal entries.

    Raises:
        SampleError: no images.
    """
    if not correct:
        raise SampleError("A GenEval summary needs at least one image.")
    of_tag: dict[str, list[bool]] = {}
    of_prompt: dict[str, bool] = {}
    for right, tag, prompt in zip(correct, tags, prompts, strict=True):
        of_tag.setdefault(tag, []).append(right)
        of_prompt[prompt] = of_prompt.get(prompt, False) or right
    tasks = {tag: sum(values) / len(values) for tag, values in of_tag.items()}
    return GenEvalSummary(
        images=sum(correct) / len(correct),
        prompts=sum(of_prompt.values()) / len(of_prompt),
        tasks=tasks,
        overall=sum(tasks.values()) / len(tasks),
    )
