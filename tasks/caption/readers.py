"""The official files of COCO captioning's relatives: NoCaps' domains, Stanford's image paragraphs."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import Captioned, field, read_captions, read_json


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


READERS = MappingProxyType({"nocaps-json": read_nocaps, "paragraphs-json": read_paragraphs})


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise DataError(f"{where} must be a list, not {type(value).__name__}.", "Is this the right file?")
    return value
