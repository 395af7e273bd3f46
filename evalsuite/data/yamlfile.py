"""YAML files that people write (benchmarks, suites, run files, published numbers), checked by pydantic."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalsuite.data.opening import require_readable
from evalsuite.errors import DataError, SpecError, reason_of

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_LONGEST = 16_000_000
_DEEPEST = 1000
_Kind = TypeVar("_Kind", bound="BaseModel")


def read_yaml(path: Path) -> Any:
    """The value of a YAML file. Raises SpecError where it cannot be read or is no YAML."""
    import yaml

    try:
        require_readable(path)
        with path.open(encoding="utf-8") as stream:
            text = stream.read(_LONGEST + 1)
        if len(text) > _LONGEST:
            raise SpecError(f"{path} has more than {_LONGEST:,} characters.", "Is this the right file?")
        if _depth(text) > _DEEPEST:
            raise SpecError(f"{path} is nested more than {_DEEPEST} levels deep.", "Is this the right file?")
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise SpecError(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    except DataError as error:
        raise SpecError(error.what, error.remedy) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(
            f"{path} is not valid YAML: {' '.join(str(error).split())}", "Correct the file."
        ) from error
    except (
        ValueError,
        TypeError,
        RecursionError,
        OverflowError,
    ) as error:  # a date that is none, a huge number
        raise SpecError(
            f"{path} holds a value that cannot be read ({reason_of(error, 200)}).", "Correct the file."
        ) from error


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
        raise SpecError(f"{path}: {explain(error)}", "Correct the file.") from error


def explain(error: ValidationError) -> str:
    """The field and what is wrong with it, one after the other."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    )
