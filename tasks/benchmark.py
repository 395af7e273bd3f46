"""Declarative benchmarks: a YAML file says what a benchmark is, its family's Python says how it works.

`entries(folder)` turns the files of a folder into registry entries; anybody's plugin can call it with a
folder of its own. CONTRIBUTING shows a whole file.
"""

from __future__ import annotations

import hashlib
import heapq
import importlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evalsuite.content import Message, Text
from evalsuite.data.inspection import DataReport
from evalsuite.errors import DataError, SpecError
from evalsuite.registry import BrokenEntry, SuiteEntry, TaskEntry, TaskOptions, suggest
from evalsuite.request import (
    Capability,
    GenerateDocument,
    GenerateImages,
    GenerateText,
    Output,
    Request,
    ScoreChoices,
    fingerprint,
)
from evalsuite.spec import TaskSpec
from evalsuite.task import Metric, Sample, Task, TaskInfo

from .prompts import CLEANUPS, Value, fields_of, render
from .sources import Located, Source, locate

_log = logging.getLogger(__name__)
_Settings = TypeVar("_Settings", bound=BaseModel)
_OUTPUTS: Mapping[str, type] = {
    "text": GenerateText,
    "choices": ScoreChoices,
    "image": GenerateImages,
    "edit": GenerateImages,
    "interleaved": GenerateDocument,
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricSpec(_Strict):
    """A column; see `evalsuite.task.Metric`."""

    name: str
    scale: float = 1.0
    higher_is_better: bool = True
    headline: bool = False
    digits: int = 1

    def metric(self) -> Metric:
        return Metric(**self.model_dump())


class ProtocolSpec(_Strict):
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


class Benchmark(_Strict):
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
                _OUTPUTS[self.capability](**_decoding(protocol))
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


@dataclass(frozen=True)
class Plan:
    """A benchmark with everything chosen that a user may choose; families build their task from it.

    Args:
        rule: the family's scoring rule that `rules` stands for.
        options: the family's further options, checked against those it knows.
    """

    benchmark: Benchmark
    protocol_name: str
    protocol: ProtocolSpec
    rules: str
    rule: str
    options: Mapping[str, str]
    source: Located

    @property
    def info(self) -> TaskInfo:
        made = self.benchmark
        split = made.split
        if "subset" in self.options:
            count, seed = _subset(self.options["subset"])
            of = f" of {made.count:,}" if made.count else ""
            split = f"{split}, {count:,}{of} drawn with seed {seed}"
        return TaskInfo(
            name=made.name,
            version=made.version,
            capability=made.capability,
            split=split,
            protocol=self.protocol_name,
            rules=self.rules,
            metrics=tuple(metric.metric() for metric in made.metrics),
            title=made.title,
            source=made.home,
        )

    def fingerprint(self) -> str:
        """Digest of the data files and of the options that choose among them."""
        return fingerprint({"data": self.source.fingerprint(), "options": dict(self.options)})

    def messages(self, values: Mapping[str, Value], template: str = "") -> tuple[Message, ...]:
        """The conversation: the system prompt, where there is one, and the rendered user's turn."""
        head = (Message("system", (Text(self.protocol.system),)),) if self.protocol.system else ()
        return (*head, Message("user", render(template or self.protocol.template, values)))

    def output(self, **more: Any) -> Output:
        """The output that the protocol's decoding describes; `more` goes beyond it (choices)."""
        made: Output = _OUTPUTS[self.benchmark.capability](**_decoding(self.protocol), **more)
        return made

    def request(self, values: Mapping[str, Value]) -> Request:
        """Template, decoding and prefill with these values."""
        return Request(self.messages(values), self.output(), prefill=self.protocol.prefill)

    def settings(self, kind: type[_Settings], *, protocol: bool = False) -> _Settings:
        """The benchmark's (or the protocol's) `settings` as the family's own model. Raises SpecError."""
        value = self.protocol.settings if protocol else self.benchmark.settings
        where = f"protocols.{self.protocol_name}.settings" if protocol else "settings"
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            raise SpecError(f"{self.benchmark.name}: {where}: {_explain(error)}") from error

    def reader(self, readers: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
        """The family's reader of the chosen source. Raises SpecError for an unknown name."""
        name = self.source.reader
        if name not in readers:
            raise SpecError(f"{self.benchmark.name}: there is no reader {name!r}.", suggest(name, readers))
        return readers[name]

    def select(self, make: Callable[[], Iterator[Sample]]) -> Iterator[Sample]:
        """The samples of `make()`, or of them the drawn subset, in their official order.

        Raises:
            DataError: no samples, or one id twice.
        """
        keep: frozenset[str] | None = None
        if "subset" in self.options:
            count, seed = _subset(self.options["subset"])
            keep = draw((sample.id for sample in make()), count, seed)
        seen: set[str] = set()
        for sample in make():
            if sample.id in seen:
                raise DataError(
                    f"{self.benchmark.name}: the id {sample.id!r} occurs twice in {self.source.folder}.",
                    "Remove one of the two.",
                )
            seen.add(sample.id)
            if keep is None or sample.id in keep:
                yield sample
        if not seen:
            raise DataError(
                f"{self.benchmark.name}: {self.source.folder} holds no samples.", "Fetch it again."
            )
        official = self.benchmark.count
        if official and len(seen) != official:
            _log.warning(
                "%s has %d samples here, the official split has %d.", self.benchmark.name, len(seen), official
            )


def draw(ids: Iterable[str], count: int, seed: int = 0) -> frozenset[str]:
    """A random subset that is the same on every machine: the `count` ids whose sha256 with the seed is least.

    >>> draw(["a", "b", "c"], 2) == draw(["c", "b", "a"], 2)
    True
    """

    def key(name: str) -> bytes:
        return hashlib.sha256(f"{seed}/{name}".encode()).digest()

    return frozenset(heapq.nsmallest(count, ids, key=key))


def load(path: Path) -> Benchmark:
    """A benchmark's file. Raises SpecError that names the file and the field."""
    value = _read_yaml(path)
    try:
        return Benchmark.model_validate(value)
    except ValidationError as error:
        raise SpecError(f"{path}: {_explain(error)}", "Correct the file.") from error


def entries(folder: Path | str) -> list[TaskEntry | BrokenEntry]:
    """The registry entries of all benchmark files (`*.yaml`) in a folder and its subfolders, sorted by name.

    The folder `suites` is left out. Nothing is imported or opened beyond these files until an entry is built.
    A malformed file becomes an entry that says so, and hides no other.
    """
    root = Path(folder)
    paths = [path for path in root.rglob("*.yaml") if path.parent.name != "suites"]
    found: list[TaskEntry | BrokenEntry] = []
    for path in sorted(paths, key=lambda path: path.stem):
        try:
            found.append(_entry(load(path)))
        except SpecError as error:
            found.append(BrokenEntry(path.stem, str(error)))
    return found


class _Suite(_Strict):
    name: str
    title: str
    tasks: tuple[TaskSpec, ...] = Field(min_length=1)
    models: tuple[str, ...] = ()


def suite_entries(folder: Path | str) -> list[SuiteEntry]:
    """The suites (`*.yaml`) of a folder. Raises SpecError that names the file and the field."""
    found = []
    for path in sorted(Path(folder).glob("*.yaml")):
        value = _read_yaml(path)
        if isinstance(value, dict) and isinstance(value.get("tasks"), list):
            # A task without options is written as its name alone.
            value["tasks"] = [{"name": task} if isinstance(task, str) else task for task in value["tasks"]]
        try:
            suite = _Suite.model_validate(value)
        except ValidationError as error:
            raise SpecError(f"{path}: {_explain(error)}", "Correct the file.") from error
        found.append(SuiteEntry(suite.name, suite.title, suite.tasks, suite.models))
    return found


def _entry(benchmark: Benchmark) -> TaskEntry:
    return TaskEntry(
        name=benchmark.name,
        title=benchmark.title,
        capability=benchmark.capability,
        metrics=tuple(metric.metric() for metric in benchmark.metrics),
        protocols=tuple(benchmark.protocols),
        rules=tuple(benchmark.rules),
        build=lambda options: build(benchmark, options),
        family=benchmark.family,
        inspect=lambda data, read: _inspect(benchmark, data, read),
    )


def _inspect(benchmark: Benchmark, data: Path | None, read: bool) -> DataReport:
    from .checking import inspect  # which builds benchmarks, and so needs this module

    return inspect(benchmark, data, read=read)


def build(benchmark: Benchmark, options: TaskOptions) -> Task:
    """The task, with its data found. Raises SpecError for unknown names, DataError for missing data.

    The family is a module with `build(plan) -> Task` and, where it knows options of its own, a tuple
    `OPTIONS`. Every family knows `subset` ("600": so many samples, drawn with seed 0; "600@7": with seed 7)
    and `source` (the reader to use when there are several).
    """
    protocol = _named(benchmark.name, "protocol", options.protocol, benchmark.protocols)
    rules = _named(benchmark.name, "scoring rules", options.rules, benchmark.rules)
    module = family_module(benchmark.family)
    known = ("subset", "source", *getattr(module, "OPTIONS", ()))
    for name in options.options:
        if name not in known:
            raise SpecError(f"{benchmark.name} has no option {name!r}.", suggest(name, known))
    if "subset" in options.options:
        _subset(options.options["subset"])
    source = locate(
        benchmark.name, benchmark.sources, options.data, options.options.get("source", ""), benchmark.licence
    )
    chosen = {name: value for name, value in options.options.items() if name != "source"}
    made: Task = module.build(
        Plan(
            benchmark, protocol, benchmark.protocols[protocol], rules, benchmark.rules[rules], chosen, source
        )
    )
    return made


def family_module(family: str) -> Any:
    """The Python of a family. Raises SpecError where there is none."""
    name = family if "." in family else f"{__package__}.{family}.family"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise SpecError(
            f"There is no task family {family!r}.",
            "Name a folder of evalsuite_tasks or a module of your own.",
        ) from error
    if not callable(getattr(module, "build", None)):
        raise SpecError(f"The task family {family!r} has no function build(plan).", "Define it.")
    return module


def _named(benchmark: str, what: str, wanted: str | None, known: Mapping[str, Any]) -> str:
    if wanted is None:
        return next(iter(known))
    if wanted not in known:
        raise SpecError(f"{benchmark} has no {what} {wanted!r}.", suggest(wanted, known))
    return wanted


def _subset(value: str) -> tuple[int, int]:
    count, _, seed = value.partition("@")
    if not count.isdigit() or int(count) < 1 or (seed and not seed.isdigit()):
        raise SpecError(
            f"Option subset={value!r} is not a number of samples.", "Write subset=600 or subset=600@7."
        )
    return int(count), int(seed or 0)


def _decoding(protocol: ProtocolSpec) -> dict[str, Any]:
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


def _read_yaml(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as stream:
            return yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise SpecError(f"{path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(
            f"{path} is not valid YAML: {' '.join(str(error).split())}", "Correct the file."
        ) from error


def _explain(error: ValidationError) -> str:
    """The field and what is wrong with it, one line per fault."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    )


__all__: Sequence[str] = (
    "Benchmark", "Plan", "ProtocolSpec", "build", "draw", "entries", "family_module", "load", "suite_entries",
)  # fmt: skip
