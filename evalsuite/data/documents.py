"""Interleaved documents: text and images in reading order, with the instruction that asks for them.

Three layouts of JSON lines are read into one form: parts in order (the miniature's stories), MMC4's
(`text_list`, `image_info` with `matched_text_index`), and OBELICS' (`texts` and `images` of one length).
Names of images are relative to a folder of images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.content import Document, Image, Text
from evalsuite.data.files import inside
from evalsuite.data.jsonfile import field as cell
from evalsuite.data.jsonfile import read_lines
from evalsuite.deprecation import Moved, warn
from evalsuite.errors import DataError


@dataclass(frozen=True, slots=True)
class InterleavedDocument:
    """A document.

    Args:
        id: unique in its file.
        instruction: what asks for the document; empty where the data have none.
        parts: non-empty runs of text, and images, in order; no two texts side by side.
        topic: for breakdowns and studies; empty where the data have none.
    """

    id: str
    instruction: str
    parts: Document
    topic: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def images(self) -> tuple[Image, ...]:
        """The images in reading order."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    @property
    def pictures(self) -> tuple[Image, ...]:
        """Deprecated name of `images`."""
        warn("InterleavedDocument.pictures", Moved("InterleavedDocument.images"))
        return self.images

    @property
    def text(self) -> str:
        """The runs of text joined by a space."""
        return " ".join(part.text for part in self.parts if isinstance(part, Text))

    def steps(self) -> tuple[tuple[str, Image], ...]:
        """Each image with the text before it since the image before."""
        found: list[tuple[str, Image]] = []
        text = ""
        for part in self.parts:
            if isinstance(part, Text):
                text = part.text
            else:
                found.append((text, part))
                text = ""
        return tuple(found)


def read_parts(documents: Path, images: Path) -> Iterator[InterleavedDocument]:
    """Lines `{"id", "parts": [{"text"} or {"image"}, …]}`, optionally with `instruction` and `topic`.

    Raises:
        DataError: a line is malformed, a part is neither or both, a name leaves the folder.
    """
    for number, row in read_lines(documents):
        where = f"{documents}, line {number}"
        pieces: list[str | Image] = []
        for part in cell(row, "parts", list, where):
            if not isinstance(part, dict) or len(part.keys() & {"text", "image"}) != 1:
                raise DataError(f"{where}: a part must have either text or image, not {part!r:.60}.")
            if "text" in part:
                pieces.append(cell(part, "text", str, where))
            else:
                pieces.append(_image(images, cell(part, "image", str, where)))
        yield _document(row, where, str(cell(row, "id", (str, int), where)), pieces)


def read_mmc4(documents: Path, images: Path) -> Iterator[InterleavedDocument]:
    """MMC4's lines: `text_list` and `image_info` [{image_name, matched_text_index}], optionally with
    `instruction`, `topic` and `id` (else the line's number).

    As DreamLLM was trained: sentences are stripped and joined by a space up to and with the one that an
    image is matched to, then the image comes; images of one sentence keep their order.

    Raises:
        DataError: a line is malformed, an image is matched to a sentence that is not there, a name leaves
            the folder.
    """
    for number, row in read_lines(documents):
        where = f"{documents}, line {number}"
        sentences = cell(row, "text_list", list, where)
        if not all(isinstance(sentence, str) for sentence in sentences):
            raise DataError(f"{where}: text_list holds something that is not text.")
        after: dict[int, list[Image]] = {}
        for info in cell(row, "image_info", list, where):
            name, index = (
                cell(info, "image_name", str, where),
                cell(info, "matched_text_index", int, where),
            )
            if not 0 <= index < len(sentences):
                raise DataError(
                    f"{where}: image {name} is matched to sentence {index}, there are {len(sentences)}.",
                    "The list of images does not belong to these sentences.",
                )
            after.setdefault(index, []).append(_image(images, name))
        pieces: list[str | Image] = []
        for index, sentence in enumerate(sentences):
            pieces += [sentence, *after.get(index, ())]
        yield _document(row, where, str(row.get("id", number)), pieces)


def read_obelics(documents: Path, images: Path) -> Iterator[InterleavedDocument]:
    """OBELICS' lines: `texts` and `images` of one length, at each place one of them and null in the other;
    optionally with `instruction`, `topic` and `id` (else the line's number).

    Raises:
        DataError: the lists differ in length, a place has both or neither, a name leaves the folder.
    """
    for number, row in read_lines(documents):
        where = f"{documents}, line {number}"
        texts, names = cell(row, "texts", list, where), cell(row, "images", list, where)
        if len(texts) != len(names):
            raise DataError(
                f"{where}: {len(texts)} texts and {len(names)} images; both lists must be of one length.",
                "The list of images does not belong to these texts.",
            )
        pieces: list[str | Image] = []
        for at, (text, name) in enumerate(zip(texts, names, strict=True)):
            if isinstance(text, str) == isinstance(name, str):
                raise DataError(f"{where}: place {at} must hold either a text or an image's name.")
            pieces.append(text if isinstance(text, str) else _image(images, name))
        yield _document(row, where, str(row.get("id", number)), pieces)


def _document(
    row: Mapping[str, Any], where: str, name: str, pieces: list[str | Image]
) -> InterleavedDocument:
    parts: list[Text | Image] = []
    for piece in pieces:
        if isinstance(piece, Image):
            parts.append(piece)
            continue
        text = piece.strip()
        if text and parts and isinstance(parts[-1], Text):
            parts[-1] = Text(f"{parts[-1].text} {text}")
        elif text:
            parts.append(Text(text))
    if not parts:
        raise DataError(f"{where} is an empty document.", "Leave it out.")
    texts = {key: row.get(key) or "" for key in ("instruction", "topic")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise DataError(f"{where}: field {key!r} is {type(value).__name__}, not text.")
    labels = {"topic": texts["topic"]} if texts["topic"] else {}
    return InterleavedDocument(name, texts["instruction"], tuple(parts), texts["topic"], labels)


def _image(folder: Path, name: str) -> Image:
    return Image(path=inside(folder, name), name=name)
