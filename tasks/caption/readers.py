"""Captioned images: COCO's, NoCaps' and Stanford's official files, and tables."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import (
    Captioned,
    field,
    image_cell,
    read_captions,
    read_coco,
    read_json,
    read_karpathy_split,
    read_table,
)


def read_nocaps(source: Located) -> Iterator[Captioned]:
    """`captions`: NoCaps' file in COCO's form, images in the folder `images`.

    `settings.domain` (`in-domain`, `near-domain`, `out-domain`) keeps the images of one domain: the official
    server scores each domain as a set of its own, with document frequencies of its own.

    Raises:
        DataError: as `read_captions`; no image is of that domain.
    """
    wanted = source.settings.get("domain")
    found = 0
    for image in read_captions(source.path("captions"), source.folder_of("images")):
        if wanted is None or dict(image.labels).get("domain") == wanted:
            found += 1
            yield image
    if not found:
        raise DataError(
            f"{source.path('captions')} has no image of the domain {wanted!r}.", "Is this NoCaps' file?"
        )


def read_paragraphs(source: Located) -> Iterator[Captioned]:
    """`paragraphs` (`paragraphs_v1.json`), of which `split` (`test_split.json`) lists the image ids.

    `images` is a path with the field `image_id`. Where an image has several paragraphs, the first counts,
    as in the authors' evaluation. The order is that of the paragraphs' file.

    Raises:
        DataError: a file is not a list, a field is missing or of another type, an image of the split has no
            paragraph.
    """
    path, split = source.path("paragraphs"), source.path("split")
    wanted = set(_list(read_json(split), str(split)))
    for position, row in enumerate(_list(read_json(path), str(path))):
        image_id = field(row, "image_id", int, f"{path}, row {position}")
        if image_id not in wanted:
            continue
        wanted.remove(image_id)
        paragraph = field(row, "paragraph", str, f"{path}, image id {image_id}")
        yield Captioned(str(image_id), source.image("images", image_id=image_id), (paragraph,))
    if wanted:
        raise DataError(
            f"{path} has no paragraph for image id {min(map(str, wanted))} of {split} ({len(wanted)} such).",
            "Do the two files belong together?",
        )


def read_columns(source: Located) -> Iterator[Captioned]:
    """A table with the columns id, image, captions (a list of strings)."""
    for where, row in read_table(source.paths("table"), source.columns):
        captions = field(row, "captions", list, where)
        if not captions or not all(isinstance(caption, str) for caption in captions):
            raise DataError(f"{where} has no captions ({captions!r:.80}).", "Name the right column.")
        name = str(row["id"])
        yield Captioned(name, image_cell(row["image"], f"{where} (image {name})"), tuple(captions))


READERS = MappingProxyType(
    {
        "coco-captions-json": read_coco,
        "karpathy-json": read_karpathy_split,
        "captions-table": read_columns,
        "nocaps-json": read_nocaps,
        "paragraphs-json": read_paragraphs,
    }
)


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise DataError(f"{where} must be a list, not {type(value).__name__}.", "Is this the right file?")
    return value
