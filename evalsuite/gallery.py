"""A contact sheet: what models drew, with prompts and, for editing, the picture they started from."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count as count_from
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image, Text
from evalsuite.errors import SpecError, StoreError
from evalsuite.registry import Registry, load_registry
from evalsuite.request import DocumentResponse, ImageResponse, Response
from evalsuite.resolving import build_task, task_keys
from evalsuite.store import RunReader

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont, ImageFont

_GAP = 6
_INK, _FAINT, _PAPER = (27, 31, 36), (110, 116, 125), (255, 255, 255)
_LINES = 3
"""Lines of prompt under a sample; longer prompts are cut."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One sample of the sheet: its prompt, and labelled pictures in a row."""

    prompt: str
    pictures: tuple[tuple[str, Image], ...]


def draw(
    runs: Sequence[Path],
    out: Path,
    *,
    task: str | None = None,
    count: int = 24,
    columns: int = 6,
    size: int = 128,
    every: bool = False,
    page: int = 300,
    registry: Registry | None = None,
) -> int:
    """Writes a picture with samples evenly spread over those that all runs answered.

    Args:
        out: `.png`, or `.webp` for a smaller file that is as lossless. More than a page goes on in files that
            are called `OUT-2.png` and so on: one page at a time is in memory.
        task: key of the task in the runs; the first that draws when None.
        count: samples at most.
        columns: samples per line.
        size: edge of a picture in pixels.
        every: all pictures of a sample, not only the first.
        page: samples of a file.

    Returns:
        Number of samples shown.

    Raises:
        SpecError: no run has such a task, or it draws nothing; `out` has another suffix.
        DataError: the benchmark's data, from which the prompts come, are missing.
        StoreError: a run cannot be read, or the file cannot be written.
    """
    if out.suffix.lower() not in _ENCODERS:
        raise SpecError(f"A gallery is a picture, {out.name} is none.", f"Known: {', '.join(_ENCODERS)}.")
    total = 0
    with ExitStack() as stack:
        readers = [stack.enter_context(RunReader(path)) for path in runs]
        registry = registry or load_registry(plugin for r in readers for plugin in r.spec.plugins)
        key = task or _first_drawing(readers)
        samples = _samples(readers, key, count, every, registry)
        for number in count_from(1):
            shown = list(islice(samples, page))
            if not shown:
                break
            target = out if number == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")
            _save(_sheet(shown, columns, size), target)
            total += len(shown)
    if not total:
        raise SpecError(f"Task {key!r} has no image that all runs have drawn.", "Choose another --task.")
    return total


def _save(sheet: Picture, target: Path) -> None:
    kind, how = _ENCODERS[target.suffix.lower()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(target, kind, **how)
    except OSError as error:
        raise StoreError(f"{target} cannot be written ({error}).", "Choose another --out.") from error


_ENCODERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"lossless": True}),
}


def _first_drawing(readers: Sequence[RunReader]) -> str:
    for reader in readers:
        for record in reader.manifest.tasks:
            if record.info.capability in ("image", "edit", "interleaved"):
                return record.key
    raise SpecError("None of these runs draws anything.", "Give a run with a text-to-image or editing task.")


def _samples(
    readers: Sequence[RunReader], key: str, count: int, every: bool, registry: Registry
) -> Iterator[Shown]:
    first = readers[0]
    specs = dict(zip(task_keys(first.spec), first.spec.tasks, strict=True))
    if any(key not in reader.task_keys for reader in readers):
        known = ", ".join(first.task_keys)
        raise SpecError(f"Not all of these runs have a task {key!r}.", f"The first has: {known}.")
    answered = set.intersection(*(reader.answered(key) for reader in readers))
    built = build_task(specs[key], registry)
    samples = [sample for sample in built.samples() if sample.id in answered]
    chosen = [samples[i * len(samples) // count] for i in range(count)] if len(samples) > count else samples
    for sample in chosen:
        answers = [[record.response for record in reader.steps(key, sample.id)] for reader in readers]
        earlier = [response for response in answers[0][:-1] if response is not None]
        request = built.request(sample, earlier)
        if request is None:
            continue
        last = request.messages[-1]
        words = " ".join("".join(p.text if isinstance(p, Text) else " " for p in last.parts).split())
        pictures = [("source", image) for image in last.images[-1:]]
        for reader, responses in zip(readers, answers, strict=True):
            drawn = _images(responses[-1], every)
            pictures += [("" if i else reader.model_name, image) for i, image in enumerate(drawn)]
        if len(pictures) > len(last.images[-1:]):
            yield Shown(words, tuple(pictures))


def _images(response: Response | None, every: bool) -> list[Image]:
    match response:
        case ImageResponse(images=images):
            return list(images if every else images[:1])
        case DocumentResponse(parts=parts):
            return [part for part in parts if isinstance(part, Image)]
    return []


def _sheet(shown: Sequence[Shown], columns: int, size: int) -> Picture:
    from PIL import Image as pil
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(size=max(11, size // 10))
    line = int(font.size * 1.3) if hasattr(font, "size") else 14
    widest = max(len(sample.pictures) for sample in shown)
    columns = min(columns if widest == 1 else max(1, columns // widest), len(shown))
    labels = line if widest > 1 else 0
    width = widest * (size + _GAP) + 2 * _GAP
    prompts = [_wrapped(sample.prompt, font, width - 2 * _GAP) for sample in shown]
    height = size + labels + max(map(len, prompts)) * line + 3 * _GAP
    rows = -(-len(shown) // columns)
    sheet = pil.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, sample in enumerate(shown):
        left, top = (i % columns) * width + _GAP, (i // columns) * height + _GAP
        for j, (label, image) in enumerate(sample.pictures):
            x = left + j * (size + _GAP)
            if labels:
                pen.text((x, top), _fit(label, font, size), fill=_FAINT, font=font)
            sheet.paste(_thumbnail(image, size), (x, top + labels))
        for k, text in enumerate(prompts[i]):
            pen.text((left, top + labels + size + _GAP // 2 + k * line), text, fill=_INK, font=font)
    return sheet


def _thumbnail(image: Image, size: int) -> Picture:
    """The picture in a square: small ones by whole pixels, so that the sheet shows what was drawn."""
    from PIL import Image as pil

    with pil.open(io.BytesIO(image.read())) as opened:
        picture = opened.convert("RGB")
    scale = size / max(picture.size)
    target = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(target, pil.Resampling.NEAREST if scale > 1 else pil.Resampling.LANCZOS)
    square = pil.new("RGB", (size, size), _PAPER)
    square.paste(picture, ((size - target[0]) // 2, (size - target[1]) // 2))
    return square


def _fit(text: str, font: FreeTypeFont | ImageFont, width: float) -> str:
    """The text, cut with an ellipsis where it is wider than `width`."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _wrapped(text: str, font: FreeTypeFont | ImageFont, width: float) -> list[str]:
    per_line = max(8, int(width / max(font.getlength("n"), 1.0) * 1.05))
    lines = textwrap.wrap(text, per_line, max_lines=_LINES, placeholder=" …")
    return [_fit(line, font, width) for line in lines]
