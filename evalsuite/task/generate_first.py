"""A question answered with an image that the model generates for it first, in any benchmark of questions.

    --task-option generate-first=yes     an image from the question's words
    --task-option edit-first=yes         an image made of the question's own image and its words

The same samples, rules and metrics: the paired difference to a run without it (`evalsuite compare`) is what
generating gains. Both steps are stored. The wording is that of UniG2U's generate-to-answer pairs in general
words; benchmarks with wordings of their own (RealUnify) declare them as steps of a cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image, Message, Part, Text
from evalsuite.errors import SpecError
from evalsuite.options import Option
from evalsuite.request import Capability, GenerateImages, ImageResponse, Request, Response
from evalsuite.task.types import Answered, Sample, Scores, Task, TaskInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

GENERATE, EDIT = "generate-first", "edit-first"
OPTIONS = (
    Option(
        GENERATE, "generates an image from the question first, and shows it with it", bool, adds=("image",)
    ),
    Option(EDIT, "edits the question's image first, and shows both", bool, adds=("edit",)),
)
ASKS = "Generate an image that helps to answer the following question.\n\n"
SHOWS = (
    "In addition to the original image, you are also given an image that you generated to help you answer "
    "the question.\n\n"
)


class GeneratesFirst:
    """A task whose every question is preceded by one generated image.

    Args:
        inner: the task; its samples ask one question each, and nobody judges them.
        edit: the first request shows the question's own images, too.

    Raises:
        SpecError: a judge grades the task, or it asks several questions a sample.
    """

    def __init__(self, inner: Task, edit: bool) -> None:
        from evalsuite.judging import Judged

        if isinstance(inner, Judged) or getattr(inner, "gated", False):
            why = "is graded by a judge" if isinstance(inner, Judged) else "asks twice"
            raise SpecError(
                f"{inner.info.name}: {EDIT if edit else GENERATE} is not possible, the task {why}.",
                "Leave it out, or choose other rules or another protocol.",
            )
        self._inner, self._edit = inner, edit

    @property
    def info(self) -> TaskInfo:
        found = self._inner.info
        needed: Capability = "edit" if self._edit else "image"
        return replace(
            found,
            protocol=f"{found.protocol}, {EDIT if self._edit else GENERATE}",
            needs=(needed, *(one for one in found.needs if one != needed)),
        )

    def fingerprint(self) -> str:
        return self._inner.fingerprint()

    def samples(self) -> Iterator[Sample]:
        return self._inner.samples()

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        asked = self._inner.request(sample, earlier[1:])
        if asked is None or len(earlier) > 1:
            return asked
        *before, last = asked.messages
        if not earlier:
            images: tuple[Part, ...] = last.images if self._edit else ()
            return Request((Message("user", (*images, Text(ASKS + last.text.strip()))),), GenerateImages())
        own = earlier[0].images if isinstance(earlier[0], ImageResponse) else ()
        place = max((k + 1 for k, part in enumerate(last.parts) if isinstance(part, Image)), default=0)
        parts = (*last.parts[:place], *own, Text(SHOWS), *last.parts[place:])
        return replace(asked, messages=(*before, replace(last, parts=_joined(parts))))

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The question's own image, then the right answer."""
        if earlier:
            found = getattr(self._inner, "reference_answer", None)
            return found(sample, earlier[1:]) if found else None
        asked = self._inner.request(sample, ())
        images = asked.messages[-1].images if asked else ()
        return ImageResponse(images[:1]) if images else None

    def target(self, sample: Sample) -> Any:
        return self._inner.target(sample)

    def score(self, answered: Sequence[Answered]) -> Scores:
        return self._inner.score([replace(one, responses=one.responses[1:]) for one in answered])

    def explain(self) -> Mapping[str, str]:
        """The protocol in words, for reports."""
        explained: Mapping[str, str] = getattr(self._inner, "explain", dict)()
        return {**explained, "generated first": ASKS, "shown with it": SHOWS}

    @property
    def scoring_rules(self) -> tuple[Any, ...]:
        """The named rules that score its answers."""
        return tuple(getattr(self._inner, "scoring_rules", ()))


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Texts that touch become one."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Text) and found and isinstance(found[-1], Text):
            found[-1] = Text(found[-1].text + part.text)
        else:
            found.append(part)
    return tuple(found)


def generating_first(task: Task, options: Mapping[str, str]) -> Task:
    """The task as its options ask: itself, or with one generated image before each question."""
    wanted = [
        option.name for option in OPTIONS if option.name in options and option.parse(options[option.name])
    ]
    if len(wanted) > 1:
        raise SpecError(f"{' and '.join(wanted)} exclude each other.", "Give one.")
    return GeneratesFirst(task, edit=wanted[0] == EDIT) if wanted else task
