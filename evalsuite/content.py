"""What prompts and answers are made of: text and images, in any order."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, SupportsIndex

from evalsuite.errors import DataError
from evalsuite.pickling import quick_state

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

MAX_FILE = 512 * 2**20
"""Bytes of an encoded image: larger files are refused before they are read."""
_LARGE = 16 * 2**10

Role = Literal["system", "user", "assistant"]


@quick_state
@dataclass(frozen=True, slots=True)
class Text:
    """A run of text."""

    text: str


@quick_state
@dataclass(frozen=True, slots=True)
class FileSlice:
    """A part of a larger file that holds an image, such as a member of a tar archive."""

    path: Path
    offset: int
    size: int


@quick_state
@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image (PNG, JPEG, WebP …), decoded only where it is needed.

    Exactly one of `data`, `path` and `file_slice` is set. Decode with `evalsuite.data.images.decode`, which
    checks limits and refuses truncated files.

    Args:
        data: the encoded bytes.
        path: a file holding them.
        file_slice: a part of a file holding them.
        name: how messages and reports call it; the file name when empty.
        problem: why there is no image where the data should hold one; reading it raises DataError with
            that, so that it costs its sample only. `data` is empty then.
    """

    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    name: str = ""
    file_slice: FileSlice | None = None
    problem: str = ""

    def __post_init__(self) -> None:
        if sum(source is not None for source in (self.data, self.path, self.file_slice)) != 1:
            raise DataError(
                f"Image {self.name!r} needs bytes, a path or a file_slice of a file: one of them, no more."
            )

    @property
    def label(self) -> str:
        return self.name or (self.path.name if self.path else "image")

    def read(self) -> bytes:
        """The encoded bytes. Raises DataError when the file is missing or cannot be read."""
        if self.problem:
            raise DataError(self.problem, "Check that the data set's images are complete.")
        if self.data is not None:
            return self.data
        try:
            return self._read_file()
        except (OSError, ValueError) as error:  # ValueError: a null byte in the name
            raise DataError(
                f"Image {self.where} cannot be read ({getattr(error, 'strerror', None) or error}).",
                "Check that the data set's images are complete.",
            ) from error

    @property
    def where(self) -> str:
        """How the user finds it: its path where it is a file, the archive and its name there, else its
        name."""
        if self.file_slice is not None:
            return f"{self.file_slice.path}: {self.label}"
        return str(self.path) if self.path is not None else repr(self.label)

    def _read_file(self) -> bytes:
        if self.path is not None:
            with _open_file(self.path) as stream:
                size = os.fstat(stream.fileno()).st_size
                if size > MAX_FILE:
                    raise OSError(f"{size:,} bytes are more than any image has; the limit is {MAX_FILE:,}")
                # One byte more than it said: a file that grows has no end.
                data = stream.read(size + 1)
            if len(data) > size:
                raise OSError("the file is being written")
            return data
        assert self.file_slice is not None
        if self.file_slice.size > MAX_FILE:
            raise OSError(f"{self.file_slice.size:,} bytes are more than any image has")
        with _open_file(self.file_slice.path) as stream:
            stream.seek(self.file_slice.offset)
            data = stream.read(self.file_slice.size)
        if len(data) != self.file_slice.size:
            raise OSError("the file is too short")
        return data

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Large bytes travel outside of the pickle where its reader takes them there (PEP 574): Ray then
        copies them once instead of three times."""
        if type(self) is not Image or self.data is None or len(self.data) < _LARGE or int(protocol) < 5:
            return object.__reduce_ex__(self, protocol)
        return _from_buffer, (pickle.PickleBuffer(self.data), self.name, self.problem)

    def sha256(self) -> str:
        """Hex digest of the encoded bytes: two images with the same digest are the same file."""
        return hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True, slots=True)
class ImageEncoding:
    """How a generated image is encoded; always lossless.

    Args:
        format: `png`, or `webp`, which is smaller and slower.
        level: effort, 0 (fast and large) to 9 (slow and small); None is Pillow's own choice.
    """

    format: Literal["png", "webp"] = "png"
    level: int | None = None

    def encode(self, image: PilImage) -> bytes:
        """The file's bytes, RGB."""
        stream = io.BytesIO()
        more: dict[str, int | bool] = {}
        if self.format == "webp":
            more = {"lossless": True, "method": 4 if self.level is None else min(6, self.level)}
        elif self.level is not None:
            more = {"compress_level": self.level}
        image.convert("RGB").save(stream, format=self.format.upper(), **more)
        return stream.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class RawImage(Image):
    """A generated image that is not encoded yet: it becomes a lossless file when its bytes are asked for.

    Adapters hand it back, so that the thread that feeds the device does not encode; the engine has it encoded
    by other threads.

    Args:
        pixels: a PIL image, which must not be changed any more.
        encoding: how; it changes bytes, not pixels.
    """

    pixels: PilImage | None = field(default=None, repr=False)
    encoding: ImageEncoding = ImageEncoding()
    _encoded: list[bytes] = field(default_factory=list, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.pixels is None or self.data or self.path or self.file_slice:
            raise DataError(f"Image {self.name!r} needs pixels, and no other source.")

    def read(self) -> bytes:
        """The encoded bytes; made by the first who asks, in whatever thread."""
        with self._lock:
            if not self._encoded:
                assert self.pixels is not None
                self._encoded.append(self.encoding.encode(self.pixels))
            return self._encoded[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RawImage) and self.name == other.name and self.read() == other.read()

    def __hash__(self) -> int:
        return hash((self.name, self.read()))

    def __reduce__(self) -> tuple[type[Image], tuple[bytes, None, str]]:
        """Travels encoded: another process gets a plain image."""
        return Image, (self.read(), None, self.name)


def _from_buffer(data: bytes | memoryview, name: str, problem: str) -> Image:
    return Image(bytes(data), name=name, problem=problem)


def _open_file(path: Path) -> BinaryIO:
    """Opens a plain file. Raises OSError for a pipe, which would wait for a writer, and for devices, which
    have no end; data sets from elsewhere may hold both."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a plain file")
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    stream = open(os.open(path, flags), "rb")  # noqa: SIM115, PTH123  (the caller closes it)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):  # it was replaced in between
        stream.close()
        raise OSError("it is not a plain file")
    return stream


Part = Text | Image
Document = tuple[Part, ...]


@quick_state
@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation: who speaks, and the text and images in their order."""

    role: Role
    parts: Document

    @property
    def images(self) -> tuple[Image, ...]:
        return tuple(part for part in self.parts if isinstance(part, Image))

    @property
    def text(self) -> str:
        """The text parts joined, images left out."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


def document(*parts: Part | str) -> Document:
    """A document from parts, where plain strings stand for text.

    >>> document("What is this?")
    (Text(text='What is this?'),)
    """
    return tuple(Text(part) if isinstance(part, str) else part for part in parts)


def user(*parts: Part | str) -> Message:
    """A user's turn."""
    return Message("user", document(*parts))


def assistant(*parts: Part | str) -> Message:
    """A model's turn, for few-shot examples."""
    return Message("assistant", document(*parts))


def system(text: str) -> Message:
    """A system prompt."""
    return Message("system", document(text))


def images_of(messages: Iterable[Message]) -> tuple[Image, ...]:
    """All images of a conversation in reading order."""
    return tuple(image for message in messages for image in message.images)


def images_within(value: Any) -> Iterator[Image]:
    """All images inside a sample's record, however nested."""
    if isinstance(value, Image):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from images_within(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from images_within(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from images_within(getattr(value, part.name))
