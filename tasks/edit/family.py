"""Editing by instruction: a source picture and what to do, measured against the picture that people
accepted."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.content import Image
from evalsuite.data import magicbrush
from evalsuite.data.magicbrush import Session, Turn
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.request import GenerateImages, ImageResponse, Request, Response
from evalsuite.task import Answered, Sample, Scores, TaskInfo

from .. import networks
from ..benchmark import Plan
from ..family import FamilyTask
from ..miniature import SceneTruth
from ..networks import Columns, NetworkSettings, choose_columns
from ..sources import Located
from .scoring import ColumnSettings, Scorer

OPTIONS = networks.OPTIONS


class Settings(BaseModel):
    """What an editing benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: dict[str, NetworkSettings] = Field(default_factory=dict)
    columns: dict[str, ColumnSettings]
    truth: Literal["", "mini-world"] = ""


class ProtocolSettings(BaseModel):
    """What a protocol says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    turns: Literal["single", "multi"] = "single"
    """`single`: every turn is a sample and starts from the official picture before it. `multi`: a session is
    a sample, each turn edits the model's own previous result, and the last result is scored."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What is asked: instructions in a row, of which the last one's result is scored."""

    session: str
    turns: tuple[Turn, ...]

    @property
    def last(self) -> Turn:
        return self.turns[-1]


def read_folder(source: Located) -> Iterator[Session]:
    """MagicBrush's test folder: `sessions`, `images` and, where there are any, `descriptions`."""
    described = source.path("descriptions") if source.has("descriptions") else None
    return magicbrush.read_sessions(source.path("sessions"), source.folder_of("images"), described)


def read_table(source: Located) -> Iterator[Session]:
    """A table with the columns session, turn, source, instruction, target and, where named, description."""
    return magicbrush.read_columns(source.paths("table"), source.columns)


READERS = MappingProxyType({"magicbrush-folder": read_folder, "magicbrush-table": read_table})


def build(plan: Plan) -> EditTask:
    """The task of an editing benchmark.

    Raises SpecError for a malformed file, UnavailableError when the headline's network is not here.
    """
    settings = plan.settings(Settings)
    name = plan.benchmark.name
    for metric in plan.benchmark.metrics:
        if metric.name not in settings.columns:
            raise SpecError(
                f"{name}: settings.columns does not say how {metric.name!r} is computed.",
                "Correct the benchmark's file.",
            )
    output = plan.output()
    if not isinstance(output, GenerateImages) or output.count != 1:
        raise SpecError(f"{name}: editing asks for one picture per turn.", "Correct the protocol's decoding.")
    described = plan.source.has("descriptions") or "description" in plan.source.columns

    def unavailable(column: str) -> str:
        if settings.columns[column].measure == "text" and not described:
            return f"The source {plan.source.reader} has no descriptions of the results."
        return ""

    needs = {column: (how.network,) if how.network else () for column, how in settings.columns.items()}
    columns = choose_columns(plan, settings.networks, needs, unavailable)
    plan.source.paths(next(iter(plan.source.files)))
    return EditTask(plan, settings, columns)


class EditTask(FamilyTask):
    """An editing benchmark in one protocol; template fields: `image`, `instruction`."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self.turns = plan.settings(ProtocolSettings, protocol=True).turns
        self._read = partial(plan.reader(READERS), plan.source)

    @property
    def info(self) -> TaskInfo:
        return self.columns.info

    @cached_property
    def _truth(self) -> SceneTruth | None:
        return SceneTruth.read(self.plan.source) if self.settings.truth else None

    def _samples(self) -> Iterator[Sample]:
        for session in self._read():
            length = {"turns": str(len(session.turns))}
            if self.turns == "multi":
                edit = Edit(session.id, session.turns)
                yield Sample(session.id, edit, cluster=session.id, labels=length | self._labels(edit))
                continue
            for turn in session.turns:
                edit = Edit(session.id, (turn,))
                labels = {"turn": str(turn.number)} | length | self._labels(edit)
                yield Sample(f"{session.id}-{turn.number}", edit, cluster=session.id, labels=labels)

    def _labels(self, edit: Edit) -> dict[str, str]:
        return self._truth.edit_labels(edit.last.target.label) if self._truth else {}

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        """The next turn. Raises DataError for a broken source, SampleError when the turn before gave no
        picture."""
        edit: Edit = sample.record
        if len(earlier) >= len(edit.turns):
            return None
        turn = edit.turns[len(earlier)]
        source = turn.source
        if earlier:
            before = earlier[-1]
            if not isinstance(before, ImageResponse) or not before.images:
                raise SampleError(
                    f"Session {edit.session}: turn {len(earlier)} gave no picture to go on from."
                )
            source = before.images[0]
        request = self.plan.request({"image": source, "instruction": turn.instruction})
        output = request.output
        assert isinstance(output, GenerateImages)
        if output.width is None or output.height is None:
            # The first picture's size: what a model makes of it in a turn must not change what the next one
            # is.
            width, height = picture_size(edit.turns[0].source)
            output = replace(output, width=output.width or width, height=output.height or height)
        return replace(request, output=output)

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The picture that people accepted as the turn's result."""
        return ImageResponse((sample.record.turns[len(earlier)].target,))

    def target(self, sample: Sample) -> Any:
        last: Turn = sample.record.last
        return {
            "instructions": [turn.instruction for turn in sample.record.turns],
            "picture": {"image": last.target.label, "sha256": last.target.sha256()},
            "description": last.description,
        }

    def score(self, answered: Iterable[Answered]) -> Scores:
        how = {name: self.settings.columns[name] for name in self.columns.names}
        return Scorer(self.columns, how, self._truth, self.plan.benchmark.by).score(answered)


def picture_size(image: Image) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. Raises DataError for a file that is no picture."""
    from PIL import Image as pil

    try:
        with pil.open(io.BytesIO(image.read())) as opened:
            return opened.size
    except (OSError, ValueError, SyntaxError, pil.DecompressionBombError) as error:
        raise DataError(
            f"Image {image.path or image.label} cannot be read ({error}).", "Fetch it again."
        ) from error
