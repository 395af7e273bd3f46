"""Shared by the table readers of all families: ids, images, labels and groups of a row, as a source's
`settings` say."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evalsuite.content import Image
from evalsuite.data.coco import find_image
from evalsuite.data.literals import read_literal
from evalsuite.data.rows import Layout, Unreadable, columns_of, read_rows
from evalsuite.data.table import image_cell
from evalsuite.errors import DataError, suggest
from evalsuite.task.sources import Located

ROW, FILE = "@row", "@file"
"""Columns that every table has: the row's place from 0 over all files, and the name of its file without
ending."""
IMAGE = "@image"
"""What stands in `cluster` for the images themselves: rows that show the same ones are a group."""


class Label(BaseModel):
    """A label that is more than a column as it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    """Its column; `@row` is the row's place from 0, `@file` the name of its file without ending."""
    key: str = ""
    """Of a column that holds an object (or the text of one): the field that is meant. A list becomes its
    entries between plus signs."""
    pattern: str = ""
    """Regular expression: the label is its first group (or its whole match); rows without a match have no
    label."""
    values: dict[str, str] = Field(default_factory=dict)
    """What stands in the column -> the label; others stay as they are."""
    every: int = Field(default=0, ge=0)
    """Of numbers: how many neighbours share a label (2 makes pairs: 0 and 1, 2 and 3 …)."""
    first: int = 0
    """The number that counting begins with (1 makes the pairs of `every: 2` 1 and 2, 3 and 4 …)."""
    listed: bool = False
    """The column may hold the text of a list (`"['a', 'b']"`), which is read as the list."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return compiled(value)

    def of(self, cell: Any, where: str) -> str:
        """The label of a cell; empty where it has none. Raises DataError where a number is wanted."""
        if self.key:
            cell = _field_of(cell, self.key, f"{where}, {self.column}")
        if self.listed:
            cell = _list_of(cell)
        text = "+".join(map(text_of_cell, cell)) if isinstance(cell, list) else text_of_cell(cell)
        if self.pattern:
            found = re.search(self.pattern, text)
            text = (found[1] if found.re.groups else found[0]) or "" if found else ""
        text = self.values.get(text, text)
        if not self.every or not text:
            return text
        if not text.isdecimal():
            raise DataError(f"{where}: {self.column} is {text!r:.40}, not a number.")
        return str((int(text) - self.first) // self.every)


class Part(BaseModel):
    """Of `where`: rows whose column names this among others (`random,popular`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str = Field(min_length=1)
    between: str = Field(default=",", min_length=1)
    """What stands between the names."""


class TableSettings(BaseModel):
    """What a source may say under `settings` for every table reader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: str | tuple[str, ...] | None = None
    """Columns of images, in order; `image_*` stands for several. A column may hold a list. Default: `columns:
    {image: …}`, else the path under `files: {images: …}`, whose fields are columns."""
    images_by_name: bool = False
    """A column of images holds paths of which only the file's name counts."""
    no_image: Literal["fail", "ask", "skip"] = "fail"
    """A row without any image: its sample fails, is asked without an image, or is left out."""
    labels: dict[str, str | Label] = Field(default_factory=dict)
    """Label -> its column, or `{column, pattern, values, every}`. A list stands for columns of its names. A
    column `name?` may be missing, and so may one of `columns`."""
    cluster: tuple[str, ...] = ()
    """Labels that together name the group that intervals resample (one image, one pair); `@image` stands for
    the images themselves. Default: the column `image_id`, else none."""
    where: dict[str, str | int | bool | tuple[str | int | bool, ...] | Part] = Field(default_factory=dict)
    """Column -> the value, list of values, or `{part: …}` of several, of the rows that belong to the
    benchmark."""
    id: str = "{id}"
    """How an id is made of columns, labels, `id` and `n`, which counts rows of one id from 1: `{id}#{n}` for
    ids that occur several times."""
    header: tuple[str, ...] = ()
    """Names of the columns of a text file without a header."""
    rows: str = ""
    """Field of a JSON file that holds the rows."""

    @field_validator("labels", mode="before")
    @classmethod
    def _labels(cls, value: Any) -> Any:
        return {str(name): str(name) for name in value} if isinstance(value, list | tuple) else value

    @field_validator("cluster", mode="before")
    @classmethod
    def _cluster(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _clusters_are_labels(self) -> Self:
        for name in self.cluster:
            if name not in self.labels and name != IMAGE:
                raise ValueError(f"cluster: there is no label {name!r}. {suggest(name, self.labels)}")
        return self

    def label(self, name: str) -> Label:
        given = self.labels[name]
        return Label(column=given) if isinstance(given, str) else given


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row as every reader wants it.

    Args:
        where: file and place, with the id, for messages.
        fields: our fields (`columns` of the source) that are neither id nor image.
        cells: other columns that the reader asked for, by their own names.
        images: those that are there.
        cluster: its group; empty: it stands alone.
        problem: why it cannot be asked (an image that is damaged or missing); empty where it can.
    """

    id: str
    where: str
    fields: Mapping[str, Any]
    cells: Mapping[str, Any]
    images: tuple[Image, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    problem: str = ""


def table_rows(source: Located, settings: TableSettings, more: Iterable[str] = ()) -> Iterator[TableRow]:
    """The rows of the role `table` that belong to the benchmark, read lazily.

    Args:
        more: further columns that the reader wants, by their own names; `image_*` stands for several.

    Raises:
        DataError: a file cannot be read, a column is missing, an id is empty.
    """
    paths = source.paths("table")
    layout = Layout(settings.header, settings.rows)
    have = columns_of(paths[0], layout)
    images = _image_columns(source, settings, have)
    wanted = expand(more, have)
    declared = _there(source.columns, have)
    of_path = [name for role in _image_roles(source) for name in _fields_of(source.files[role])]
    if images:  # what they hold is the field `image` of the path
        of_path = [name for name in of_path if name != "image"]
    columns = _there({name: settings.label(name).column for name in settings.labels}, have)
    labels = {
        name: settings.label(name).model_copy(update={"column": column}) for name, column in columns.items()
    }
    named = [name for name in _fields_of(settings.id) if name not in ("id", "n", ROW)]
    of_labels = [name for name in named if name in labels]
    of_id = [name for name in named if name not in of_labels]
    read = [
        *declared.values(), *images, *wanted, *settings.where, *of_path, *of_id,
        *(label.column for label in labels.values()),
    ]  # fmt: skip
    counts: Counter[str] = Counter()
    position = -1
    for path, place, row in read_rows(paths, [name for name in read if not name.startswith("@")], layout):
        position += 1
        row |= {ROW: position, FILE: path.name.removesuffix(".gz").rpartition(".")[0]}
        if not all(_among(row[name], allowed) for name, allowed in settings.where.items()):
            continue
        cells = row | {name: labels[name].of(row[labels[name].column], place) for name in of_labels}
        name = _id(declared, settings, cells, counts, place)
        where = f"{place} (id {name})"
        if settings.images_by_name:
            row |= {one: PurePosixPath(row[one]).name for one in images if isinstance(row[one], str)}
        found, problem = _images(source, images, row, where)
        if not found and not problem:
            if settings.no_image == "skip":
                continue
            if settings.no_image == "fail" and (images or _image_roles(source)):
                problem = f"{where} has no image."
        made = {key: label.of(row[label.column], where) for key, label in labels.items()}
        made = {key: text for key, text in made.items() if text}
        shared = text_of_cell(row[declared["image_id"]]) if "image_id" in declared else ""
        yield TableRow(
            id=name,
            where=where,
            fields={
                key: row[column] for key, column in declared.items() if key not in ("id", "image", "image_id")
            },
            cells={column: row[column] for column in wanted},
            images=found,
            labels=made,
            cluster="/".join(_shown(found) if key == IMAGE else made.get(key, "") for key in settings.cluster)
            or shared,
            problem=problem,
        )


def expand(names: Iterable[str], have: Iterable[str]) -> tuple[str, ...]:
    """Column names, with those that `image_*` stands for in the order of their numbers, and without those of
    `name?` that are not there."""
    found: list[str] = []
    have = tuple(have)
    for name in names:
        if name.endswith("?"):
            found += [name.removesuffix("?")] if name.removesuffix("?") in have else []
        elif "*" in name:
            matching = sorted((column for column in have if fnmatchcase(column, name)), key=_by_number)
            if not matching:
                raise DataError(f"The table has no column {name!r} (it has: {', '.join(have)}).")
            found += matching
        else:
            found.append(name)
    return tuple(dict.fromkeys(found))


def text_of_cell(value: Any) -> str:
    """A cell as text: whole numbers without fraction, nothing for null.

    >>> [text_of_cell(value) for value in ("a ", 2.0, None, float("nan"), True)]
    ['a ', '2', '', '', 'True']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def required_text(row: TableRow, name: str) -> str:
    """A field that every row must have. Raises DataError where it is null or empty."""
    text = text_of_cell(row.fields.get(name))
    if not text.strip():
        raise DataError(f"{row.where} has no {name}.", "Is the table complete, and the right column named?")
    return text


def compiled(pattern: str) -> str:
    """A regular expression that a file gives. Raises ValueError where it is none."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression ({error})") from error
    return pattern


def _field_of(cell: Any, key: str, where: str) -> Any:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError:
            raise DataError(f"{where} is {cell!r:.40}, not the text of an object.") from None
    if cell is not None and not isinstance(cell, Mapping):
        raise DataError(f"{where} is {type(cell).__name__} {cell!r:.40}, not an object with {key!r}.")
    return None if cell is None else cell.get(key)


def _shown(images: Sequence[Image]) -> str:
    """The same text for the same images: of their bytes, or of the paths of those that are files. Nothing
    where there is none: such rows stand alone."""
    if not images:
        return ""
    digest = hashlib.sha256()
    for image in images:
        digest.update(image.data if image.data is not None else str(image.path or image.name).encode())
    return digest.hexdigest()[:16]


def _image_columns(source: Located, settings: TableSettings, have: tuple[str, ...]) -> tuple[str, ...]:
    if settings.images is not None:
        given = (settings.images,) if isinstance(settings.images, str) else settings.images
        return expand(given, have)
    return (source.columns["image"],) if "image" in source.columns else ()


def _images(
    source: Located, columns: tuple[str, ...], row: Mapping[str, Any], where: str
) -> tuple[tuple[Image, ...], str]:
    """The images of a row, or what is wrong with one of them."""
    try:
        if not columns:
            return ((_image_file(source, row),) if _image_roles(source) else ()), ""
        found: list[Image] = []
        for column in columns:
            cell = row[column]
            for k, one in enumerate(cell if isinstance(cell, list) else [cell]):
                if one is None or one == "" or (isinstance(one, float) and math.isnan(one)):
                    continue
                found.append(_image(source, one, row, f"{where}, {column}" + (f"[{k}]" if k else "")))
        return tuple(found), ""
    except DataError as error:
        return (), str(error)


def _image(source: Located, cell: Any, row: Mapping[str, Any], where: str) -> Image:
    if isinstance(cell, Unreadable):
        raise DataError(cell.reason)
    if not isinstance(cell, str):
        return image_cell(cell, where)
    if not _image_roles(source):
        raise DataError(
            f"{where} names the file {cell!r:.60}.", "Say where it is by `files: {images: FOLDER}`."
        )
    return _image_file(source, {**row, "image": cell})


def _image_roles(source: Located) -> list[str]:
    return [role for role in source.files if role.startswith("images")]


def _image_file(source: Located, row: Mapping[str, Any]) -> Image:
    """The image that is a file of its own, of the first role `images…` that has it. Raises DataError."""
    found: list[Image] = []
    for role in _image_roles(source):
        pattern = source.files[role]
        if "{" not in pattern and "image" not in row:
            raise DataError(
                f"Nothing says which image of {pattern} a row is about.", "Write {image} into it."
            )
        found.append(
            source.image(role, **row)
            if "{" in pattern
            else find_image((source.folder_of(role),), str(row["image"]))
        )
        if found[-1].path is not None and found[-1].path.is_file():
            return found[-1]
    return found[0]


def _id(
    declared: Mapping[str, str],
    settings: TableSettings,
    row: Mapping[str, Any],
    counts: Counter[str],
    place: str,
) -> str:
    own = text_of_cell(row[declared["id"]]) if "id" in declared else str(row[ROW])
    if not own:
        raise DataError(f"{place} has no id.", "Is the table complete?")
    plain = settings.id.format_map({**row, "id": own, "n": ""})
    counts[plain] += 1
    return settings.id.format_map({**row, "id": own, "n": counts[plain]})


def _there(columns: Mapping[str, str], have: Iterable[str]) -> dict[str, str]:
    """Columns without their question mark; those with one that the table does not have are left out."""
    known = {*have}
    return {
        name: column.removesuffix("?")
        for name, column in columns.items()
        if not column.endswith("?") or column in known or column.removesuffix("?") in known
    }


def _list_of(cell: Any) -> Any:
    """The list that a text writes, as Python or JSON does; anything else as it is."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        with suppress(ValueError):
            found = read_literal(cell.strip())
            return found if isinstance(found, list) else cell
    return cell


def _among(cell: Any, allowed: Any) -> bool:
    if isinstance(allowed, Part):
        return allowed.part in (name.strip() for name in text_of_cell(cell).split(allowed.between))
    values = allowed if isinstance(allowed, tuple) else (allowed,)
    return cell in values or text_of_cell(cell) in {text_of_cell(value) for value in values}


def _fields_of(pattern: str) -> list[str]:
    return re.findall(r"\{([^{}:!]+)[^{}]*\}", pattern)


def _by_number(name: str) -> tuple[str, int, str]:
    found = re.search(r"\d+", name)
    return (name[: found.start()], int(found[0]), name) if found else (name, -1, name)


__all__ = [
    "FILE", "ROW", "Label", "TableRow", "TableSettings", "compiled", "expand", "required_text",
    "table_rows", "text_of_cell",
]  # fmt: skip
