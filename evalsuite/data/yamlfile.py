"""YAML files that people write (benchmarks, suites, run files, published numbers, recipes), checked.

Three faults are one clear error in each of them: a key that stands twice, a field that does not exist, and a
file written for a newer evalsuite, which says so by `format: N`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from evalsuite.data.opening import require_readable
from evalsuite.errors import DataError, SpecError, reason_of, suggest

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_LONGEST = 16_000_000
_DEEPEST = 1000
_Kind = TypeVar("_Kind", bound="BaseModel")

FORMAT = 1
"""The newest format of YAML files that is read here; a file without `format` is of format 1."""


def read_yaml(path: Path) -> Any:
    """The value of a YAML file, without its `format`.

    Raises SpecError where it cannot be read or is no YAML, where a key stands twice, and where it is of a
    newer format.
    """
    import yaml

    try:
        require_readable(path)
        with path.open(encoding="utf-8") as stream:
            text = stream.read(_LONGEST + 1)
        if len(text) > _LONGEST:
            raise SpecError(f"{path} has more than {_LONGEST:,} characters.", "Is this the right file?")
        if _depth(text) > _DEEPEST:
            raise SpecError(f"{path} is nested more than {_DEEPEST} levels deep.", "Is this the right file?")
        value = yaml.load(text, Loader=_loader())
    except OSError as error:
        raise SpecError(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    except DataError as error:
        raise SpecError(error.what, error.remedy) from error
    except _RepeatedKey as error:
        raise SpecError(f"{path}, {error}", "Remove one of the two.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(
            f"{path} is not valid YAML: {' '.join(str(error).split())}", "Correct the file."
        ) from error
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        # a date that is none, a huge number
        raise SpecError(
            f"{path} holds a value that cannot be read ({reason_of(error, 200)}).", "Correct the file."
        ) from error
    if isinstance(value, dict) and "format" in value:
        _check_format(path, value.pop("format"))
    return value


def _depth(text: str) -> int:
    """An upper bound of how deeply lists and mappings are nested: the parser's C code has no bound of its
    own and would end the process."""
    depth = deepest = 0
    for sign in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if sign in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    indents = max((len(line) - len(line.lstrip(" -?:")) for line in text.splitlines()), default=0)
    return deepest + indents


def validated(path: Path, value: Any, kind: type[_Kind]) -> _Kind:
    """What a file says, as a model of it. Raises SpecError that names the file and each field at fault."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise SpecError(f"{path}: {explain(error, kind)}", "Correct the file.") from error


def explain(error: ValidationError, kind: type[BaseModel] | None = None) -> str:
    """The field and what is wrong with it, one after the other; `kind` gives the names that were meant."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'file'}: {_message(fault, kind)}" for fault in error.errors()
    )


def _message(fault: Any, kind: type[BaseModel] | None) -> str:
    if fault["type"] != "extra_forbidden" or kind is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    *above, name = fault["loc"]
    known = {field for model in _models_at(kind, above) for field in model.model_fields}
    return f"there is no such field. {suggest(str(name), known)}"


def _models_at(kind: type[BaseModel], place: list[int | str]) -> list[type[BaseModel]]:
    """The models that may stand at a place; positions in lists and names of entries change nothing."""
    found = [kind]
    for part in place:
        inner = [
            model
            for one in found
            if part in one.model_fields
            for model in _models_in(one.model_fields[str(part)].annotation)
        ]
        found = inner or found
    return found


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _check_format(path: Path, value: Any) -> None:
    import evalsuite

    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SpecError(f"{path}: format is {value!r}, not a whole number from 1.", "Correct the file.")
    if value > FORMAT:
        raise SpecError(
            f"{path} is written for a newer evalsuite: its format is {value}, and {evalsuite.__version__} "
            f"reads formats up to {FORMAT}.",
            "Update evalsuite, or use the file's older version.",
        )


class _RepeatedKey(Exception):
    """A key that stands twice in one mapping; YAML's own reading would silently take the last."""


@cache
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def construct_mapping(loader: Any, node: Any, deep: bool = False) -> Any:
        seen: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            # Beside a merged mapping (`<<`) a key overrides; the merge happens after this.
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                name, line = (key.tag, key.value), key.start_mark.line + 1
                if name in seen:
                    raise _RepeatedKey(f"line {line}: {key.value!r} stands in line {seen[name]} already.")
                seen[name] = line
        return base.construct_mapping(loader, node, deep)

    return type("Loader", (base,), {"construct_mapping": construct_mapping})
