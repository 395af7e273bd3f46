"""POPE's questions, from the official JSON lines and from hub columns."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import YesNoQuestion, field, find_image, image_cell, read_lines, read_table


def read_pope_lines(source: Located) -> Iterator[YesNoQuestion]:
    """`coco_pope_*.json`: lines `{question_id, image, text, label}`; `images` is COCO's val2014 folder.

    Raises:
        DataError: a field is missing or of another type, a label other than yes and no.
    """
    path, folder = source.path("questions"), source.folder_of("images")
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        name = field(row, "image", str, where)
        yield YesNoQuestion(
            id=str(field(row, "question_id", int, where)),
            question=field(row, "text", str, where),
            image=find_image((folder,), name),
            image_name=name.rsplit(".", 1)[0],
            label=_label(field(row, "label", str, where), where),
        )


def read_columns(source: Located) -> Iterator[YesNoQuestion]:
    """A table with the columns id, question, label, image, image_name."""
    for where, row in read_table(source.paths("table"), source.columns):
        if row["id"] is None or not isinstance(row["question"], str):
            raise DataError(f"{where} has no question (id {row['id']!r}, question {row['question']!r}).")
        yield YesNoQuestion(
            id=str(row["id"]),
            question=row["question"],
            image=image_cell(row["image"], where),
            image_name=str(row.get("image_name") or ""),
            label=_label(row["label"], where),
        )


READERS = MappingProxyType({"pope-lines": read_pope_lines, "pope-table": read_columns})


def _label(value: object, where: str) -> bool:
    text = str(value).strip().lower()
    if text not in ("yes", "no"):
        raise DataError(f"{where}: the label is {value!r}, neither yes nor no.", "Is this POPE's file?")
    return text == "yes"
