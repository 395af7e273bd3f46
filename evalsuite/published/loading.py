"""Reading published numbers: from installed plugins, and from the user's files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evalsuite.data.yamlfile import read_yaml, validated
from evalsuite.errors import SpecError, suggest
from evalsuite.published.schema import Publication, PublishedTable
from evalsuite.registry import Registry


@dataclass(frozen=True, slots=True)
class TableReference:
    """A table of a publication, as `PUBLICATION/TABLE` names it."""

    publication: Publication
    name: str

    @property
    def table(self) -> PublishedTable:
        return self.publication.tables[self.name]

    def __str__(self) -> str:
        return f"{self.publication.name}/{self.name}"


def read_publication(path: Path) -> Publication:
    """A publication's YAML file. Raises SpecError that names the file and the field."""
    return validated(path, read_yaml(path), Publication)


def read_folder(folder: Path) -> list[Publication]:
    """All publications (`*.yaml`) of a folder, sorted by name; what a plugin's `published()` returns."""
    return [read_publication(path) for path in sorted(folder.glob("*.yaml"))]


def publications(registry: Registry, files: Iterable[Path] = ()) -> dict[str, Publication]:
    """Publications by name: those of installed plugins, and of the given files, which go first."""
    return {**registry.published, **{one.name: one for one in map(read_publication, files)}}


def find_publication(known: dict[str, Publication], name: str) -> Publication:
    """Raises SpecError with the nearest names for one that is not known."""
    if name not in known:
        raise SpecError(
            f"There are no published numbers {name!r}.",
            f"{suggest(name, known)} See `evalsuite published list`.",
        )
    return known[name]


def find_table(known: dict[str, Publication], reference: str) -> TableReference:
    """The table of `PUBLICATION/TABLE`; a publication of one table may stand alone. Raises SpecError."""
    name, _, table = reference.partition("/")
    publication = find_publication(known, name)
    if not table and len(publication.tables) == 1:
        table = next(iter(publication.tables))
    if table not in publication.tables:
        listed = ", ".join(f"{name}/{one}" for one in publication.tables)
        what = f"{name} has no table {table!r}." if table else f"{name} has several tables: name one."
        raise SpecError(what, f"It has {listed}.")
    return TableReference(publication, table)
