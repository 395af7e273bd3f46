"""Where a benchmark's data are: the user's folder, the miniature world, an installed package, or the hub."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evalsuite.content import Image
from evalsuite.data import coco, files
from evalsuite.data.checksum import files_fingerprint
from evalsuite.data.files import Origin
from evalsuite.errors import DataError, SpecError, suggest
from evalsuite.request import fingerprint

_CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}")


class Hub(BaseModel):
    """A data set on the Hugging Face hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    revision: str
    """A commit where one is known; what a branch stands for is resolved and recorded."""


class Examples(BaseModel):
    """Where a source's in-context examples are: the same reader over another split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    """Its name, for records."""
    files: dict[str, str] = Field(default_factory=dict)
    """As the source's `files`; roles that are not named are the source's own."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """As the source's `settings`, likewise."""


class Source(BaseModel):
    """One way to have a benchmark's data: which reader understands them, and where the files are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reader: str
    """The name of one of the family's readers, or of a table reader (see `evalsuite list readers`)."""
    files: dict[str, str]
    """Role -> path in the data folder: a file, a pattern of files (`*`), or an image path with fields
    (`val2014/COCO_val2014_{image_id:012d}.jpg`). Roles that begin with `images` may be absent at the start:
    a missing image is the failure of its sample."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Our field -> column, for tables."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What else the reader wants to know."""
    examples: Examples | None = None
    """The split that in-context examples are drawn from."""
    place: str = ""
    """Where the files are when the user names no folder: `mini-world`, `mini-hard-world`,
    `package:NAME/FOLDER`, or `folder:PATH`."""
    hub: Hub | None = None
    get: str = ""
    """Where people find the files."""
    size: str = ""
    checksums: dict[str, str] = Field(default_factory=dict)
    """Role -> `md5:HEX` or `sha256:HEX` of its one file, as its publisher gives it."""
    protocols: tuple[str, ...] = ()
    """The protocols that can ask its questions, where its copy writes them differently; empty: all."""
    note: str = ""
    """How this copy differs from the official set: shown with the source, and a warning when it is read."""

    @property
    def names(self) -> tuple[str, ...]:
        """What `--task-option source=` may say for it: its reader, and its repository on the hub."""
        return (self.reader, self.hub.repository) if self.hub else (self.reader,)

    @model_validator(mode="after")
    def _known_roles(self) -> Source:
        for role, checksum in self.checksums.items():
            if role not in self.files or not _CHECKSUM.match(checksum):
                raise ValueError(f"checksums: {role}: {checksum!r} is not a checksum of a file it names")
        return self


@dataclass(frozen=True, slots=True)
class Located:
    """A source whose folder is known.

    Args:
        files: role -> path, pattern or image path in `folder`, as the source says.
        commit: of a hub data set.
        protocols: that can ask its questions; empty: all.
        note: how this copy differs from the official set.
    """

    reader: str
    folder: Path
    files: Mapping[str, str]
    columns: Mapping[str, str]
    settings: Mapping[str, Any]
    origin: Origin
    commit: str = ""
    examples: Examples | None = None
    protocols: tuple[str, ...] = ()
    note: str = ""
    _paths: dict[str, list[Path]] = field(default_factory=dict, compare=False, repr=False)

    def path(self, role: str) -> Path:
        """The file of a role. Raises DataError where it is missing."""
        return self.paths(role)[0]

    def paths(self, role: str) -> list[Path]:
        """The files of a role: all that match its pattern. Raises DataError where there is none."""
        if role not in self._paths:
            name = self._name(role)
            self._paths[role] = (
                files.require_all(self.folder, name, self.origin)
                if "*" in name
                else [files.require(self.folder, name, self.origin)]
            )
        return self._paths[role]

    def folder_of(self, role: str) -> Path:
        """The folder of a role whose files a data set names. If absent, its images fail one by one."""
        return files.inside(self.folder, self._name(role))

    def image(self, role: str, **values: Any) -> Image:
        """The image whose path pattern belongs to a role; `.png` is taken for `.jpg` and vice versa."""
        return coco.find_image((self.folder,), self._name(role).format(**values))

    def of_examples(self) -> Located:
        """The split that in-context examples are drawn from. Raises SpecError where the source names none."""
        if self.examples is None:
            raise SpecError(
                f"{self.origin.benchmark}: the source {self.reader!r} names no split for examples.",
                "Leave out shots=, or add `examples` to the benchmark's file.",
            )
        return replace(
            self,
            files={**self.files, **self.examples.files},
            settings={**self.settings, **self.examples.settings},
            examples=None,
            _paths={},
        )

    def has(self, role: str) -> bool:
        """Whether the source names files for a role."""
        return role in self.files

    def fingerprint(self) -> str:
        """Digest of what is read: the commit of a hub data set, else names, sizes and contents of all files.

        Images that are files of their own are left out: their bytes are part of every request's fingerprint.
        """
        how = {"reader": self.reader, "columns": dict(self.columns), "settings": dict(self.settings)}
        if self.commit:
            return fingerprint({**how, "commit": self.commit, "files": dict(self.files)})
        paths = [path for role in self.files if not role.startswith("images") for path in self.paths(role)]
        return fingerprint({**how, "data": files_fingerprint(paths)})

    def _name(self, role: str) -> str:
        if role not in self.files:
            raise SpecError(
                f"{self.origin.benchmark}: the reader {self.reader!r} needs a file {role!r}"
                f" (there are: {', '.join(self.files)}).",
                "Correct the benchmark's file.",
            )
        return self.files[role]


def locate(
    benchmark: str, sources: tuple[Source, ...], data: Path | None = None, reader: str = "", licence: str = ""
) -> Located:
    """The first source whose files are here.

    Order: the user's folder (`data`, or `$EVALSUITE_DATA/<benchmark>`), in which the first source counts
    of which any file is there; then sources with a place of their own; then the hub.

    Args:
        reader: only sources of this reader, or of this repository on the hub.

    Raises:
        DataError: none is here; says what was looked for, where, and where to get it.
        UnavailableError: the data are on the hub, which cannot be reached.
    """
    wanted = tuple(source for source in sources if not reader or reader in source.names)
    if not wanted:
        known = [name for source in sources for name in source.names]
        raise SpecError(f"{benchmark} has no source {reader!r}.", suggest(reader, known))

    def located(source: Source, folder: Path, commit: str = "") -> Located:
        return Located(
            source.reader,
            folder,
            source.files,
            source.columns,
            source.settings,
            origin_of(benchmark, source, licence),
            commit,
            source.examples,
            source.protocols,
            source.note,
        )

    folder = files.data_folder(benchmark, data)
    if folder is not None:
        for source in wanted:
            if any(
                _present(folder, name) for role, name in source.files.items() if not role.startswith("images")
            ):
                return located(source, folder)
        looked = " or ".join(_listing(source) for source in wanted)
        raise DataError(
            f"{benchmark}: {looked} is not in {folder}.", origin_of(benchmark, wanted[0], licence).remedy
        )
    for source in wanted:
        if source.place:
            return located(source, made_place(source.place))
    for source in wanted:
        if source.hub is not None:
            from evalsuite.data.hub import snapshot

            patterns = tuple(source.files.values())
            found = snapshot(source.hub.repository, source.hub.revision, patterns, size=source.size)
            return located(source, found.folder, found.commit)
    raise DataError(
        f"{benchmark}: its data are not here (looked at {files.looked_in(benchmark)}).",
        origin_of(benchmark, wanted[0], licence).remedy,
    )


def origin_of(benchmark: str, source: Source, licence: str = "") -> Origin:
    """Where a source's files come from."""
    get = source.get or (f"https://huggingface.co/datasets/{source.hub.repository}" if source.hub else "")
    return Origin(benchmark, get, source.size, licence)


def _listing(source: Source) -> str:
    return ", ".join(name for role, name in source.files.items() if not role.startswith("images"))


def _present(folder: Path, name: str) -> bool:
    if "*" in name:
        return any(folder.glob(name)) or any(folder.glob(name.rsplit("/", 1)[-1]))
    return files.present(folder, name) is not None


def _mini_world(_: str) -> Path:
    from evalsuite.mini.data import ensure_world

    return Path(ensure_world())


def _mini_hard_world(_: str) -> Path:
    from evalsuite.mini.data import ensure_world

    return Path(ensure_world(hard=True))


def _package(name: str) -> Path:
    package, _, rest = name.partition("/")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise DataError(f"The Python package {package!r} is not installed.", f"Run `pip install {package}`.")
    return Path(next(iter(found.submodule_search_locations))) / rest


PLACES: Mapping[str, Callable[[str], Path]] = MappingProxyType(
    {"mini-world": _mini_world, "mini-hard-world": _mini_hard_world, "package": _package, "folder": Path}
)
"""Kinds of places by the name before the colon; each makes the folder from what stands behind it."""


MADE = frozenset({"mini-world", "mini-hard-world"})
"""Places whose files are made when a task is built."""


def made_place(place: str) -> Path:
    """The folder of a source's place. Raises SpecError for an unknown kind, DataError where it is absent."""
    kind, _, rest = place.partition(":")
    if kind not in PLACES:
        raise SpecError(f"There is no place {place!r}.", suggest(kind, PLACES))
    return PLACES[kind](rest)
