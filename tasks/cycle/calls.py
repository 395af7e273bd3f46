"""From declared steps to the calls of one sample, and from earlier responses to what a call shows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.request import Response
from evalsuite.task import Value, generated_images, text_of

from .records import CycleQuestion, CycleSample
from .settings import QUESTION, Step, flat


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a sample.

    Args:
        place: of its step among all steps that run, from 1.
        image: name of a step -> which of its images is shown, where `each` goes through them.
        question: which of the sample's questions is asked; None: no one.
    """

    step: Step
    place: int
    image: Mapping[str, int] = field(default_factory=dict)
    question: int | None = None

    @property
    def words(self) -> str:
        """For messages: which step this is."""
        more = [f"image {k + 1} of {name}" for name, k in self.image.items()]
        more += [f"question {self.question + 1}"] if self.question is not None else []
        return f"step {self.place} ({self.step.verb} {self.step.called})" + "".join(
            f", {one}" for one in more
        )


def calls_of(steps: tuple[Step, ...], sample: CycleSample) -> list[Call]:
    """All calls of a sample, in order."""
    found: list[Call] = []
    counts: dict[str, int] = {}
    for place, step in enumerate(flat(steps), start=1):
        ranges = [range(len(sample.questions) if name == QUESTION else counts[name]) for name in step.each]
        for picks in itertools.product(*ranges):
            chosen = dict(zip(step.each, picks, strict=True))
            question = chosen.pop(QUESTION, 0 if step.verb == "ask" and sample.questions else None)
            found.append(Call(step, place, chosen, question))
        if step.images:
            counts[step.called] = step.count * max(1, len(list(itertools.product(*ranges))))
    return found


def values_of(
    call: Call, sample: CycleSample, calls: Sequence[Call], earlier: Sequence[Response]
) -> dict[str, Value]:
    """The fields of a call's template.

    Raises SampleError, which names the step, where an earlier step did not give what it should.
    """
    values: dict[str, Value] = {**sample.images, **sample.fields}
    latest: dict[str, int] = {}
    images: dict[str, list[Image]] = {}
    for made, response in zip(calls, earlier, strict=False):
        name = made.step.called
        if made.step.images:
            if latest.get(name) != made.place:
                images[name] = []
            images[name] += given_images(made, response)
        elif made.step.verb == "caption":
            values[name] = text_of(response)
        latest[name] = made.place
    values |= {name: tuple(found) for name, found in images.items()}
    for name, k in call.image.items():
        values[name] = (images[name][k],)
    if call.question is not None:
        asked: CycleQuestion = sample.questions[call.question]
        values |= {
            QUESTION: asked.text,
            "options": "\n".join(f"{letter}. {text}" for letter, text in asked.options.items()),
        }
    return values


def given_images(call: Call, response: Response) -> tuple[Image, ...]:
    """The images of a call. Raises SampleError, which names the step."""
    try:
        return generated_images(response, call.step.count)
    except SampleError as error:
        raise SampleError(f"{call.words}: {error}") from error
