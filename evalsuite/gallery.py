"""A contact sheet: what models drew, with prompts and, for editing, the picture they started from; documents
as strips of text and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.content import Document, Image, Text
from evalsuite.document_sheet import strips
from evalsuite.errors import SpecError, StoreError
from evalsuite.registry import Registry, load_registry
from evalsuite.request import DocumentResponse, ImageResponse, Request, Response
from evalsuite.resolving import build_task, task_keys
from evalsuite.sheets import FAINT, GAP, INK, PAPER, fit, font_for, thumbnail, wrapped
from evalsuite.store import RunReader

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_LINES = 3
"""Lines of prompt under a sample; longer prompts are cut."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One sample of the sheet: its prompt, and labelled pictures in a row."""

    prompt: str
    pictures: tuple[tuple[str, Image], ...]
    documents: tuple[tuple[str, Document], ...] = ()
    """Instead of pictures where models wrote documents."""


def draw(
    runs: Sequence[Path],
    out: Path,
    *,
    task: str | None = None,
    count: int = 24,
    columns: int = 6,
    size: int = 128,
    registry: Registry | None = None,
) -> int:
    """Writes a PNG with samples evenly spread over those that all runs answered.

    Args:
        task: key of the task in the runs; the first that draws when None.
        count: samples at most.
        columns: samples per line; of documents, pictures per line.
        size: edge of a picture in pixels.

    Returns:
        Number of samples shown.

    Raises:
        SpecError: no run has such a task, or it draws nothing.
        DataError: the benchmark's data, from which the prompts come, are missing.
        StoreError: a run cannot be read, or the file cannot be written.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(RunReader(path)) for path in runs]
        registry = registry or load_registry(plugin for r in readers for plugin in r.spec.plugins)
        key = task or _first_drawing(readers)
        shown = _samples(readers, key, count, registry)
    if not shown:
        raise SpecError(f"Task {key!r} has no image that all runs have drawn.", "Choose another --task.")
    if any(sample.documents for sample in shown):
        sheet = strips([(one.prompt, one.documents) for one in shown], columns, size)
    else:
        sheet = _sheet(shown, columns, size)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, "PNG")
    except OSError as error:
        raise StoreError(f"{out} cannot be written ({error}).", "Choose another --out.") from error
    return len(shown)


def _first_drawing(readers: Sequence[RunReader]) -> str:
    for reader in readers:
        for record in reader.manifest.tasks:
            if record.info.capability in ("image", "edit", "interleaved"):
                return record.key
    raise SpecError("None of these runs draws anything.", "Give a run with a text-to-image or editing task.")


def _samples(readers: Sequence[RunReader], key: str, count: int, registry: Registry) -> list[Shown]:
    first = readers[0]
    specs = dict(zip(task_keys(first.spec), first.spec.tasks, strict=True))
    if any(key not in reader.task_keys for reader in readers):
        known = ", ".join(first.task_keys)
        raise SpecError(f"Not all of these runs have a task {key!r}.", f"The first has: {known}.")
    answered = set.intersection(*(reader.answered(key) for reader in readers))
    built = build_task(specs[key], registry)
    samples = [sample for sample in built.samples() if sample.id in answered]
    chosen = [samples[i * len(samples) // count] for i in range(count)] if len(samples) > count else samples
    found = []
    for sample in chosen:
        answers = [[record.response for record in reader.steps(key, sample.id)] for reader in readers]
        earlier = [response for response in answers[0][:-1] if response is not None]
        request = built.request(sample, earlier)
        if request is None:
            continue
        last = request.messages[-1]
        if any(isinstance(responses[-1], DocumentResponse) for responses in answers):
            found.append(_shown_documents(request, readers, answers))
            continue
        words = " ".join("".join(p.text if isinstance(p, Text) else " " for p in last.parts).split())
        pictures = [("source", image) for image in last.images[-1:]]
        for reader, responses in zip(readers, answers, strict=True):
            pictures += [(reader.model_name, image) for image in _images(responses[-1])]
        if len(pictures) > len(last.images[-1:]):
            found.append(Shown(words, tuple(pictures)))
    return found


def _shown_documents(
    request: Request, readers: Sequence[RunReader], answers: Sequence[Sequence[Response | None]]
) -> Shown:
    words = " ".join(request.messages[-1].text.split())
    documents: list[tuple[str, Document]] = []
    for reader, responses in zip(readers, answers, strict=True):
        response = responses[-1]
        if isinstance(response, DocumentResponse):
            opening = (Text(request.prefill),) if request.prefill else ()
            documents.append((reader.model_name, (*opening, *response.parts)))
    return Shown(words, (), tuple(documents))


def _images(response: Response | None) -> list[Image]:
    match response:
        case ImageResponse(images=images):
            return list(images[:1])
    return []


def _sheet(shown: Sequence[Shown], columns: int, size: int) -> Picture:
    from PIL import Image as pil
    from PIL import ImageDraw

    font, line = font_for(size)
    widest = max(len(sample.pictures) for sample in shown)
    columns = min(columns if widest == 1 else max(1, columns // widest), len(shown))
    labels = line if widest > 1 else 0
    width = widest * (size + GAP) + 2 * GAP
    prompts = [wrapped(sample.prompt, font, width - 2 * GAP, _LINES) for sample in shown]
    height = size + labels + max(map(len, prompts)) * line + 3 * GAP
    rows = -(-len(shown) // columns)
    sheet = pil.new("RGB", (columns * width + GAP, rows * height + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, sample in enumerate(shown):
        left, top = (i % columns) * width + GAP, (i // columns) * height + GAP
        for j, (label, image) in enumerate(sample.pictures):
            x = left + j * (size + GAP)
            if labels:
                pen.text((x, top), fit(label, font, size), fill=FAINT, font=font)
            sheet.paste(thumbnail(image, size), (x, top + labels))
        for k, text in enumerate(prompts[i]):
            pen.text((left, top + labels + size + GAP // 2 + k * line), text, fill=INK, font=font)
    return sheet
