"""Official scorers' own scripts over exported folders: their files are read from clones that are at hand,
their networks and judges are replaced by one that knows every image by its colour."""

from __future__ import annotations

import glob
import io
import os
import runpy
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.exchange import LAYOUTS, export_images
from evalsuite.exchange.layouts.grids import make_grid
from evalsuite.running.scoring import Scored
from tests.exchange.test_layouts import Case, brought

FOLDER = "EVALSUITE_OFFICIAL"
SIDE = 16


def official(repository: str, path: str) -> Path:
    """A file of a clone, whose folder is called as the repository."""
    root = os.environ.get(FOLDER)
    if not root:
        pytest.skip(f"{FOLDER} names no folder with clones of the official repositories")
    found = Path(root) / repository / path
    if not found.is_file():
        pytest.skip(f"{found} is not here: clone {repository} beside the others")
    return found


def flat(number: int) -> bytes:
    """An image of one colour, which tells its number even after JPEG."""
    color = tuple(16 + 32 * (number // 8**place % 8) for place in range(3))
    stream = io.BytesIO()
    pil.new("RGB", (SIDE, SIDE), color).save(stream, "PNG")
    return stream.getvalue()


def number_of(image: Any) -> int:
    """Which image that is: a path, a stream, or an image of PIL."""
    opened = image if isinstance(image, pil.Image) else pil.open(image)
    mean = np.asarray(opened.convert("RGB"), dtype=float).reshape(-1, 3).mean(0)
    return sum(int(value // 32) * 8**place for place, value in enumerate(mean))


def says_yes(number: int, question: str) -> bool:
    """What the judge says about an image: some of both."""
    return zlib.crc32(f"{number} {question}".encode()) % 3 > 0


def write_flat(case: Case, folder: Path) -> Path:
    """The files of a layout, whose images are numbered in their order."""
    for place, name in enumerate(case.files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tiles = [Image(flat(4 * place + tile)) for tile in range(4)]
        data = make_grid(tiles, ".png") if LAYOUTS[case.form].grid else flat(place)
        (folder / name).write_bytes(data)
    return folder


def exported(case: Case, tmp_path: Path, data: Path, name: str = "m") -> tuple[Path, Scored]:
    """A run's images as the official scorer is to read them, and what evalsuite makes of the run."""
    scored = brought(case, data, write_flat(case, tmp_path / "made"), tmp_path / "run")
    out = tmp_path / "out" / name
    out.parent.mkdir()
    export_images(tmp_path / "run", case.task, case.form, out, model=name)
    return out, scored


def numbers(scored: Scored) -> dict[str, float]:
    assert not scored.errors, scored.errors
    return {f"{e.metric.name} {e.group}".strip(): e.value for e in scored.results[0].numbers()}


def stub(monkeypatch: pytest.MonkeyPatch, name: str, **names: Any) -> ModuleType:
    """A module of that name with these names; packages above it are made, too."""
    parts = name.split(".")
    for end in range(1, len(parts)):
        above = ".".join(parts[:end])
        if above not in sys.modules:
            package = ModuleType(above)
            package.__path__ = []
            monkeypatch.setitem(sys.modules, above, package)
    module = ModuleType(name)
    vars(module).update(names)
    monkeypatch.setitem(sys.modules, name, module)
    if len(parts) > 1:
        monkeypatch.setattr(sys.modules[".".join(parts[:-1])], parts[-1], module, raising=False)
    return module


def run_script(monkeypatch: pytest.MonkeyPatch, path: Path, *arguments: str) -> dict[str, Any]:
    """Runs a script as from the command line; the names that it defines."""
    monkeypatch.setattr(sys, "argv", [path.name, *arguments])
    monkeypatch.syspath_prepend(str(path.parent))
    return runpy.run_path(str(path), run_name="__main__")


def names_of(path: Path) -> dict[str, Any]:
    """The names of a script that is not run."""
    return runpy.run_path(str(path), run_name="read")


def megfile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library of files that two of the scripts read through, over local files."""

    def smart_open(path: str, mode: str = "r", **options: Any) -> Any:
        if "w" in mode:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        return Path(path).open(mode, **options)

    stub(
        monkeypatch, "megfile", smart_open=smart_open, smart_exists=os.path.exists, smart_glob=glob.glob
    )  # fmt: skip


def reply(text: Callable[[Any], str]) -> Callable[..., Any]:
    """A chat API: text of the messages -> an object like its response."""

    def create(**request: Any) -> Any:
        message = ModuleType("message")
        vars(message).update(content=text(request["messages"]))
        return _Response(_Choice(message))

    return create


class _Choice(dict[str, Any]):
    """A choice by attribute and by key, as the API's versions have it."""

    def __init__(self, message: Any) -> None:
        super().__init__(message={"content": message.content})
        self.message = message


class _Response(dict[str, Any]):
    def __init__(self, choice: _Choice) -> None:
        super().__init__(choices=[choice])
        self.choices = [choice]
