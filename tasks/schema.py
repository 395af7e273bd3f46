"""What a benchmark's declarative file says, and reading it. CONTRIBUTING shows a whole file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evalsuite.data.yamlfile import read_yaml, validated
from evalsuite.errors import SpecError
from evalsuite.registry import suggest
from evalsuite.request import Capability, GenerateDocument, GenerateImages, GenerateText, ScoreChoices
from evalsuite.task import Metric

from .prompts import CLEANUPS, fields_of
from .shots import ShotForm
from .sources import Source

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


class ProtocolSpec(Strict):
    """A named protocol: the wording, exact to the space, the decoding and the clean-up of the answer."""

    template: str
    """The user's turn; fields in braces stand for text and images of the sample."""
    system: str = ""
    """System prompt; empty: none, and the model's own template may have its default."""
    prefill: str = ""
    """Beginning of the answer."""
    decoding: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the output: GenerateText, GenerateImages …"""
    clean: tuple[str, ...] = ()
    """Names of clean-ups, applied in order before scoring."""
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

    @field_validator("clean")
    @classmethod
    def _clean(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in CLEANUPS:
                raise ValueError(f"there is no clean-up {name!r}. {suggest(name, CLEANUPS)}")
        return value


class Benchmark(Strict):
    """A benchmark as its file declares it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    family: str
    """A folder beside this module (`vqa`), or the dotted name of a module of one's own."""
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
    count: int | None = Field(default=None, ge=1)
    """Samples in the complete official split."""
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

    def metric(self, name: str) -> Metric:
        """The column of that name. Raises SpecError where the file declares none."""
        for metric in self.metrics:
            if metric.name == name:
                return metric.metric()
        raise SpecError(f"{self.name} declares no metric {name!r}.", "Correct the benchmark's file.")


def load(path: Path) -> Benchmark:
    """A benchmark's file. Raises SpecError that names the file and the field."""
    return validated(path, read_yaml(path), Benchmark)


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
