"""What a benchmark's declarative file says, and reading it. CONTRIBUTING shows a whole file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from evalsuite.data.yamlfile import read_yaml, validated
from evalsuite.errors import SpecError, suggest
from evalsuite.request import Capability, GenerateDocument, GenerateImages, GenerateText, ScoreChoices
from evalsuite.task import Metric
from evalsuite.task.few_shot import ShotForm
from evalsuite.task.prompts import POSTPROCESSORS, fields_of
from evalsuite.task.sources import Source

OUTPUTS: Mapping[str, type] = {
    "text": GenerateText,
    "choices": ScoreChoices,
    "image": GenerateImages,
    "edit": GenerateImages,
    "interleaved": GenerateDocument,
}


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricSpec(Strict):
    """A column; see `evalsuite.task.Metric`."""

    name: str
    scale: float = 1.0
    higher_is_better: bool = True
    headline: bool = False
    digits: int = 1
    exceeds_one: bool = False

    def metric(self) -> Metric:
        return Metric(**self.model_dump())


class ForeignIds(Strict):
    """How another tool's files number this benchmark's samples, for `evalsuite import`: a number in a file
    stands for the sample `prefix` + (number - `offset`)."""

    offset: int = Field(default=0, ge=0)
    prefix: str = ""
    note: str = ""
    """Whose files do."""


class ProtocolSpec(Strict):
    """A named protocol: the wording, exact to the space, the decoding and the postprocessing of the
    answer."""

    template: str
    """The user's turn; fields in braces stand for text and images of the sample."""
    system: str = ""
    """System prompt; empty: none, and the model's own template may have its default."""
    prefill: str = ""
    """Beginning of the answer."""
    decoding: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the output: GenerateText, GenerateImages …"""
    postprocess: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("postprocess", "clean"))
    """Names of postprocessing steps, applied in order to the answer before scoring. `clean` is the deprecated
    name of this field."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What the family wants to know besides."""
    shots: ShotForm = ShotForm()
    """How in-context examples are shown where they are asked for (`--task-option shots=4`)."""
    note: str = ""
    """Where the wording comes from."""

    @field_validator("template")
    @classmethod
    def _template(cls, value: str) -> str:
        _plain(lambda: fields_of(value))
        return value

    @field_validator("postprocess")
    @classmethod
    def _postprocess(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in POSTPROCESSORS:
                raise ValueError(f"there is no postprocessing step {name!r}. {suggest(name, POSTPROCESSORS)}")
        return value


class Benchmark(Strict):
    """A benchmark as its file declares it."""

    _folder: Path | None = PrivateAttr(default=None)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    family: str
    """An installed family (`vqa`), a module beside this file (`my_family.py`), or a dotted module name."""
    version: str
    """Raised whenever the samples, a prompt or a score can change."""
    split: str
    licence: str
    home: str
    """Paper or official repository."""
    capability: Capability
    metrics: tuple[MetricSpec, ...] = Field(min_length=1)
    rules: dict[str, str] = Field(default_factory=lambda: {"official": "official"}, min_length=1)
    """Name -> the family's scoring rule; the first is the default. A list stands for equal names."""
    by: tuple[str, ...] = ()
    """Labels that metrics are broken down by."""
    count: int | None = Field(default=None, ge=0)
    """Samples in the complete official split."""
    foreign_ids: tuple[ForeignIds, ...] = ()
    """Other numberings of the samples in prediction files."""
    sources: tuple[Source, ...] = Field(min_length=1)
    protocols: dict[str, ProtocolSpec] = Field(min_length=1)
    """The first is the default."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What the family wants to know besides."""

    @field_validator("version", mode="before")
    @classmethod
    def _version(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("rules", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        return {str(name): str(name) for name in value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _consistent(self) -> Benchmark:
        if sum(metric.headline for metric in self.metrics) != 1:
            raise ValueError("exactly one metric must be the headline")
        for name, protocol in self.protocols.items():
            try:
                OUTPUTS[self.capability](**decoding_of(protocol))
            except TypeError as error:
                message = str(error).replace("__init__() ", "")
                if self.capability != "choices":  # the choices come with each sample
                    raise ValueError(f"protocols.{name}.decoding: {message}") from error
        return self

    @property
    def folder(self) -> Path | None:
        """Where the file lies; None for a benchmark that was not read from a file."""
        return self._folder

    def metric(self, name: str) -> Metric:
        """The column of that name. Raises SpecError where the file declares none."""
        for metric in self.metrics:
            if metric.name == name:
                return metric.metric()
        raise SpecError(f"{self.name} declares no metric {name!r}.", "Correct the benchmark's file.")


def load(path: Path) -> Benchmark:
    """A benchmark's file. Raises SpecError that names the file and the field."""
    benchmark = validated(path, read_yaml(path), Benchmark)
    benchmark._folder = path.resolve().parent
    return benchmark


def decoding_of(protocol: ProtocolSpec) -> dict[str, Any]:
    """Lists become tuples and a nested `image` an object, as the output's fields want them."""
    made: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in protocol.decoding.items()
    }
    if isinstance(made.get("image"), dict):
        made["image"] = GenerateImages(**made["image"])
    return made


def _plain(check: Callable[[], Any]) -> None:
    try:
        check()
    except SpecError as error:
        raise ValueError(str(error)) from error
