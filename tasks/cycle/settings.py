"""The steps of a cycle, as a protocol's `settings` declare them.

    settings:
      steps:
        - {generate: "{prompt}", count: 4, name: own}
        - {ask: "{own}{question}", each: [own, question]}

A step has one verb: `generate` (images from text), `edit` (images from text and images), `document` (text and
images in one answer), `ask` (an answer that is scored), `caption` (a text that is not), or `repeat: N` with
`steps`, which runs them N times. Its template's fields are those of the sample (`prompt`, `image`, `true`,
further columns), of the question (`question`, `options`), and the names of earlier steps, which stand for all
images, or the text, that the latest step of that name gave (the text of a document NAME is `NAME_text`). What
`each` names is gone through one by one: the images of a step, the sample's questions.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evalsuite.errors import SpecError, suggest
from evalsuite.task import fields_of
from evalsuite.task.networks import NetworkSettings

from .judge_settings import JudgeSettings
from .puzzle_settings import Puzzle
from .similarity_settings import Decay, Nearest, Similarity

VERBS = ("generate", "edit", "document", "ask", "caption")
QUESTION = "question"


class Step(BaseModel):
    """One step; see the module."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generate: str = ""
    edit: str = ""
    document: str = ""
    ask: str = ""
    caption: str = ""
    repeat: int = Field(default=0, ge=0)
    steps: tuple[Step, ...] = ()
    name: str = ""
    """What later steps and the breakdown `step` call its result. Default: its verb."""
    count: int = Field(default=1, ge=1)
    """Images of one `generate` or `edit`."""
    each: tuple[str, ...] = ()

    @field_validator("each", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_verb(self) -> Self:
        verbs = [verb for verb in VERBS if getattr(self, verb)]
        if bool(self.repeat) != bool(self.steps):
            raise ValueError("repeat and steps belong together: how often, and what")
        if len(verbs) + bool(self.repeat) != 1:
            raise ValueError(f"a step has one of {', '.join(VERBS)} and repeat, not {len(verbs) or 'none'}")
        if self.count > 1 and self.verb in ("ask", "caption", "document"):
            raise ValueError(f"count is of images; a step that says {self.verb} has none")
        if self.verb == "ask" and self.each and QUESTION not in self.each and self.repeat:
            raise ValueError("each of a repeated step belongs to the steps inside")
        if self.template:
            try:
                fields_of(self.template)
            except SpecError as error:
                raise ValueError(str(error)) from error
        return self

    @cached_property
    def verb(self) -> str:
        return next((verb for verb in VERBS if getattr(self, verb)), "repeat")

    @cached_property
    def template(self) -> str:
        return next((getattr(self, verb) for verb in VERBS if getattr(self, verb)), "")

    @cached_property
    def called(self) -> str:
        return self.name or self.verb

    @cached_property
    def images(self) -> bool:
        """Whether it gives images."""
        return self.verb in ("generate", "edit")


class Settings(BaseModel):
    """What a cycle's file may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    truth: Literal["", "mini-world"] = ""
    """Who knows what generated images must show: the miniature's exact checker."""
    judge: JudgeSettings | None = None
    """A judge of what a sample ends with; its answers then are all that is scored."""
    networks: dict[str, NetworkSettings] = Field(default_factory=dict)
    """Feature networks by name."""
    similarities: dict[str, tuple[Similarity, ...]] = Field(default_factory=dict)
    """Column -> how like the beginning the results of a step are; several comparisons fill it together."""
    decays: dict[str, Decay] = Field(default_factory=dict)
    """Metric -> a parameter of the curve through similarities by generation."""
    nearest: dict[str, Nearest] = Field(default_factory=dict)
    """Column -> which of several given images a generated one is like."""
    puzzle: Puzzle | None = None
    """Images that show the moves of a puzzle, one after the other."""

    @field_validator("similarities", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: (one,) if isinstance(one, dict) else one for name, one in value.items()}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that these settings fill."""
        judged = self.judge.columns if self.judge else ()
        both = [name for one in self.nearest.values() for name in one.both]
        moved = self.puzzle.columns if self.puzzle else ()
        return (*judged, *self.similarities, *self.nearest, *both, *moved)

    @property
    def scores(self) -> bool:
        """Whether anything is scored besides answers."""
        return bool(self.truth or self.columns)


class ProtocolSettings(BaseModel):
    """What a protocol may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names(self) -> Self:
        known, texts = {QUESTION}, set[str]()
        for step in flat(self.steps):
            for name in step.each:
                if name in texts:
                    raise ValueError(f"each: how many images {name!r} gives is not known before it is run")
                if name not in known:
                    raise ValueError(f"each: no earlier step is called {name!r}. {suggest(name, known)}")
            (known if step.images else texts).add(step.called)
        return self


def flat(steps: tuple[Step, ...]) -> list[Step]:
    """The steps in the order in which they run, repeats written out."""
    found: list[Step] = []
    for step in steps:
        found += flat(step.steps) * step.repeat if step.repeat else [step]
    return found
