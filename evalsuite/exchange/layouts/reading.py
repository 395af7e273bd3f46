"""Images that were made elsewhere, in a benchmark's layout, into a run that is scored like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import DataError, EvalsuiteError, SampleError, SpecError, suggest
from evalsuite.exchange.imported import specified, write_imported
from evalsuite.exchange.importing import hashes_of
from evalsuite.exchange.layouts.formats import LAYOUTS
from evalsuite.exchange.layouts.grids import split_grid
from evalsuite.exchange.layouts.layout import Item, Layout, items
from evalsuite.exchange.layouts.writing import language_of
from evalsuite.registry import Registry, load_registry
from evalsuite.request import ImageResponse
from evalsuite.running.scoring import Scored
from evalsuite.spec import TaskSpec
from evalsuite.store import Record

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".avif", ".tif", ".tiff"})
_TOGETHER = 16
"""Samples whose images are stored together: what is held in memory."""
_IMAGES = ("image", "edit")
_Files = Mapping[tuple[str, ...], Path]
_Places = Sequence[tuple[str, tuple[str, ...]]]
"""Of a sample: paths without ending, each with what identifies it in a folder."""


def import_images(
    out: Path,
    task: TaskSpec,
    folder: Path,
    form: str,
    *,
    model: str = "",
    partial: bool = False,
    ignore_unknown: bool = False,
    registry: Registry | None = None,
) -> Scored:
    """Writes a folder's images into a new run at `out` and scores them.

    A file that cannot be decoded, has another size than the protocol asks for, or is no grid of four images
    is that sample's failure. The run's record says that the images were imported, and from where.

    Args:
        task: the benchmark, protocol, rules and data.
        form: a name in `LAYOUTS`.
        model: as it is to stand in leaderboards; empty: the folder's name.
        partial: some prompts may lack their images.
        ignore_unknown: the folder may hold images of other prompts, too.
        registry: None loads the installed plugins.

    Raises:
        DataError: there is no such folder, an image matches no prompt or two match one, a prompt lacks one.
        SpecError: the benchmark or the format is unknown, or the format cannot hold the benchmark's samples.
        StoreError: `out` is no place for a new run.
    """
    if form not in LAYOUTS:
        raise SpecError(f"There is no layout {form!r}.", suggest(form, LAYOUTS))
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of images.", "Check the path.")
    registry = registry or load_registry()
    spec, built = specified(task, registry, _IMAGES, "images alone")
    layout, model = LAYOUTS[form], model or folder.name
    listed = list(items(built, language_of(built), model))
    wanted = _wanted(layout, listed)
    files = _matched(layout, listed, wanted, folder, ignore_unknown=ignore_unknown)
    absent = [f"{path}{layout.suffix}" for its in wanted for path, key in its if key not in files]
    if absent and not partial:
        raise DataError(
            f"{folder} has no image {absent[0]} ({len(absent)} such).",
            "Complete the folder, or say that it is partial.",
        )
    if len(absent) == sum(map(len, wanted)):
        raise DataError(f"{folder} has no image of {task.name}.", "Is this the right task and format?")
    together = list(zip(listed, wanted, strict=True))
    batches = (
        list(_records(task.name, built, layout, together[start : start + _TOGETHER], files))
        for start in range(0, len(listed), _TOGETHER)
    )
    return write_imported(
        out, spec, built, model, {"folder": folder.name, "format": form}, batches,
        f"Images imported from {folder.name} ({form}); not made by evalsuite.",
    )  # fmt: skip


def _wanted(layout: Layout, listed: Sequence[Item]) -> list[_Places]:
    """Per sample its files: path without ending, and what identifies it. Raises SpecError where two samples
    would be one file."""
    places = [[path for path, _ in layout.places(item)] for item in listed]
    keys = iter(layout.ranked(key for its in places for path in its if (key := layout.key(path)) is not None))
    found: list[Sequence[tuple[str, tuple[str, ...]]]] = [
        [(path, next(keys)) for path in its] for its in places
    ]
    owners: dict[tuple[str, ...], str] = {}
    for item, its in zip(listed, found, strict=True):
        for path, key in its:
            if owners.setdefault(key, item.sample.id) != item.sample.id:
                raise SpecError(
                    f"Samples {owners[key]!r} and {item.sample.id!r} would both be {path}.",
                    "Choose the format of this benchmark.",
                )
    return found


def _matched(
    layout: Layout, listed: Sequence[Item], wanted: Sequence[_Places], folder: Path, *, ignore_unknown: bool
) -> dict[tuple[str, ...], Path]:
    """The folder's images by what identifies them, those of the task's samples only."""
    owners = {key: item.sample.id for item, its in zip(listed, wanted, strict=True) for _, key in its}
    found: dict[tuple[str, ...], Path] = {}
    unknown: list[str] = []
    keyed: list[tuple[Path, tuple[str, ...]]] = []
    for path, stem in _files(folder):
        if layout.ignored is not None and layout.ignored.fullmatch(stem):
            continue
        key = layout.key(stem)
        if key is None:
            unknown.append(str(path.relative_to(folder)))
        elif layout.language is None or key[layout.language] == listed[0].language:
            keyed.append((path, key))
    if layout.counted is not None:
        at = layout.counted
        keyed.sort(key=lambda one: int(one[1][at]))
    for (path, _), key in zip(keyed, layout.ranked(key for _, key in keyed), strict=True):
        if key not in owners:
            unknown.append(str(path.relative_to(folder)))
        elif key in found:
            raise DataError(
                f"{found[key]} and {path} are the same image of sample {owners[key]!r}.",
                "Remove one of them.",
            )
        else:
            found[key] = path
    if unknown and not ignore_unknown:
        raise DataError(
            f"{folder}: {unknown[0]} matches no prompt ({len(unknown)} such files).",
            "Is this the right task and format? --ignore-unknown leaves such files out.",
        )
    return found


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Images below a folder, sorted, with their paths without ending."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() not in _SUFFIXES or any(part.startswith(".") for part in parts):
            continue
        if path.is_file():
            yield path, "/".join((*parts[:-1], path.name[: -len(path.suffix)]))


def _records(
    key: str, task: Any, layout: Layout, listed: Sequence[tuple[Item, _Places]], files: _Files
) -> Iterator[Record]:
    for item, places in listed:
        if any(place not in files for _, place in places):
            continue
        shown, target = hashes_of(task, item.sample)
        sample = item.sample.id
        try:
            images = _images(layout, item, [files[place] for _, place in places])
        except EvalsuiteError as error:
            failed = Record(key, sample, 0, None, str(error), sample_hash=shown, target_hash=target)
            yield failed
            continue
        start = 0
        for step, count in enumerate(item.counts):
            response = ImageResponse(tuple(images[start : start + count]))
            start += count
            last = step == len(item.counts) - 1
            yield Record(key, sample, step, response, last=last, sample_hash=shown, target_hash=target)


def _images(layout: Layout, item: Item, paths: Sequence[Path]) -> list[Image]:
    """The images of a sample. Raises DataError or SampleError where they are not what the layout says."""
    files = [Image(path=path) for path in paths]
    if layout.grid and item.count > 1:
        images = split_grid(files[0], black=layout.black)
    else:
        images = files
    for image in images:
        size = decode(image).size
        if item.size is not None and size != item.size:
            (wide, high), (width, height) = size, item.size
            raise SampleError(
                f"{image.label} is {wide}×{high}; the protocol asks for images of {width}×{height}."
            )
    return images
