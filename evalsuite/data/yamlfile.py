"""YAML files that people write (benchmarks, suites, run files, published numbers), checked by pydantic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalsuite.errors import SpecError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_Kind = TypeVar("_Kind", bound="BaseModel")


def read_yaml(path: Path) -> Any:
    """The value of a YAML file. Raises SpecError where it cannot be read or is no YAML."""
    import yaml

    try:
        with path.open(encoding="utf-8") as stream:
            return yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise SpecError(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(
            f"{path} is not valid YAML: {' '.join(str(error).split())}", "Correct the file."
        ) from error


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
