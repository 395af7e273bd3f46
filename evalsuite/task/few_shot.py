"""In-context examples: how many, which, from where, and how they stand in the request.

`--task-option shots=4` (or `shots=4@7`: drawn with seed 7) shows k examples before every question. They come
from the split that the source names under `examples`, are drawn per question from a pool that the seed fixes,
and are part of the request; the task's protocol is then called "NAME, 4-shot from SPLIT, seed 0", so that no
leaderboard mixes shot counts. A question's own image is never among its examples.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from evalsuite.content import Image, Message, Part, Role
from evalsuite.errors import DataError, SpecError
from evalsuite.task import Sample
from evalsuite.task.prompts import Value, render

POOL = 512
"""Examples that are kept to draw from: their images may be held in memory."""


class ShotForm(BaseModel):
    """How a protocol shows examples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["turns", "inline"] = "turns"
    """`turns`: each example is a user's turn and the model's; `inline`: all stand in the question's turn."""
    answer: str = ""
    """What stands for the example's answer; fields `answer` and `prefill`. Empty: the answer, after the
    protocol's prefill and a space where there is one."""
    separator: str = "\n"
    """Between inline examples, and between the last and the question."""


@dataclass(frozen=True, slots=True)
class Shot:
    """An example ready to be shown: the values of the template's fields, and the right answer."""

    values: Mapping[str, Value]
    answer: str


@dataclass(frozen=True, slots=True)
class Shots:
    """How many examples are shown, and the seed that chooses them."""

    count: int
    seed: int = 0

    @classmethod
    def parse(cls, value: str) -> Shots | None:
        """From `4` or `4@7`; None for 0. Raises SpecError for anything else."""
        count, at, seed = value.partition("@")
        if not count.isdecimal() or len(value) > 30 or (at and not seed.isdecimal()):
            raise SpecError(
                f"Option shots={value!r} is not a number of examples.", "Write shots=4 or shots=4@7."
            )
        return cls(int(count), int(seed or 0)) if int(count) else None

    def pool(self, examples: Iterable[Sample]) -> tuple[Sample, ...]:
        """The examples to draw from: the `POOL` whose sha256 with the seed is least.

        Raises:
            DataError: fewer than are to be shown.
        """
        found = heapq.nsmallest(POOL, examples, key=lambda sample: _digest(self.seed, sample.id))
        if len(found) < self.count:
            raise DataError(
                f"The split of the examples has {len(found)} of the {self.count} that are to be shown.",
                "Is it complete? Or ask for fewer shots.",
            )
        return tuple(found)

    def draw(self, sample: Sample, pool: Sequence[Sample]) -> tuple[Sample, ...]:
        """The examples of one question: the same on every machine, none of the question's own image.

        Raises:
            DataError: too few examples of other images.
        """
        chosen: dict[int, Sample] = {}
        refused: set[int] = set()
        for step in _numbers(self.seed, sample.id):
            if len(chosen) == self.count:
                break
            if len(chosen) + len(refused) == len(pool):
                raise DataError(
                    f"Question {sample.id}: only {len(chosen)} examples show another image.",
                    f"{self.count} are to be shown; ask for fewer shots.",
                )
            place = step % len(pool)
            if place in chosen or place in refused:
                continue
            if same_image(sample, pool[place]):
                refused.add(place)
            else:
                chosen[place] = pool[place]
        return tuple(chosen.values())


def same_image(one: Sample, other: Sample) -> bool:
    """Whether two samples are about one image, as far as names, files and bytes show."""
    if one.cluster and one.cluster == other.cluster:
        return True
    mine, theirs = _image(one), _image(other)
    if mine is None or theirs is None:
        return one.id == other.id
    if mine.path is not None or theirs.path is not None:
        return mine.path == theirs.path
    return mine.data == theirs.data


def turns(
    shots: Sequence[Shot], form: ShotForm, template: str, prefill: str, question: tuple[Part, ...]
) -> tuple[Message, ...]:
    """The messages of the examples and of the question, which ends them."""
    pattern = form.answer or ("{prefill} {answer}" if prefill else "{answer}")
    shown = [
        (render(template, shot.values), render(pattern, {"prefill": prefill, "answer": shot.answer}))
        for shot in shots
    ]
    if form.form == "turns":
        roles: tuple[Role, Role] = ("user", "assistant")
        earlier = [Message(role, parts) for pair in shown for role, parts in zip(roles, pair, strict=True)]
        return (*earlier, Message("user", question))
    fields: dict[str, Value] = {"separator": form.separator, "question": question}
    wording = ""
    for number, (asked, answer) in enumerate(shown):
        fields[f"asked{number}"], fields[f"answer{number}"] = asked, answer
        wording += f"{{asked{number}}}{{answer{number}}}{{separator}}"
    return (Message("user", render(wording + "{question}", fields)),)


def _image(sample: Sample) -> Image | None:
    image = getattr(sample.record, "image", None)
    if image is None:
        image = next(iter(getattr(sample.record, "images", ())), None)
    return image if isinstance(image, Image) else None


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"shots/{seed}/{name}".encode()).digest()


def _numbers(seed: int, name: str) -> Iterator[int]:
    """Numbers without end that depend on the seed and the question alone."""
    step = 0
    while True:
        digest = hashlib.sha256(f"shots/{seed}/{name}/{step}".encode()).digest()
        yield from (int.from_bytes(digest[at : at + 4], "big") for at in range(0, 32, 4))
        step += 1


__all__ = ["POOL", "Shot", "ShotForm", "Shots", "same_image", "turns"]
