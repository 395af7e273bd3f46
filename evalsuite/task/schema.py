"""What a benchmark's declarative file says, and reading it. CONTRIBUTING shows a whole file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from evalsuite.data.yamlfile import read_yaml, validated
from evalsuite.errors import SpecError, suggest
from evalsuite.request import (
    Capability,
    GenerateDocument,
    GenerateImages,
    GenerateText,
    ScoreChoices,
    all_needs,
)
from evalsuite.task import Metric
from evalsuite.task.aggregates import MetricSpec
from evalsuite.task.few_shot import ShotForm
from evalsuite.task.judge_spec import JudgeSpec
from evalsuite.task.prompts import POSTPROCESSORS, fields_of
from evalsuite.task.reading import Reader
from evalsuite.task.rules import Rule, RuleChoice
from evalsuite.task.sources import Source
from evalsuite.task.types import Breakdown

OUTPUTS: Mapping[str, type] = {
    "text": GenerateText,
    "choices": ScoreChoices,
    "image": GenerateImages,
    "edit": GenerateImages,
    "interleaved": GenerateDocument,
}


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Remove(Strict):
    """A step that removes a text wherever it occurs."""

    remove: str = Field(min_length=1)

    def __call__(self, text: str) -> str:
        return text.replace(self.remove, "")


class ForeignIds(Strict):
    """How another tool's files number this benchmark's samples, for `evalsuite import`: a number in a file
    stands for the sample `prefix` + (number - `offset`); an id of the form `pattern` for the sample `id`."""

    offset: int = Field(default=0, ge=0)
    prefix: str = ""
    pattern: str = ""
    """Regular expression of a whole id; its numbers are then no other tool's."""
    id: str = ""
    """The sample's id, with `\\1` for the first group of `pattern`."""
    note: str = ""
    """Whose files do."""


class ProtocolSpec(Strict):
    """A named protocol: the wording, exact to the space, the decoding and the postprocessing of the
    answer."""

    template: str
    """The user's turn; fields in braces stand for text and images of the sample."""
    preprocess: dict[str, tuple[str | Remove, ...]] = Field(default_factory=dict)
    """Field of the template -> steps that change its text first: names of postprocessing steps (`strip`), or
    `{remove: TEXT}`."""
    system: str = ""
    """System prompt; empty: none, and the model's own template may have its default."""
    prefill: str = ""
    """Beginning of the answer."""
    decoding: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the output: GenerateText, GenerateImages … A benchmark that needs several capabilities
    gives those of each output under its capability: `{image: {count: 4}, text: {max_new_tokens: 16}}`."""
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

    @field_validator("preprocess")
    @classmethod
    def _preprocess(cls, value: dict[str, tuple[str | Remove, ...]]) -> dict[str, tuple[str | Remove, ...]]:
        for steps in value.values():
            cls._postprocess(tuple(step for step in steps if isinstance(step, str)))
        return value

    @field_validator("postprocess")
    @classmethod
    def _postprocess(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in POSTPROCESSORS:
                raise ValueError(f"there is no postprocessing step {name!r}. {suggest(name, POSTPROCESSORS)}")
        return value


def _official() -> dict[str, RuleChoice]:
    return {"official": "official"}


class Benchmark(Strict):
    """A benchmark as its file declares it."""

    _folder: Path | None = PrivateAttr(default=None)
    _own_rules: tuple[Rule, ...] = PrivateAttr(default=())
    _own_readers: tuple[Reader, ...] = PrivateAttr(default=())

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    family: str
    """An installed family (`vqa`), a module beside this file (`my_family.py`), or a dotted module name."""
    version: str
    """Raised whenever the samples, a prompt or a score can change."""
    changes: dict[str, str] = Field(default_factory=dict)
    """Version above 1 -> why it was raised, one line."""
    split: str
    licence: str
    home: str
    """Paper or official repository."""
    capability: Capability
    """What the answer that is scored takes of a model."""
    needs: tuple[Capability, ...] = ()
    """All capabilities that a model must have, where that is more than one. `capability` may then be left
    out: it is the last of them."""
    metrics: tuple[MetricSpec, ...] = Field(min_length=1)
    rules: dict[str, RuleChoice] = Field(default_factory=_official, min_length=1)
    """Name -> scoring rule, by kind of question or label where it depends on them; the first is the default.
    A list stands for equal names."""
    by: tuple[Breakdown, ...] = ()
    """Labels that metrics are broken down by; `{name: capability, of: capabilities}` for every part of one
    that holds several."""
    count: int | None = Field(default=None, ge=0)
    """Samples in the complete official split."""
    foreign_ids: tuple[ForeignIds, ...] = ()
    """Other numberings of the samples in prediction files."""
    sources: tuple[Source, ...] = Field(min_length=1)
    protocols: dict[str, ProtocolSpec] = Field(min_length=1)
    """The first is the default."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What the family wants to know besides."""
    judge: JudgeSpec | None = None
    """A judge that reads what some of the rules leave open; see `evalsuite.task.judge_reading`."""
    example: dict[str, Any] = Field(default_factory=dict)
    """Of the record that `evalsuite show task` asks about: field -> what it is in this benchmark."""

    @field_validator("version", mode="before")
    @classmethod
    def _version(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("rules", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        return {str(name): str(name) for name in value} if isinstance(value, list) else value

    @model_validator(mode="before")
    @classmethod
    def _needs(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        needs = value.get("needs")
        if needs is None:
            return {**value, "needs": (value["capability"],)} if "capability" in value else value
        if not isinstance(needs, list | tuple) or not needs:
            raise ValueError("needs: a list of capabilities, such as [image, text]")
        capability = value.get("capability", needs[-1])
        if capability not in needs:
            raise ValueError(
                f"needs: the capability {capability!r} is not among {', '.join(map(str, needs))}"
            )
        return {**value, "capability": capability}

    @field_validator("needs")
    @classmethod
    def _each_once(cls, value: tuple[Capability, ...]) -> tuple[Capability, ...]:
        return all_needs(value[-1], value)

    @model_validator(mode="after")
    def _consistent(self) -> Benchmark:
        if sum(metric.headline for metric in self.metrics) != 1:
            raise ValueError("exactly one metric must be the headline")
        for name in self.judge.rules if self.judge else ():
            if name not in self.rules:
                raise ValueError(f"judge.rules: there are no rules {name!r}. {suggest(name, self.rules)}")
        for name, protocol in self.protocols.items():
            self._decodes(name, protocol)
        return self

    def _decodes(self, name: str, protocol: ProtocolSpec) -> None:
        several = len(self.needs) > 1
        for key, value in protocol.decoding.items() if several else ():
            if key not in self.needs or not isinstance(value, dict):
                raise ValueError(
                    f"protocols.{name}.decoding: {key!r} is none of {', '.join(self.needs)}; a benchmark that"
                    " needs several capabilities gives the decoding of each under its name"
                )
        for capability in self.needs:
            try:
                OUTPUTS[capability](**decoding_of(protocol, capability, several=several))
            except TypeError as error:
                message = str(error).replace("__init__() ", "")
                if capability != "choices":  # the choices come with each sample
                    where = f".{capability}" if several else ""
                    raise ValueError(f"protocols.{name}.decoding{where}: {message}") from error

    @property
    def folder(self) -> Path | None:
        """Where the file lies; None for a benchmark that was not read from a file."""
        return self._folder

    @property
    def own_rules(self) -> tuple[Rule, ...]:
        """The scoring rules that came with the file's plugin."""
        return self._own_rules

    @property
    def own_readers(self) -> tuple[Reader, ...]:
        """The table readers that came with the file's plugin."""
        return self._own_readers

    def metric(self, name: str) -> Metric:
        """The column of that name. Raises SpecError where the file declares none."""
        for metric in self.metrics:
            if metric.name == name:
                return metric.metric()
        raise SpecError(f"{self.name} declares no metric {name!r}.", "Correct the benchmark's file.")


def load(path: Path, rules: Iterable[Rule] = (), readers: Iterable[Reader] = ()) -> Benchmark:
    """A benchmark's file, with scoring rules and table readers that it may name besides the known ones.

    Raises SpecError that names the file and the field.
    """
    benchmark = validated(path, read_yaml(path), Benchmark)
    benchmark._folder = path.resolve().parent
    benchmark._own_rules = tuple(rules)
    benchmark._own_readers = tuple(readers)
    return benchmark


def decoding_of(
    protocol: ProtocolSpec, capability: Capability = "text", *, several: bool = False
) -> dict[str, Any]:
    """The arguments of one output: lists become tuples and a nested `image` an object, as its fields want
    them.

    Args:
        several: the benchmark needs several capabilities; the decoding of each stands under its name.
    """
    given = protocol.decoding.get(capability, {}) if several else protocol.decoding
    made: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    if isinstance(made.get("image"), dict):
        made["image"] = GenerateImages(**made["image"])
    return made


def _plain(check: Callable[[], Any]) -> None:
    try:
        check()
    except SpecError as error:
        raise ValueError(str(error)) from error
