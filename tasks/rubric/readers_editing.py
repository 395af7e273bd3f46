"""Items of KRIS-Bench, Complex-Edit and DreamBench++ from their official files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import field, find_image, image_cell, read_json, read_table

from .records import Exhibit, RubricItem, RubricQuestion

_WRONG_FILE = "Is this the benchmark's file?"

_TYPES = {
    "Attribute Perception": "count_change color_change size_adjustment part_completion anomaly_correction",
    "Spatial Perception": "viewpoint_change position_movement",
    "Temporal Prediction": "temporal_prediction",
    "Social Science": "humanities practical_knowledge",
    "Natural Science": "biology chemistry geography medicine mathematics physics",
    "Logical Reasoning": "abstract_reasoning rule-based_reasoning",
    "Instruction Decomposition": "multi-element_composition multi-instruction_execution",
}
_KNOWLEDGE = {
    "Factual Knowledge": ("Attribute Perception", "Spatial Perception", "Temporal Prediction"),
    "Conceptual Knowledge": ("Social Science", "Natural Science"),
    "Procedural Knowledge": ("Logical Reasoning", "Instruction Decomposition"),
}
_EXPLAINED = ("Social Science", "Natural Science", "Logical Reasoning")
"""Types that are asked about knowledge, too."""
_RENAMED = {
    "object_count": "count_change",
    "view_pair": "viewpoint_change",
    "daily_life": "practical_knowledge",
    "rule_reasoning": "rule-based_reasoning",
}
"""Folders as the scripts of mercurystraw/Kris_Bench name them -> as the data set does."""


def read_kris(source: Located) -> Iterator[RubricItem]:
    """KRIS-Bench's `annotations`, CATEGORY/annotation.json: id -> {ori_img, gt_img, instruction, explain};
    images lie beside the file.

    Raises DataError for a folder that is no category, and for items without their images' names.
    """
    labels_of = _kris_labels()
    for path in source.paths("annotations"):
        category = _RENAMED.get(path.parent.name, path.parent.name)
        if category not in labels_of:
            raise DataError(
                f"{path}: KRIS-Bench has no category {path.parent.name!r}.",
                f"Known: {', '.join(labels_of)}.",
            )
        rows = read_json(path)
        if not isinstance(rows, dict):
            raise DataError(f"{path} must map ids to items, not be a {type(rows).__name__}.", _WRONG_FILE)
        for key, row in rows.items():
            yield _kris_item(path, category, key, row, labels_of[category])


def _kris_labels() -> dict[str, dict[str, str]]:
    knowledge = {kind: name for name, kinds in _KNOWLEDGE.items() for kind in kinds}
    return {
        category: {"category": category, "type": kind, "knowledge": knowledge[kind]}
        for kind, members in _TYPES.items()
        for category in members.split()
    }


def _kris_item(path: Path, category: str, key: str, row: Any, labels: Mapping[str, str]) -> RubricItem:
    where = f"{path}, {key}"
    names = field(row, "ori_img", (str, list), where)
    names = [names] if isinstance(names, str) else names
    if not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{where}: ori_img must name the images to edit.", _WRONG_FILE)
    instruction = field(row, "instruction", str, where)
    frames = [int(found[1]) for name in names if (found := re.search(r"\d+-(\d+)", name))]
    left = {1, 2, 3, 4} - set(frames)
    next_frame = left.pop() if len(left) == 1 else max(frames, default=0) + 1
    truth = row.get("gt_img") if category == "viewpoint_change" else None
    if category == "viewpoint_change" and not isinstance(truth, str):
        raise DataError(f"{where}: a change of viewpoint needs gt_img.", _WRONG_FILE)
    if category == "temporal_prediction" and len(frames) != len(names):
        raise DataError(f"{where}: the frames' names must end in -NUMBER.", _WRONG_FILE)
    return RubricItem(
        f"{category}/{key}",
        instruction,
        _kris_questions(category, labels["type"], len(names), frames, next_frame),
        tuple(find_image((path.parent,), name) for name in names),
        () if truth is None else (find_image((path.parent,), truth),),
        {"instruct": instruction, "explanation": str(row.get("explain") or ""), "N": str(next_frame)},
        labels,
    )


_ORIGINAL = Exhibit("source", "This is the original image:", 0)
_EDITED = Exhibit("result", "This is the edited image:")
_JUDGED = Exhibit("result", "This is the image to evaluate:")
_TRUE = Exhibit("reference", "This is the ground truth image:")


def _kris_questions(
    category: str, kind: str, count: int, frames: Sequence[int], next_frame: int
) -> tuple[RubricQuestion, ...]:
    pair = (_ORIGINAL, _EDITED)
    if category == "temporal_prediction":
        order = sorted(range(count), key=frames.__getitem__)
        shown = [
            (frames[place], Exhibit("source", f"Frame {frames[place]} (Reference):", place))
            for place in order
        ]
        shown.append((next_frame, Exhibit("result", f"Frame {next_frame} (Generated):")))
        exhibits = tuple(one for _, one in sorted(shown, key=lambda pair: pair[0]))
        names = ("temporal consistency", "temporal instruction")
    elif category == "multi-element_composition":
        sources = (Exhibit("source", f"Reference Image {place + 1}:", place) for place in range(count))
        exhibits = (*sources, Exhibit("result", "Predicted Image:"))
        names = ("composition consistency", "composition instruction")
    elif kind in _EXPLAINED:
        return (
            RubricQuestion("consistency", "consistency", pair),
            RubricQuestion("dual", "knowledge", pair),
            RubricQuestion("quality", "quality", (_EDITED,)),
        )
    else:
        viewpoint = category == "viewpoint_change"
        asked = RubricQuestion(
            "instruction", "viewpoint" if viewpoint else "instruction", (*pair, _TRUE) if viewpoint else pair
        )
        return (
            RubricQuestion("consistency", "consistency", pair),
            asked,
            RubricQuestion("quality", "quality", (_EDITED,)),
        )
    return (
        RubricQuestion("consistency", names[0], exhibits),
        RubricQuestion("instruction", names[1], exhibits),
        RubricQuestion("quality", "quality", (_JUDGED,)),
    )


_LEVELS = 8


def read_complex_edit(source: Located) -> Iterator[RubricItem]:
    """Complex-Edit's `table` with the columns image and edit; an item per image and level of complexity.

    Raises DataError for a row without its eight compound instructions.
    """
    questions = (
        RubricQuestion("alignment", "alignment", ("source", "result")),
        RubricQuestion("quality", "quality"),
    )
    for place, (where, row) in enumerate(read_table(source.paths("table"), source.columns)):
        image = image_cell(row["image"], f"{where} (image)")
        compound = field(field(row, "edit", dict, where), "compound", list, where)
        if len(compound) != _LEVELS:
            raise DataError(f"{where}: {len(compound)} compound instructions, not {_LEVELS}.", _WRONG_FILE)
        for level, one in enumerate(compound, start=1):
            instruction = field(one, "compound_instruction", str, f"{where}, level {level}")
            yield RubricItem(
                f"{place:04}/c{level}",
                instruction,
                questions,
                (image,),
                fields={"instruction": instruction},
                labels={"complexity": str(level)},
            )


_KINDS = ((4, "photorealistic"), (7, "style_transfer"), (9, "imaginative"))
"""DreamBench++: places of prompts before which a kind ends."""


def read_dreambench_plus_plus(source: Located) -> Iterator[RubricItem]:
    """DreamBench++'s `captions`, CATEGORY/NN.txt: the subject, then nine prompts; `images`: CATEGORY/NN.jpg.

    Raises DataError for a file without nine prompts.
    """
    for path in source.paths("captions"):
        category = path.parent.name
        try:
            subject, *prompts = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise DataError(f"{path} cannot be read ({error}).", _WRONG_FILE) from error
        prompts = [prompt for prompt in prompts if prompt]
        if len(prompts) != _KINDS[-1][0]:
            raise DataError(f"{path}: {len(prompts)} prompts, not {_KINDS[-1][0]}.", _WRONG_FILE)
        image: Image = find_image((source.folder_of("images") / _beside(path),), f"{path.stem}.jpg")
        asked = (
            RubricQuestion("CP", "style" if category == "style" else "subject", ("source", "result")),
            RubricQuestion("PF", "text"),
        )
        for place, prompt in enumerate(prompts):
            kind = next(name for end, name in _KINDS if place < end)
            labels = {"category": category, "kind": kind, "subject": subject}
            yield RubricItem(
                f"{category}_{path.stem}-{place}",
                prompt,
                asked,
                (image,),
                fields={"instruction": prompt},
                labels=labels,
            )


def _beside(path: Path) -> str:
    """`live_subject/animal` of `captions/live_subject/animal/00.txt`."""
    parts = path.parent.parts
    return "/".join(parts[len(parts) - parts[::-1].index("captions") :])


READERS = MappingProxyType(
    {
        "complex-edit-table": read_complex_edit,
        "dreambench-plus-plus-folder": read_dreambench_plus_plus,
        "kris-folder": read_kris,
    }
)
