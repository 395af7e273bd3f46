"""LLaVA-Bench's questions with their captions and GPT-4's answers, from official files and a hub table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import (
    TableSettings,
    field,
    read_lines,
    reader,
    required_text,
    table_rows,
    text_of_cell,
)


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """An open question with what the judge sees besides the answer.

    Args:
        context: the image in words.
        reference: the answer that is scored beside the model's.
        problem: why it cannot be asked (a damaged image); empty where it can.
    """

    id: str
    question: str
    image: Image
    image_name: str
    context: str
    reference: str
    category: str
    problem: str = ""


def read_llava_bench(source: Located) -> Iterator[PairQuestion]:
    """`questions`, `context` and `reference` (JSON lines) of LLaVA-Bench, images in the folder `images`.

    Raises:
        DataError: a field is missing, an image has no caption, a question no reference answer.
    """
    captions = {row["image"]: row["caption"] for _, row in read_lines(source.path("context"))}
    answers = {str(row["question_id"]): row["text"] for _, row in read_lines(source.path("reference"))}
    path = source.path("questions")
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        name, image = str(row.get("question_id")), field(row, "image", str, where)
        if image not in captions or name not in answers:
            raise DataError(
                f"{where}: question {name} has no {'caption' if image not in captions else 'answer'}."
            )
        yield PairQuestion(
            name, field(row, "text", str, where), source.image("images", image=image), image,
            _context(captions[image]), str(answers[name]), field(row, "category", str, where),
        )  # fmt: skip


@reader(
    "pair-table",
    makes=PairQuestion,
    columns={
        "id": "unique; default: the row's place",
        "question": "its text",
        "context": "the image in words, or a list of sentences",
        "reference": "the answer that is scored beside the model's",
        "category": "label of that name",
        "image": "the image",
        "image_id": "names the image: questions about one image are resampled together",
    },
    settings=TableSettings,
)
def read_pairs(source: Located, settings: TableSettings) -> Iterator[PairQuestion]:
    """Questions with a context and a reference answer, from one table."""
    for row in table_rows(source, settings):
        yield PairQuestion(
            row.id, required_text(row, "question"),
            row.images[0] if row.images else Image(data=b"", name=row.id),
            row.cluster, _context(row.fields.get("context")), required_text(row, "reference"),
            text_of_cell(row.fields.get("category")), row.problem,
        )  # fmt: skip


def _context(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else text_of_cell(value)


READERS: Mapping[str, Callable[..., Iterator[PairQuestion]]] = MappingProxyType(
    {"llava-bench-jsonl": read_llava_bench, read_pairs.name: read_pairs}
)
