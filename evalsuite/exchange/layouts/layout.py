"""What a layout of images is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import SpecError
from evalsuite.request import GenerateImages, ImageResponse
from evalsuite.task import Sample, Task

_PLACEHOLDER = Image(b"", name="placeholder")


@dataclass(frozen=True, slots=True)
class Item:
    """A sample as a layout sees it.

    Args:
        prompt: the text of its first request.
        number: its place among the task's samples, from 0.
        counts: images that each of its requests asks for.
        size: width and height that the protocol asks for; None: the model's own.
        language: of the task's instructions, where its data has several.
        model: whose images they are.
    """

    sample: Sample
    prompt: str
    number: int
    counts: tuple[int, ...]
    size: tuple[int, int] | None
    language: str
    model: str

    @property
    def count(self) -> int:
        """Images of the sample."""
        return sum(self.counts)

    def label(self, name: str) -> str:
        """A label of the sample. Raises SpecError where it has none of that name."""
        if name not in self.sample.labels:
            raise SpecError(
                f"Sample {self.sample.id!r} has no label {name!r}, which the layout's folders are named by.",
                "Choose the format of this benchmark.",
            )
        return str(self.sample.labels[name])

    def record(self, name: str) -> Any:
        """A field of the sample's record. Raises SpecError where it has none of that name."""
        found = getattr(self.sample.record, name, None)
        if found is None:
            raise SpecError(
                f"Sample {self.sample.id!r} has no {name}, which the layout needs.",
                "Choose the format of this benchmark.",
            )
        return found


def _nothing(item: Item) -> dict[str, bytes]:
    return {}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a benchmark's official scorer wants images to be named.

    Args:
        path: (item, number of the image) -> path without its ending, in forward slashes.
        pattern: of such a path in a folder that somebody made; its groups identify a sample's image, decimal
            ones as numbers. It may allow for folders around.
        suffix: of the files that are written.
        grid: four images are one file, two by two.
        black: a tile that is wholly black is an image like others (the benchmark's scorer looks for them).
        ignored: paths without their ending that hold no image of the model.
        beside: further files of a sample, by path.
        language: which group of the pattern is the language; images of others are left out.
        counted: which group of the pattern is a number that goes on over all prompts: among files that are
            alike but for it, only its order says which image is meant.
    """

    name: str
    path: Callable[[Item, int], str]
    pattern: re.Pattern[str]
    suffix: str = ".png"
    grid: bool = False
    black: bool = False
    ignored: re.Pattern[str] | None = None
    beside: Callable[[Item], Mapping[str, bytes]] = field(default=_nothing)
    language: int | None = None
    counted: int | None = None

    def key(self, path: str) -> tuple[str, ...] | None:
        """What identifies an image, of its path without ending; None for a path of another form."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        return tuple(str(int(part)) if part.isdecimal() else part for part in match.groups())

    def ranked(self, keys: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """The keys with their places among those that are alike instead of counted numbers."""
        if self.counted is None:
            return list(keys)
        at = self.counted
        seen: Counter[tuple[str, ...]] = Counter()
        found: list[tuple[str, ...]] = []
        for key in keys:
            alike = (*key[:at], *key[at + 1 :])
            found.append((*key[:at], str(seen[alike]), *key[at + 1 :]))
            seen[alike] += 1
        return found

    def places(self, item: Item) -> list[tuple[str, tuple[int, ...]]]:
        """The files of a sample: path without ending, and the numbers of the images in it.

        Raises SpecError where the layout cannot hold the sample.
        """
        if self.grid and item.count > 1:
            if item.count != 4:
                raise SpecError(
                    f"The format {self.name} holds four images as a grid of 2×2, or one; this protocol asks "
                    f"for {item.count}.",
                    "Choose the benchmark's official protocol.",
                )
            return [(self._path(item, 0), (0, 1, 2, 3))]
        return [(self._path(item, number), (number,)) for number in range(item.count)]

    def _path(self, item: Item, number: int) -> str:
        path = self.path(item, number)
        parts = path.split("/")
        if self.key(path) is None or any(part in ("", ".", "..") or "\\" in part for part in parts):
            raise SpecError(
                f"Sample {item.sample.id!r} cannot be a file of the format {self.name}: {path!r:.120}.",
                "Choose the format of this benchmark.",
            )
        return path


def items(task: Task, language: str, model: str) -> Iterator[Item]:
    """The samples of a task as layouts see them, in order. Raises SpecError for a task without images."""
    for number, sample in enumerate(task.samples()):
        counts: list[int] = []
        earlier: list[ImageResponse] = []
        prompt, size = "", None
        while (request := task.request(sample, tuple(earlier))) is not None:
            output = request.output
            if not isinstance(output, GenerateImages):
                raise SpecError(
                    f"{task.info.name} asks for more than images.", "Layouts hold images of one prompt each."
                )
            if not earlier:
                prompt = "".join(message.text for message in request.messages if message.role == "user")
                if output.width and output.height:
                    size = output.width, output.height
            counts.append(output.count)
            earlier.append(ImageResponse((_PLACEHOLDER,) * output.count))
        yield Item(sample, prompt, number, tuple(counts), size, language, model)
