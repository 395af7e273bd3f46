"""A contact sheet: what models generated, with prompts and, for editing, the source image; documents
as strips of text and images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count as count_from
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.content import Document, Image, Text
from evalsuite.durable import writing
from evalsuite.errors import SpecError
from evalsuite.gallery.choosing import chosen_samples
from evalsuite.gallery.documents import strips
from evalsuite.gallery.judged import grades_of, judged_samples, judged_sheet
from evalsuite.gallery.sheets import FAINT, GAP, INK, PAPER, fit, font_for, thumbnail, wrapped
from evalsuite.registry import Registry, load_registry
from evalsuite.request import DocumentResponse, ImageResponse, Request, Response
from evalsuite.store import RunReader

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_LINES = 5
"""Lines of prompt under a sample; longer prompts are cut."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One sample of the sheet: its prompt, and labelled images in a row."""

    prompt: str
    images: tuple[tuple[str, Image], ...]
    documents: tuple[tuple[str, Document], ...] = ()
    """Instead of images where models wrote documents."""
    notes: tuple[tuple[str, ...], ...] = ()
    """For each image, what judges were asked about it and said."""
    heading: str = ""
    """The value of the label that the sheet is ordered by."""
    scores: tuple[str, ...] = ()
    """For each image, the score of its sample; "" where it has none."""


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
    judged: bool = False,
    by: str = "",
    registry: Registry | None = None,
) -> int:
    """Writes an image with samples evenly spread over those that all runs answered.

    Args:
        out: `.png`, or `.webp` for a smaller file that is as lossless. Further pages go to `OUT-2.png` and so
            on: one page at a time is in memory.
        task: key of the task in the runs; the first that generates images when None.
        count: samples at most.
        columns: samples per line; of documents, images per line.
        size: edge of an image in pixels.
        every: all images of a sample, not only the first.
        page: samples of a file.
        judged: what judges were asked and said stands beside each image, with the sample's grades.
        by: a label of the samples: the sheet is ordered by its values, `count` samples of each.

    Returns:
        Number of samples shown.

    Raises:
        SpecError: no run has such a task, or it generates no images; `out` has another suffix.
        DataError: the benchmark's data, from which the prompts come, are missing.
        StoreError: a run cannot be read, or the file cannot be written.
    """
    if out.suffix.lower() not in _ENCODERS:
        raise SpecError(
            f"A gallery is an image file, and {out.name} is not.", f"Known: {', '.join(_ENCODERS)}."
        )
    total = 0
    with ExitStack() as stack:
        readers = [stack.enter_context(RunReader(path)) for path in runs]
        registry = registry or load_registry(plugin for r in readers for plugin in r.spec.plugins)
        key = task or _first_drawing(readers)
        if judged:
            samples = judged_samples(readers, key, count, by, registry)
        else:
            samples = _samples(readers, key, count, every, by, registry)
        for number in count_from(1):
            shown = list(islice(samples, page))
            if not shown:
                break
            target = out if number == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")
            _save(_page(shown, columns, size), target)
            total += len(shown)
    if not total:
        raise SpecError(f"Task {key!r} has no image that all runs have generated.", "Choose another --task.")
    return total


def _page(shown: Sequence[Shown], columns: int, size: int) -> PilImage:
    if any(sample.notes for sample in shown):
        return judged_sheet(shown, columns, size)
    if any(sample.documents for sample in shown):
        return strips([(one.prompt, one.documents) for one in shown], columns, size)
    return _sheet(shown, columns, size)


def _save(sheet: PilImage, target: Path) -> None:
    kind, how = _ENCODERS[target.suffix.lower()]
    with writing(target) as temporary:
        sheet.save(temporary, kind, **how)


_ENCODERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"lossless": True}),
}


def _first_drawing(readers: Sequence[RunReader]) -> str:
    for reader in readers:
        for record in reader.manifest.tasks:
            if record.info.generates_images:
                return record.key
    raise SpecError(
        "None of these runs generates images.", "Give a run with a text-to-image or editing task."
    )


def _samples(
    readers: Sequence[RunReader], key: str, count: int, every: bool, by: str, registry: Registry
) -> Iterator[Shown]:
    built, chosen = chosen_samples(readers, key, count, by, registry)
    grades = [grades_of(reader, key, built.info.headline.name) for reader in readers]
    for sample in chosen:
        answers = [[record.response for record in reader.steps(key, sample.id)] for reader in readers]
        earlier = [response for response in answers[0][:-1] if response is not None]
        request = built.request(sample, earlier)
        if request is None:
            continue
        last = request.messages[-1]
        if any(isinstance(responses[-1], DocumentResponse) for responses in answers):
            yield _shown_documents(request, readers, answers)
            continue
        words = " ".join("".join(p.text if isinstance(p, Text) else " " for p in last.parts).split())
        images = [("source", image) for image in last.images[-1:]]
        scores = ["" for _ in images]
        for reader, responses, grade in zip(readers, answers, grades, strict=True):
            drawn = _images(responses[-1], every)
            images += [("" if i else reader.model_name, image) for i, image in enumerate(drawn)]
            scores += ["" if i else grade.get(sample.id, "") for i in range(len(drawn))]
        if len(images) > len(last.images[-1:]):
            heading = f"{by}: {sample.labels[by]}" if by else ""
            yield Shown(words, tuple(images), heading=heading, scores=tuple(scores))


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


def _images(response: Response | None, every: bool) -> list[Image]:
    match response:
        case ImageResponse(images=images):
            return list(images if every else images[:1])
    return []


def _sheet(shown: Sequence[Shown], columns: int, size: int) -> PilImage:
    from PIL import Image as pil
    from PIL import ImageDraw

    font, line = font_for(size)
    widest = max(len(sample.images) for sample in shown)
    columns = min(columns if widest == 1 else max(1, columns // widest), len(shown))
    labels = line if widest > 1 else 0
    scores = line if any(any(one.scores) for one in shown) else 0
    width = widest * (size + GAP) + 2 * GAP
    prompts = [
        ([fit(one.heading, font, width - 2 * GAP)] if one.heading else [])
        + wrapped(one.prompt, font, width - 2 * GAP, _LINES)
        for one in shown
    ]
    height = size + labels + scores + max(map(len, prompts)) * line + 3 * GAP
    rows = -(-len(shown) // columns)
    sheet = pil.new("RGB", (columns * width + GAP, rows * height + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, sample in enumerate(shown):
        left, top = (i % columns) * width + GAP, (i // columns) * height + GAP
        for j, (label, image) in enumerate(sample.images):
            x = left + j * (size + GAP)
            if labels:
                pen.text((x, top), fit(label, font, size), fill=FAINT, font=font)
            sheet.paste(thumbnail(image, size), (x, top + labels))
            if sample.scores:
                below = top + labels + size + GAP // 2
                pen.text((x, below), fit(sample.scores[j], font, size), fill=FAINT, font=font)
        for k, text in enumerate(prompts[i]):
            below = top + labels + size + scores + GAP // 2 + k * line
            pen.text((left, below), text, fill=INK, font=font)
    return sheet
