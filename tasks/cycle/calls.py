"""From declared steps to the calls of one sample, and from earlier responses to what a call shows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalsuite.content import Document, Image, Text
from evalsuite.errors import SampleError
from evalsuite.request import DocumentResponse, Response
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


@dataclass(frozen=True, slots=True)
class Results:
    """What a sample's steps gave by now, the latest of each name.

    Args:
        values: texts and images of the sample, and of steps.
        images: name of a step -> its images.
    """

    values: dict[str, Value]
    images: dict[str, list[Image]]


def results_of(sample: CycleSample, calls: Sequence[Call], responses: Sequence[Response]) -> Results:
    """Raises SampleError, which names the step, where one did not give what it should."""
    values: dict[str, Value] = {**sample.images, **sample.fields}
    latest: dict[str, int] = {}
    images: dict[str, list[Image]] = {}
    for made, response in zip(calls, responses, strict=False):
        name = made.step.called
        if made.step.images:
            if latest.get(name) != made.place:
                images[name] = []
            images[name] += given_images(made, response)
        elif made.step.verb == "document":
            parts = document_of(made, response)
            images[name] = [part for part in parts if isinstance(part, Image)]
            values[f"{name}_text"] = "".join(part.text for part in parts if isinstance(part, Text))
        elif made.step.verb == "caption":
            values[name] = written(made, response)
        latest[name] = made.place
    values |= {name: tuple(found) for name, found in images.items()}
    return Results(values, images)


def values_of(
    call: Call, sample: CycleSample, calls: Sequence[Call], earlier: Sequence[Response]
) -> dict[str, Value]:
    """The fields of a call's template.

    Raises SampleError, which names the step, where an earlier step did not give what it should.
    """
    found = results_of(sample, calls, earlier)
    values = found.values
    for name, k in call.image.items():
        values[name] = (found.images[name][k],)
    place = call.question
    if place is None and len(sample.questions) == 1 and QUESTION not in sample.fields:
        place = 0  # what is generated for the sample's only question may show it
    if place is not None:
        asked: CycleQuestion = sample.questions[place]
        values |= {
            QUESTION: asked.text,
            "options": "\n".join(f"{letter}. {text}" for letter, text in asked.options.items()),
        }
    return values


def written(call: Call, response: Response) -> str:
    """The text of a call. Raises SampleError, which names the step."""
    try:
        return text_of(response)
    except SampleError as error:
        raise SampleError(f"{call.words}: {error}") from error


def document_of(call: Call, response: Response) -> Document:
    """The document of a call. Raises SampleError, which names the step."""
    if not isinstance(response, DocumentResponse):
        raise SampleError(f"{call.words}: the answer is a {type(response).__name__}, not a document")
    return response.parts


def given_images(call: Call, response: Response) -> tuple[Image, ...]:
    """The images of a call. Raises SampleError, which names the step."""
    try:
        return generated_images(response, call.step.count)
    except SampleError as error:
        raise SampleError(f"{call.words}: {error}") from error
