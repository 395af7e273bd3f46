"""The list of (image id, caption) pairs that a text-to-image benchmark generates images for.

"30,000 captions of MS-COCO" is not a data set: which captions is left to everybody's random generator. So the
list is fixed here by a rule that gives the same pairs on every machine, and its checksum is part of the
score's fingerprint. A list that somebody published can be used instead (`prompts` role: JSON lines).
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.request import fingerprint
from evalsuite.task.readers import Captioned, jsonfile, read_lines


@dataclass(frozen=True, slots=True)
class Prompt:
    """A caption to generate an image for.

    Args:
        image_id: of the image that the caption was written about.
        text: the caption, without white space around it.
        captions: all captions of that image (best-of-k selection reads them).
        reference: the image; None where the prompt is about none.
        number: of the prompt among several of one image, from 1; 0 where there is one.
        labels: for breakdowns.
    """

    image_id: str
    text: str
    captions: tuple[str, ...]
    reference: Image | None
    number: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Unique in the list."""
        return f"{self.image_id}-{self.number}" if self.number else self.image_id


def draw_prompts(images: Iterable[Captioned], count: int | None, seed: int) -> list[Prompt]:
    """One caption each of `count` images (None: of all), sampled by sha256 of seed, id and caption; in file
    order.

    Raises DataError when there are fewer images.
    """
    images = list(images)
    if count is not None and count > len(images):
        raise DataError(
            f"{count:,} prompts are wanted, the caption file holds {len(images):,} images.",
            "Is it the complete annotation file?",
        )

    def rank(*parts: object) -> bytes:
        return hashlib.sha256("\0".join(map(str, (seed, *parts))).encode("utf-8", "surrogatepass")).digest()

    keep = (
        {one.id for one in images}
        if count is None
        else {one.id for one in heapq.nsmallest(count, images, key=lambda one: rank(one.id))}
    )
    return [
        _prompt(one, min(one.captions, key=lambda text: rank(one.id, text)))
        for one in images
        if one.id in keep
    ]


def all_prompts(images: Iterable[Captioned]) -> list[Prompt]:
    """Every caption of every image, in file order."""
    return [
        _prompt(one, text, number if len(one.captions) > 1 else 0)
        for one in images
        for number, text in enumerate(one.captions, start=1)
    ]


def listed_prompts(path: Path, images: Iterable[Captioned]) -> list[Prompt]:
    """The pairs of a JSON-lines file `{"image_id", "caption"}`, in its order.

    Raises DataError for an image that the annotation file lacks, a caption that is none of that image's, or
    an image that occurs twice.
    """
    by_id = {one.id: one for one in images}
    found: dict[str, Prompt] = {}
    for number, row in read_lines(path):
        where = f"{path}, line {number}"
        image_id, text = (
            str(jsonfile.field(row, "image_id", (int, str), where)),
            jsonfile.field(row, "caption", str, where),
        )
        if image_id not in by_id:
            raise DataError(
                f"{where}: image {image_id} is not in the caption file.", "Is it the file of this list?"
            )
        if image_id in found:
            raise DataError(f"{where}: image {image_id} occurs twice.", "Remove one of the two.")
        if text.strip() not in {caption.strip() for caption in by_id[image_id].captions}:
            raise DataError(
                f"{where}: {text!r} is not a caption of image {image_id}.", "Is it the file of this list?"
            )
        found[image_id] = _prompt(by_id[image_id], text)
    if not found:
        raise DataError(f"{path} holds no prompts.", "Fetch it again.")
    return list(found.values())


def shuffled(prompts: Sequence[Prompt], number: int) -> list[Prompt]:
    """The list in another order for each `number`, by sha256 of number and image id."""
    return sorted(
        prompts, key=lambda prompt: hashlib.sha256(f"{number}\0{prompt.image_id}".encode()).digest()
    )


def list_digest(prompts: Sequence[Prompt]) -> str:
    """sha256 over all pairs in order."""
    return fingerprint([[prompt.image_id, prompt.text] for prompt in prompts])


def _prompt(image: Captioned, text: str, number: int = 0) -> Prompt:
    captions = tuple(caption.strip() for caption in image.captions)
    return Prompt(image.id, text.strip(), captions, image.image, number, dict(image.labels))
