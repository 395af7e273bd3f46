"""Where a language model's weights are: a folder, the hub, a GGUF file, a file in an installed package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from evalsuite.errors import CheckpointError, UnavailableError
from evalsuite.model import ModelOptions

PACKAGE = "package:"


def located(options: ModelOptions) -> tuple[ModelOptions, dict[str, str]]:
    """The options with a folder or hub id as argument, and the arguments that name a GGUF file in it.

    Raises CheckpointError for a file that is not there, UnavailableError for a missing package.
    """
    given: Mapping[str, str] = options.options
    argument = _in_package(options.argument) if options.argument.startswith(PACKAGE) else options.argument
    path = Path(argument)
    name = given.get("gguf_file", "")
    if path.suffix == ".gguf":
        if not path.is_file():
            raise CheckpointError(f"{path} does not exist.", "Give the path of a .gguf file.")
        options = replace(options, options={"name": path.stem, **given})
        argument, name = str(path.parent), path.name
    if not name:
        return replace(options, argument=argument), {}
    if find_spec("gguf") is None:
        raise UnavailableError("GGUF files need the package gguf.", "pip install 'evalsuite[gguf]'")
    return replace(options, argument=argument), {"gguf_file": name}


def _in_package(argument: str) -> str:
    package, _, inside = argument.removeprefix(PACKAGE).partition("/")
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UnavailableError(
            f"The Python package {package} is not installed.", f"pip install {package.replace('_', '-')}"
        )
    return str(Path(next(iter(found.submodule_search_locations)), inside))
