"""Readers by name: what turns a source's files into the records of a family.

A family has readers of official files. Table readers are shared by all families that take what they make:
built-in ones, those of installed packages, and those of a plugin, given to `entries(folder, readers=[…])` or
defined in `readers.py` beside the benchmark's file:

    @reader("pairs-table", makes=McqQuestion, columns={"left": "the left image", …})
    def read_pairs(source, settings):
        ...
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from evalsuite.data.yamlfile import explain
from evalsuite.errors import SpecError, suggest
from evalsuite.task import extensions
from evalsuite.task.families import import_file

if TYPE_CHECKING:
    from evalsuite.task.sources import Located

GROUP = "evalsuite.readers"
"""Entry points of installed readers: name -> a `Reader`, as `reader` makes it."""
BESIDE = "readers.py"
"""The Python file beside a benchmark's file whose readers it may name."""
Read = Callable[..., Iterator[Any]]


class NoSettings(BaseModel):
    """A reader without settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Reader:
    """A table reader by name; calling it reads a source. See `reader` for how to write one.

    Args:
        function: `(source, settings) -> records`.
        makes: the class of its records; families that take it, or a class it is derived from, can use it.
        columns: our fields that a source's `columns` may name -> what each is.
        settings: what a source may say under `settings`.
    """

    name: str
    function: Read
    makes: type
    columns: Mapping[str, str]
    settings: type[BaseModel] = NoSettings

    def __reduce__(self) -> tuple[Callable[..., Reader], tuple[str, ...]]:
        """Sent to another process, a reader is its name and where it is defined."""
        where = sys.modules.get(self.function.__module__)
        return _again, (self.name, self.function.__module__, str(getattr(where, "__file__", None) or ""))

    @property
    def title(self) -> str:
        """What it reads, in one line."""
        return first_line(self.function)

    def __call__(self, source: Located, *_: Any) -> Iterator[Any]:
        """The records of a source. What a family gives its own readers besides the source is left aside.

        Raises:
            SpecError: the source's settings are not those that it knows.
            DataError: as the reader says.
        """
        return self.function(source, self.settings_of(source))

    def settings_of(self, source: Located) -> BaseModel:
        """The source's settings, checked. Raises SpecError."""
        try:
            return self.settings.model_validate(dict(source.settings))
        except ValidationError as error:
            known = ", ".join(self.settings.model_fields) or "none"
            raise SpecError(
                f"{source.origin.benchmark}: settings of the source {self.name!r}: {explain(error)}",
                f"There are: {known}; see `evalsuite list readers`.",
            ) from error

    def check(self, source: Located) -> None:
        """Raises SpecError for settings or columns that it does not know."""
        self.settings_of(source)
        for name in source.columns:
            if name not in self.columns:
                raise SpecError(
                    f"{source.origin.benchmark}: the reader {self.name!r} knows no column {name!r}.",
                    f"{suggest(name, self.columns)} Labels stand under `settings: {{labels: …}}`.",
                )


def reader(
    name: str, *, makes: type, columns: Mapping[str, str], settings: type[BaseModel] = NoSettings
) -> Callable[[Read], Reader]:
    """Makes a reader of a function `(source, settings) -> Iterator`; its docstring's first line is its title.

    Args:
        name: as benchmark files write it.
        makes, columns, settings: see `Reader`.
    """

    def make(function: Read) -> Reader:
        return Reader(name, function, makes, columns, settings)

    return make


def built_in() -> tuple[Reader, ...]:
    """The table readers of evalsuite itself."""
    from evalsuite.task.mcq import read_mcq
    from evalsuite.task.table_readers import read_open, read_yes_no

    return (read_mcq, read_open, read_yes_no)


def installed() -> tuple[list[Reader], dict[str, str]]:
    """The readers of installed plugins, and those that cannot be loaded, each with the reason."""
    return extensions.installed(GROUP, _checked)


def beside(folder: Path | None) -> tuple[Reader, ...]:
    """The readers of `readers.py` in the folder of a benchmark's file. Raises SpecError where it fails."""
    if folder is None or not (folder / BESIDE).is_file() or (folder / "__init__.py").is_file():
        return ()  # beside an installed family's files lie its own readers
    module = import_file(folder / BESIDE, f"the readers {folder / BESIDE}")
    return tuple(value for value in vars(module).values() if isinstance(value, Reader))


def find_reader(
    name: str,
    of_family: Mapping[str, Read],
    *,
    own: Iterable[Reader] = (),
    folder: Path | None = None,
    makes: type | None = None,
    family: str = "",
) -> Read:
    """The reader of a source.

    Args:
        of_family: the family's own readers; they come first.
        own: the readers that came with the benchmark's plugin.
        folder: where the benchmark's file lies.
        makes: the class of records that the family takes from table readers; None: any.
        family: its name, for messages.

    Raises:
        SpecError: there is none of that name, two share it, it makes records that the family does not take,
            or the plugin that should give it is broken.
    """
    if name in of_family:
        return of_family[name]
    known = [*(_checked(one, "a plugin's list of readers") for one in own), *beside(folder), *built_in()]
    more, broken = installed()
    known += more
    # One file imported in two ways gives two functions of one place.
    found = {_place(one.function): one for one in known if one.name == name}
    if len(found) > 1:
        places = " and ".join(sorted(found))
        raise SpecError(f"There are {len(found)} readers {name!r} (in {places}).", "Rename one.")
    fitting = {one.name for one in known if _fits(one, makes)}
    if not found:
        if name in broken:
            raise SpecError(f"The reader {name!r} cannot be used: {broken[name]}", "Repair its plugin.")
        raise SpecError(f"There is no reader {name!r}.", suggest(name, {*of_family, *fitting}))
    (one,) = found.values()
    if not _fits(one, makes):
        assert makes is not None
        raise SpecError(
            f"The reader {name!r} makes {one.makes.__name__}, and the family {family!r} takes"
            f" {makes.__name__}.",
            suggest(name, {*of_family, *fitting}),
        )
    return one


def first_line(thing: Any) -> str:
    """The first paragraph of a docstring, on one line; empty where it has none."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n", 1)[0].split())


def _fits(one: Reader, makes: type | None) -> bool:
    return makes is None or issubclass(one.makes, makes)


def _place(function: Read) -> str:
    code = inspect.unwrap(function).__code__ if inspect.isfunction(function) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def _checked(value: Any, where: str) -> Reader:
    if not isinstance(value, Reader):
        raise SpecError(
            f"{value!r:.60}, from {where}, is a {type(value).__name__}, not a reader.",
            "Put @reader(…) over the function.",
        )
    return value


def _again(name: str, module: str, file: str) -> Reader:
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError:
        found = import_file(Path(file), f"the reader {name!r}")
    for one in vars(found).values():
        if isinstance(one, Reader) and one.name == name:
            return one
    raise SpecError(f"{file or module} has no reader {name!r} any more.", "Was it renamed?")


__all__ = ["Reader", "beside", "built_in", "find_reader", "first_line", "installed", "reader"]
