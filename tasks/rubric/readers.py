"""Items of WISE, RISEBench and OmniContext from their official files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import field, image_cell, read_json, read_table

from . import mini, readers_documents, readers_editing
from .records import RubricItem, RubricQuestion, Shown

_WRONG_FILE = "Is this the benchmark's file?"


def read_wise(source: Located) -> Iterator[RubricItem]:
    """Roles `prompts_…`: WISE's lists of `{Prompt, Explanation, Category, Subcategory, prompt_id}`.

    `settings.ends`: label `category` -> the last id that belongs to it, ascending.

    Raises DataError for an id beyond the last category.
    """
    ends: Mapping[str, int] = source.settings["ends"]
    for role in source.files:
        if not role.startswith("prompts"):
            continue
        path = source.path(role)
        rows = read_json(path)
        if not isinstance(rows, list):
            raise DataError(f"{path} must be a list of prompts, not {type(rows).__name__}.", _WRONG_FILE)
        for place, row in enumerate(rows):
            where = f"{path}, prompt {place}"
            number = field(row, "prompt_id", int, where)
            category = next((name for name, end in ends.items() if 1 <= number <= end), None)
            if category is None:
                raise DataError(f"{where}: the id {number} belongs to no category.", _WRONG_FILE)
            fields = {name: field(row, name, str, where) for name in ("Prompt", "Explanation")}
            labels = {"category": category, "subcategory": field(row, "Subcategory", str, where)}
            asked = (RubricQuestion("quality", "quality"),)
            yield RubricItem(str(number), fields["Prompt"], asked, fields=fields, labels=labels)


_LOGICAL = "logical_reasoning"


def read_rise(source: Located) -> Iterator[RubricItem]:
    """`items`: RISEBench's list; images by the pattern of the role `images`.

    Which questions are asked in which wording, about which images, is decided per item as in its script.

    Raises DataError for an unknown category, and for logic without a reference.
    """
    path = source.path("items")
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} must be a list of items, not {type(rows).__name__}.", _WRONG_FILE)
    free_column = any(isinstance(row, dict) and "consistency_free" in row for row in rows)
    without_question = any(isinstance(row, dict) and "reasoning_wo_ins" in row for row in rows)
    for place, row in enumerate(rows):
        where = f"{path}, item {place}"
        category = field(row, "category", str, where)
        if category not in _PLAIN and category != _LOGICAL:
            raise DataError(f"{where}: there is no category {category!r}.", _WRONG_FILE)
        questions, reference = _rise_questions(row, category, where, without_question)
        if row.get("consistency_free") is not None:
            questions = tuple(one for one in questions if one.name != "consistency")
        instruction = field(row, "instruction", str, where)
        image = source.image("images", image=field(row, "image", str, where))
        shown = row.get("reference_img")
        yield RubricItem(
            field(row, "index", str, where),
            instruction,
            questions,
            (image,),
            () if shown is None else (source.image("images", image=shown),),
            {"instruct": instruction, "reference": reference},
            {"category": category, "subtask": str(row.get("subtask") or "")},
            free_column,
        )


_PLAIN = ("temporal_reasoning", "causal_reasoning", "spatial_reasoning")


def _rise_questions(
    row: Mapping[str, Any], category: str, where: str, without_question: bool
) -> tuple[tuple[RubricQuestion, ...], str]:
    """The questions, and the reference text of the wording."""
    pair: tuple[Shown, ...] = ("source", "result")
    referred: tuple[Shown, ...] = ("reference", "result")
    spatial = category == "spatial_reasoning"
    with_source = row.get("reasoning_img") is not None
    if category == _LOGICAL:
        if row.get("reference_txt") is not None:
            asked = (
                RubricQuestion("consistency", "logical consistency, answer", pair),
                RubricQuestion("reasoning", "logical reasoning, text"),
            )
            return asked, field(row, "reference_txt", str, where)
        if row.get("reference_img") is None:
            raise DataError(f"{where}: logic needs reference_txt or reference_img.", _WRONG_FILE)
        wording = "logical reasoning, image" + (" without question" if without_question else "")
        return (
            RubricQuestion("consistency", "logical consistency", referred),
            RubricQuestion("reasoning", wording, referred),
        ), ""
    if spatial and row.get("reference_img") is not None:
        asked_about = RubricQuestion("reasoning", "spatial reasoning, image", referred)
        reference = ""
    else:
        wording = ("spatial reasoning" if spatial else "reasoning") + (", source" if with_source else "")
        asked_about = RubricQuestion("reasoning", wording, pair if with_source else ("result",))
        reference = field(row, "reference", str, where)
    first = referred if spatial and row.get("reference_img") is not None else pair
    return (
        RubricQuestion("consistency", "spatial consistency" if spatial else "consistency", first),
        asked_about,
        RubricQuestion("plausibility", "spatial plausibility" if spatial else "plausibility"),
    ), reference


def read_omnicontext(source: Located) -> Iterator[RubricItem]:
    """OmniContext's `table` with the columns key, task_type, instruction, instruction_language, input_images;
    the rows of the language in the setting `language`.

    Raises DataError where no row is in that language.
    """
    language = source.settings["language"]
    seen: set[str] = set()
    for where, row in read_table(source.paths("table"), source.columns):
        found = field(row, "language", str, where)
        seen.add(found)
        if found != language:
            continue
        key, kind = str(row["key"]), field(row, "kind", str, where)
        images: tuple[Image, ...] = tuple(
            image_cell(cell, f"{where} ({key}, image {place})")
            for place, cell in enumerate(field(row, "images", list, where), start=1)
        )
        scene = ", scene" if "scene" in kind else ""
        shows: tuple[Shown, ...] = ("source", "result")
        instruction = field(row, "instruction", str, where)
        yield RubricItem(
            key,
            instruction,
            (
                RubricQuestion("PF", f"following{scene}", shows),
                RubricQuestion("SC", f"consistency{scene}", shows),
            ),
            images,
            fields={"instruction": instruction},
            labels={"task": kind},
        )
    if language not in seen:
        known = ", ".join(sorted(seen)) or "none"
        raise DataError(
            f"{source.folder} has no instruction in the language {language!r} (there are: {known}).",
            "Is this OmniContext's table?",
        )


READERS = MappingProxyType(
    {
        "omnicontext-table": read_omnicontext,
        "rise-json": read_rise,
        "wise-json": read_wise,
        **mini.READERS,
        **readers_documents.READERS,
        **readers_editing.READERS,
    }
)
