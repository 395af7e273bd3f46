"""COCO's captions JSON and Karpathy's `dataset_coco.json`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.data.files import inside
from evalsuite.data.jsonfile import field, read_json
from evalsuite.errors import DataError

_SUFFIXES = (".jpg", ".png", ".jpeg", ".JPG", ".PNG")


@dataclass(frozen=True, slots=True)
class Captioned:
    """An image with its human captions in file order.

    Args:
        id: the image's id.
        width, height: pixels as the file states them; 0 where it does not.
        labels: further text fields that breakdowns use (NoCaps: `domain`).
    """

    id: str
    image: Image
    captions: tuple[str, ...]
    width: int = 0
    height: int = 0
    labels: tuple[tuple[str, str], ...] = ()


def find_image(folders: tuple[Path, ...], name: str) -> Image:
    """The image `name` in the first folder that has it, with its own or another usual suffix.

    Where none has it, an Image of the first folder: reading it then says that the file is missing.

    Raises:
        DataError: the name would leave the folder.
    """
    wanted = [inside(folder, name) for folder in folders]
    for path in wanted:
        if path.is_file():
            return Image(path=path, name=path.name)
    for path in wanted:
        if not path.parent.is_dir():  # saves five looks per image where the whole folder is absent
            continue
        for suffix in _SUFFIXES:
            other = path.with_suffix(suffix)
            if other.is_file():
                return Image(path=other, name=other.name)
    return Image(path=wanted[0], name=wanted[0].name)


def read_captions(path: Path, images: Path | tuple[Path, ...]) -> Iterator[Captioned]:
    """Images with their captions in the order of the file's `images` list (`captions_val2014.json`).

    Args:
        path: `{images: [{id, file_name, …}], annotations: [{image_id, id, caption}]}`; NoCaps' file has a
            `domain` per image, which becomes a label.
        images: the folder or folders of the image files.

    Raises:
        DataError: a field is missing or of another type, an id occurs twice, an annotation names an image
            that is not in the file, an image has no caption.
    """
    yield from captions_in(read_json(path), images, str(path))


def captions_in(data: Any, images: Path | tuple[Path, ...], path: str) -> Iterator[Captioned]:
    """As `read_captions`, of the content of a file; `path` names it in messages."""
    folders = images if isinstance(images, tuple) else (images,)
    rows = field(data, "images", list, path)
    if not rows:
        raise DataError(f"{path} holds no images.", "Fetch it again.")
    captions: dict[int, list[str]] = {}
    for position, row in enumerate(rows):
        image_id = field(row, "id", int, f"{path}, image {position}")
        if image_id in captions:
            raise DataError(f"{path}, image id {image_id} occurs twice.", "Remove one of the two.")
        captions[image_id] = []
    seen: set[int] = set()
    for position, row in enumerate(field(data, "annotations", list, path)):
        where = f"{path}, annotation {position}"
        image_id = field(row, "image_id", int, where)
        if image_id not in captions:
            raise DataError(
                f"{where} is about image {image_id}, which is not in the file.", "Is the file complete?"
            )
        number = row.get("id")
        if isinstance(number, int):
            if number in seen:
                raise DataError(f"{path}, annotation id {number} occurs twice.", "Remove one of the two.")
            seen.add(number)
        captions[image_id].append(field(row, "caption", str, where))
    for row in rows:
        image_id = row["id"]
        where = f"{path}, image id {image_id}"
        if not captions[image_id]:
            raise DataError(f"{where} has no caption.", "Is the file complete?")
        domain = row.get("domain")
        yield Captioned(
            id=str(image_id),
            image=find_image(folders, field(row, "file_name", str, where)),
            captions=tuple(captions[image_id]),
            width=int(row.get("width") or 0),
            height=int(row.get("height") or 0),
            labels=(("domain", domain),) if isinstance(domain, str) else (),
        )


def read_karpathy(path: Path, images: Path, split: str = "test") -> Iterator[Captioned]:
    """One split of `dataset_coco.json` (also of Karpathy's `dataset_flickr30k.json`), in file order.

    Args:
        path: `{images: [{filename, filepath?, cocoid?, imgid, split, sentences: [{raw}]}]}`.
        images: the folder that holds `val2014/…` (COCO: `filepath` / `filename`), or the files themselves.
        split: `train`, `restval`, `val` or `test`.

    Raises:
        DataError: a field is missing or of another type, an id occurs twice, the split is empty, an image
            has no caption.
    """
    rows = field(read_json(path), "images", list, str(path))
    seen: set[str] = set()
    for position, row in enumerate(rows):
        where = f"{path}, image {position}"
        if field(row, "split", str, where) != split:
            continue
        number = row.get("cocoid", row.get("imgid"))
        if not isinstance(number, int):
            raise DataError(f"{where} has neither a `cocoid` nor an `imgid`.", "Is this Karpathy's file?")
        image_id = str(number)
        if image_id in seen:
            raise DataError(f"{path}, image id {image_id} occurs twice.", "Remove one of the two.")
        seen.add(image_id)
        sentences = field(row, "sentences", list, where)
        captions = tuple(field(sentence, "raw", str, where) for sentence in sentences)
        if not captions:
            raise DataError(f"{where} has no caption.", "Is the file complete?")
        name = field(row, "filename", str, where)
        folder = row.get("filepath")
        folders = (
            (images / folder, images) if isinstance(folder, str) and inside(images, folder) else (images,)
        )
        yield Captioned(id=image_id, image=find_image(folders, name), captions=captions)
    if not seen:
        splits = sorted({str(row.get("split")) for row in rows if isinstance(row, dict)})
        raise DataError(
            f"{path} has no images of the split {split!r} (it has: {', '.join(splits) or 'none'})."
        )
