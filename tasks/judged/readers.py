"""MM-Vet's questions, from its official file and from hub columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import TableSettings, field, read_json, required_text, table_rows


@dataclass(frozen=True, slots=True)
class Question:
    """An open question with the reference that a judge sees.

    Args:
        answer: the reference; `<AND>` and `<OR>` stand between parts of it.
        capabilities: what the question needs, sorted.
    """

    id: str
    image: Image
    image_name: str
    question: str
    answer: str
    capabilities: tuple[str, ...]


def read_mmvet(source: Located) -> Iterator[Question]:
    """`questions`: `mm-vet.json`, id -> `{imagename, question, answer, capability}`; `images` is a
    folder's path with the field `image`. Raises DataError for a field that is missing or of another
    type."""
    path = source.path("questions")
    rows = read_json(path)
    if not isinstance(rows, dict):
        raise DataError(
            f"{path} must be an object of questions, not {type(rows).__name__}.", "Is this MM-Vet's?"
        )
    for name, row in rows.items():
        where = f"{path}, {name}"
        image = field(row, "imagename", str, where)
        yield Question(
            id=name,
            image=source.image("images", image=image),
            image_name=image,
            question=field(row, "question", str, where),
            answer=field(row, "answer", str, where),
            capabilities=tuple(sorted(map(str, field(row, "capability", list, where)))),
        )


def read_columns(source: Located) -> Iterator[Question]:
    """A table with the columns id, image, question, answer, capability (a list, or names between commas)."""
    for row in table_rows(source, TableSettings()):
        needed = row.fields["capability"]
        names = needed.split(",") if isinstance(needed, str) else list(needed or ())
        missing = Image(data=b"", name=row.where, problem=row.problem)
        yield Question(
            id=row.id,
            image=row.images[0] if row.images else missing,
            image_name=str(row.fields.get("image_name") or row.id),
            question=required_text(row, "question"),
            answer=required_text(row, "answer"),
            capabilities=tuple(sorted(str(name).strip() for name in names)),
        )


READERS = MappingProxyType({"mmvet-json": read_mmvet, "mmvet-table": read_columns})
