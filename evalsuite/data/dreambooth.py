"""DreamBench (google/dreambooth): subjects in images, their classes, and prompts for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from evalsuite.content import Image
from evalsuite.data.files import inside
from evalsuite.data.folders import images_in
from evalsuite.deprecation import Moved, warn
from evalsuite.errors import DataError

OBJECT, LIVE = "object", "live"
_PROMPT = re.compile(r"""^\s*(['"])(?P<text>.*)\1\.format\(\s*unique_token\s*,\s*class_token\s*\)\s*,?\s*$""")
_REMEDY = "Take prompts_and_classes.txt of the repository google/dreambooth."


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject.

    Args:
        name: of its folder.
        class_name: what kind of thing it is ("stuffed animal").
        kind: `object` or `live`: which list of prompts it is asked with.
        images: all real images of it, in the order of their names.
    """

    name: str
    class_name: str
    kind: str
    images: tuple[Image, ...]

    @property
    def pictures(self) -> tuple[Image, ...]:
        """Deprecated name of `images`."""
        warn("Subject.pictures", Moved("Subject.images"))
        return self.images


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The classes by subject, and the prompts by kind, with `{0}` for a token and `{1}` for the class."""

    classes: dict[str, str]
    prompts: dict[str, tuple[str, ...]]


def prompt(template: str, class_name: str, token: str = "") -> str:
    """The prompt of a subject; without a token, its place closes up.

    >>> prompt("a {0} {1} in the jungle", "dog")
    'a dog in the jungle'
    """
    filled = template.replace("{0} ", f"{token} " if token else "").replace("{0}", token)
    return filled.replace("{1}", class_name)


def read_prompts_and_classes(path: Path) -> Benchmark:
    """The file `prompts_and_classes.txt`, read as text: nothing in it is executed.

    Raises:
        DataError: the file is missing, or has no table of classes or not both lists of prompts, or a line is
            none of them.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}).", _REMEDY) from error
    classes: dict[str, str] = {}
    prompts: dict[str, list[str]] = {}
    section = ""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text in ("", "Prompts", "]", "prompt_list = [", "subject_name,class"):
            continue
        if text in ("Classes", "Object Prompts", "Live Subject Prompts"):
            section = {"Classes": "classes", "Object Prompts": OBJECT}.get(text, LIVE)
            continue
        found = _PROMPT.match(line)
        name, comma, class_name = text.partition(",")
        if section == "classes" and comma and name and class_name:
            classes[name.strip()] = class_name.strip()
        elif section in (OBJECT, LIVE) and found and "{1}" in found["text"]:
            prompts.setdefault(section, []).append(found["text"])
        else:
            raise DataError(f"{path}, line {number} is neither a class nor a prompt: {text:.60}", _REMEDY)
    if not classes or set(prompts) != {OBJECT, LIVE}:
        lacking = "classes" if not classes else "both lists of prompts"
        raise DataError(f"{path} has no {lacking}.", _REMEDY)
    return Benchmark(classes, {kind: tuple(texts) for kind, texts in prompts.items()})


def read_subjects(benchmark: Benchmark, folder: Path, live: Iterable[str]) -> Iterator[Subject]:
    """The subjects in the order of the table, with their images.

    Args:
        folder: holds a folder per subject.
        live: the classes of live subjects, which the file does not name.

    Raises:
        DataError: a subject's folder is missing or holds no image, a name leaves the folder.
    """
    alive = frozenset(live)
    for name, class_name in benchmark.classes.items():
        place = inside(folder, name)
        try:
            found = images_in(place)
        except DataError as error:
            raise DataError(
                f"The images of subject {name} cannot be read: {error.what}", "Fetch the data set again."
            ) from error
        images = tuple(replace(image, name=f"{name}/{image.name}") for image in found)
        yield Subject(name, class_name, LIVE if class_name in alive else OBJECT, images)
