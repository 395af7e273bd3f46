"""A run's images into the folder that an official scorer reads."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import DataError, SpecError, StoreError, suggest
from evalsuite.exchange.layouts.formats import LAYOUTS
from evalsuite.exchange.layouts.grids import make_grid
from evalsuite.exchange.layouts.layout import items
from evalsuite.registry import Registry, load_registry
from evalsuite.request import ImageResponse
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.running.scoring import check_same
from evalsuite.store import RunReader


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Args:
        samples: whose images are in the folder.
        files: of images.
        without: samples of the benchmark that the run has no images of.
    """

    samples: int
    files: int
    without: int


def export_images(
    run: Path, task: str, form: str, out: Path, *, model: str = "", registry: Registry | None = None
) -> Exported:
    """Writes the images of one task of a run as a benchmark's official scorer wants them.

    Images keep their bytes, whatever the ending of their name; grids are PNG, or WebP without loss. Samples
    that failed or were not asked about are left out: official scorers take what there is.

    Args:
        run: the run's directory.
        task: its key in the run.
        form: a name in `LAYOUTS`.
        out: a folder that is empty or not there.
        model: name of the model's folder where the layout has one; empty: the run's.

    Raises:
        StoreError: the run is not one or has no images of the task; `out` is not empty.
        SpecError: unknown format or task, a task that the format cannot hold.
        DataError: the benchmark's data have changed, or images of a grid have different sizes.
    """
    if form not in LAYOUTS:
        raise SpecError(f"There is no layout {form!r}.", suggest(form, LAYOUTS))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out} is not empty.", "Name a new folder.")
    part = out.with_name(f"{out.name}.part")
    try:
        with RunReader(run) as reader:
            specs = dict(zip(task_keys(reader.spec), reader.spec.tasks, strict=True))
            if task not in specs:
                raise SpecError(f"The run has no task {task!r}.", suggest(task, specs))
            built = build_task(specs[task], registry or load_registry(reader.spec.plugins))
            check_same(reader.manifest.task(task), built)
            shutil.rmtree(part, ignore_errors=True)
            named = model or _folder_name(reader)
            exported = _write(reader, task, built, form, part, named)
        if not exported.samples:
            raise StoreError(f"{run} has no images of {task}.", "Measure them first.")
        if out.exists():
            out.rmdir()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return exported


def _write(reader: RunReader, key: str, task: Any, form: str, out: Path, model: str) -> Exported:
    layout = LAYOUTS[form]
    answered = reader.answered(key)
    samples = files = without = 0
    seen: dict[tuple[str, ...] | None, str] = {}
    for item in items(task, language_of(task), model):
        places = layout.places(item)
        for path, _ in places:
            other = seen.setdefault(layout.key(path), item.sample.id)
            if other != item.sample.id:
                raise SpecError(
                    f"Samples {other!r} and {item.sample.id!r} would both be {path}{layout.suffix}.",
                    "Choose the format of this benchmark.",
                )
        if item.sample.id not in answered:
            without += 1
            continue
        images = _images(reader, key, item.sample.id)
        if len(images) != item.count:
            without += 1
            continue
        samples += 1
        for path, numbers in places:
            files += 1
            target = out / f"{path}{layout.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            chosen = [images[number] for number in numbers]
            try:
                data = chosen[0].read() if len(chosen) == 1 else make_grid(chosen, layout.suffix)
            except DataError as error:
                raise DataError(f"Sample {item.sample.id!r}: {error.what}", error.remedy) from error
            target.write_bytes(data)
        for name, content in layout.beside(item).items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(content)
    return Exported(samples, files, without)


def _images(reader: RunReader, key: str, sample: str) -> list[Image]:
    """The images of all steps of a sample, in order."""
    found: list[Image] = []
    for record in reader.steps(key, sample):
        if isinstance(record.response, ImageResponse):
            found += record.response.images
    return found


def _folder_name(reader: RunReader) -> str:
    """The model's name as a folder's."""
    name = reader.spec.model.name
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in Path(name).name)
    return kept.strip(".") or "model"


def language_of(task: Any) -> str:
    """The language that a task's data are restricted to; empty where they have one only."""
    settings = getattr(getattr(getattr(task, "plan", None), "source", None), "settings", {})
    return str(settings.get("language", ""))
