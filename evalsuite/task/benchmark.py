"""Declarative benchmarks: a YAML file says what a benchmark is, its family's Python says how it works.

`entries(folder)` turns the files of a folder into registry entries; any plugin can call it with its
own folder. CONTRIBUTING shows a whole file.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evalsuite.content import Message, Text
from evalsuite.data.inspection import DataReport
from evalsuite.data.yamlfile import explain
from evalsuite.errors import DataError, SpecError, suggest
from evalsuite.options import Option, check_options
from evalsuite.request import Capability, Output, Request, fingerprint
from evalsuite.task import Sample, Task, TaskInfo, generate_first, preference
from evalsuite.task.aggregates import MetricSpec, check_aggregates, leaves
from evalsuite.task.entry import BrokenEntry, TaskEntry, TaskOptions
from evalsuite.task.families import family_module
from evalsuite.task.few_shot import Shot, Shots, turns
from evalsuite.task.prompts import Value, preprocess, render
from evalsuite.task.reading import Reader, find_reader
from evalsuite.task.rules import Kind, Rule, RuleChoice, RuleSet
from evalsuite.task.schema import OUTPUTS, Benchmark, ProtocolSpec, decoding_of, load
from evalsuite.task.sources import Located, locate

_log = logging.getLogger(__name__)
_SUBSET = Option("subset", "random subset that is the same everywhere: 600, or 600@7 with seed 7")
_SOURCE = Option("source", "reader to use where there are several; by default the first with its files here")
_SHOTS = Option("shots", "in-context examples before every question: 4, or 4@7 with seed 7", default="0")
_WARNED: set[tuple[str, int | str]] = set()
_Settings = TypeVar("_Settings", bound=BaseModel)


@dataclass(frozen=True)
class Plan:
    """A benchmark with everything chosen that a user may choose; families build their task from it.

    Args:
        rule: what `rules` stands for: a scoring rule's name, or names by kind of question and label.
        options: the family's further options, checked against those it knows.
        shots: in-context examples; None: none.
    """

    benchmark: Benchmark
    protocol_name: str
    protocol: ProtocolSpec
    rules: str
    rule: RuleChoice
    options: Mapping[str, str]
    source: Located
    shots: Shots | None = None

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
            protocol=self._protocol(),
            rules=self.rules,
            metrics=tuple(metric.metric() for metric in made.metrics),
            title=made.title,
            source=made.home,
            needs=made.needs,
            count=made.count,
            drawn="subset" in self.options,
        )

    def _protocol(self) -> str:
        if self.shots is None or self.source.examples is None:
            return self.protocol_name
        shots, split = self.shots, self.source.examples.split
        return f"{self.protocol_name}, {shots.count}-shot from {split}, seed {shots.seed}"

    def fingerprint(self) -> str:
        """Digest of the data files and of the options that choose among them."""
        added = {option.name for option in preference.OPTIONS}  # columns that change no sample
        options = {name: value for name, value in self.options.items() if name not in added}
        read = {"data": self.source.fingerprint(), "options": options}
        if self.shots is not None:
            read["examples"] = self.source.of_examples().fingerprint()
        return fingerprint(read)

    def messages(
        self, values: Mapping[str, Value], template: str = "", shots: Sequence[Shot] = ()
    ) -> tuple[Message, ...]:
        """The conversation: the system prompt, where there is one, the examples, the rendered user's turn."""
        protocol = self.protocol
        head = (Message("system", (Text(protocol.system),)),) if protocol.system else ()
        wording = template or protocol.template
        asked = render(wording, preprocess(values, protocol.preprocess))
        if protocol.preprocess:
            shots = [replace(shot, values=preprocess(shot.values, protocol.preprocess)) for shot in shots]
        return (*head, *turns(shots, protocol.shots, wording, protocol.prefill, asked))

    def output(self, capability: Capability | None = None, /, **more: Any) -> Output:
        """The output that the protocol's decoding describes.

        Args:
            capability: of the benchmark's `needs`, which output is meant; None: its `capability`.
            more: what goes beyond the decoding (choices).

        Raises:
            SpecError: the benchmark does not need that capability.
        """
        wanted = capability or self.benchmark.capability
        if wanted not in self.benchmark.needs:
            raise SpecError(
                f"{self.benchmark.name} asks for {wanted!r} and declares {', '.join(self.benchmark.needs)}.",
                "Add it to `needs` in the benchmark's file.",
            )
        decoding = decoding_of(self.protocol, wanted, several=len(self.benchmark.needs) > 1)
        made: Output = OUTPUTS[wanted](**decoding, **more)
        return made

    def request(
        self,
        values: Mapping[str, Value],
        shots: Sequence[Shot] = (),
        *,
        template: str = "",
        capability: Capability | None = None,
    ) -> Request:
        """Template, decoding and prefill with these values, after these examples.

        Args:
            template: another than the protocol's; then without its prefill unless the answer that is scored
                is asked for.
            capability: as in `output`.
        """
        prefill = self.protocol.prefill if capability in (None, self.benchmark.capability) else ""
        return Request(self.messages(values, template, shots), self.output(capability), prefill=prefill)

    def settings(self, kind: type[_Settings], *, protocol: bool = False) -> _Settings:
        """The benchmark's (or the protocol's) `settings` as the family's own model. Raises SpecError."""
        value = self.protocol.settings if protocol else self.benchmark.settings
        where = f"protocols.{self.protocol_name}.settings" if protocol else "settings"
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            raise SpecError(f"{self.benchmark.name}: {where}: {explain(error, kind)}") from error

    def check_metrics(self, columns: Iterable[str], metrics: Sequence[MetricSpec] | None = None) -> None:
        """Checks that the declared metrics can be had of these score columns; see `check_aggregates`.

        Args:
            metrics: those to check; None: all that the benchmark declares.

        Raises:
            SpecError: a metric of another name, or one that aggregates what there is not.
        """
        made = self.benchmark
        check_aggregates(made.name, made.metrics if metrics is None else metrics, columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """The score columns that the declared metrics are made of, in their order."""
        declared = {spec.name: spec for spec in self.benchmark.metrics}
        return tuple(dict.fromkeys(name for one in declared for name in sorted(leaves(one, declared))))

    @property
    def rule_name(self) -> str:
        """The rule of a family with rules of its own, for which a name must do. Raises SpecError."""
        if not isinstance(self.rule, str):
            raise SpecError(
                f"{self.benchmark.name}: the rules of the family {self.benchmark.family!r} are plain names.",
                f"Write {self.rules}: NAME.",
            )
        return self.rule

    def rule_set(
        self, *kinds: Kind, choice: RuleChoice | None = None, defaults: Mapping[Kind, str] | None = None
    ) -> RuleSet:
        """The named scoring rules for the kinds of questions that a family asks; see `RuleSet`.

        Args:
            choice: taken instead of what `rules` stands for.
            defaults: rules of the kinds for which the benchmark's file names none.

        Raises:
            SpecError: an unknown rule or kind of question.
        """
        made = self.benchmark
        return RuleSet(
            made.name,
            self.rule if choice is None else choice,
            kinds,
            defaults=defaults,
            own=made.own_rules,
            folder=made.folder,
        )

    def reader(
        self, readers: Mapping[str, Callable[..., Any]], makes: type | None = None
    ) -> Callable[..., Any]:
        """The reader of the chosen source: one of the family's, or one that families share.

        Args:
            readers: the family's own, by name.
            makes: the records that the family takes from shared readers; None: any.

        Raises:
            SpecError: an unknown name, other records, settings or columns that a shared reader does not know.
        """
        made = self.benchmark
        try:
            found = find_reader(
                self.source.reader,
                readers,
                own=made.own_readers,
                folder=made.folder,
                makes=makes,
                family=made.family,
            )
        except SpecError as error:
            raise SpecError(f"{made.name}: {error.what}", error.remedy) from error
        if isinstance(found, Reader):
            found.check(self.source)
        return found

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
        if official and len(seen) != official and (self.benchmark.name, len(seen)) not in _WARNED:
            _WARNED.add((self.benchmark.name, len(seen)))  # samples are read several times in a run
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


def entries(
    folder: Path | str, *, rules: Iterable[Rule] = (), readers: Iterable[Reader] = ()
) -> list[TaskEntry | BrokenEntry]:
    """The registry entries of all benchmark files (`*.yaml`) in a folder and its subfolders, sorted by name.

    The files may name the scoring rules and table readers given here besides the known ones. The folder
    `suites` is left out. Nothing is imported or opened beyond these files until an entry is built.
    A malformed file becomes an entry that says so, and hides no other.
    """
    root, own, tables = Path(folder), tuple(rules), tuple(readers)
    paths = [path for path in root.rglob("*.yaml") if path.parent.name != "suites"]
    found: list[TaskEntry | BrokenEntry] = []
    for path in sorted(paths, key=lambda path: path.stem):
        try:
            found.append(_entry(load(path, own, tables)))
        except SpecError as error:
            found.append(BrokenEntry(path.stem, str(error)))
    return found


def entry_of(
    benchmark: Benchmark, folder: Path, rules: Iterable[Rule] = (), readers: Iterable[Reader] = ()
) -> TaskEntry:
    """The registry entry of a benchmark that is no file, as if its file lay in `folder`."""
    benchmark._folder, benchmark._own_rules, benchmark._own_readers = folder, tuple(rules), tuple(readers)
    return _entry(benchmark)


def _entry(benchmark: Benchmark) -> TaskEntry:
    return TaskEntry(
        name=benchmark.name,
        title=benchmark.title,
        capability=benchmark.capability,
        metrics=tuple(metric.metric() for metric in benchmark.metrics),
        protocols=tuple(benchmark.protocols),
        rules=tuple(benchmark.rules),
        build=partial(build, benchmark),
        family=benchmark.family,
        inspect=partial(_inspect, benchmark),
        needs=benchmark.needs,
        benchmark=benchmark,
        options=partial(_options_of, benchmark),
    )


def _options_of(benchmark: Benchmark) -> tuple[Option, ...]:
    """The options of a benchmark: every family's, and its own family's."""
    module = family_module(benchmark.family, benchmark.folder)
    own = [one if isinstance(one, Option) else Option(one) for one in getattr(module, "OPTIONS", ())]
    shots = (_SHOTS,) if getattr(module, "SHOTS", False) else ()
    first = generate_first.OPTIONS if benchmark.needs == ("text",) else ()
    images = preference.OPTIONS if set(benchmark.needs) <= {"image", "edit"} else ()
    return (_SUBSET, _SOURCE, *shots, *own, *first, *images)


def _inspect(benchmark: Benchmark, data: Path | None, read: bool) -> DataReport:
    from evalsuite.task.data_check import inspect  # which builds benchmarks, and so needs this module

    return inspect(benchmark, data, read=read)


def build(benchmark: Benchmark, options: TaskOptions) -> Task:
    """The task, with its data found. Raises SpecError for unknown names, DataError for missing data.

    The family is a module with `build(plan) -> Task` and, where it knows options of its own, a tuple
    `OPTIONS` of `evalsuite.task.Option`. Every family knows `subset` ("600": 600 samples, drawn with
    seed 0; "600@7": with seed 7) and `source` (the reader or hub repository to use when there are several);
    one whose `SHOTS` is true knows `shots`, too.
    """
    protocol = _named(benchmark.name, "protocol", options.protocol, benchmark.protocols)
    rules = _named(benchmark.name, "scoring rules", options.rules, benchmark.rules)
    module = family_module(benchmark.family, benchmark.folder)
    few = bool(getattr(module, "SHOTS", False))
    check_options(_options_of(benchmark), options.options, benchmark.name)
    if "subset" in options.options:
        _subset(options.options["subset"])
    preference.check_preferences(options.options, benchmark.name)
    source = locate(
        benchmark.name, benchmark.sources, options.data, options.options.get("source", ""), benchmark.licence
    )
    if source.protocols and protocol not in source.protocols:
        raise SpecError(
            f"{benchmark.name}: protocol {protocol!r} cannot ask the questions of"
            f" {', '.join(source.files.values())}, which writes them differently.",
            f"Use --protocol {' or '.join(source.protocols)}, or another copy of the data.",
        )
    if source.note and (benchmark.name, source.note) not in _WARNED:
        _WARNED.add((benchmark.name, source.note))  # tasks are built several times in a run
        _log.warning("%s from %s: %s", benchmark.name, ", ".join(source.files.values()), source.note)
    shots = Shots.parse(options.options.get("shots", "0")) if few else None
    if shots is not None:
        source.of_examples()
    chosen = {
        name: value
        for name, value in options.options.items()
        if name != "source"
        and name not in {option.name for option in generate_first.OPTIONS}  # they change no sample
        and not (few and name == "shots" and shots is None)
    }
    plan = Plan(
        benchmark,
        protocol,
        benchmark.protocols[protocol],
        rules,
        benchmark.rules[rules],
        chosen,
        source,
        shots,
    )
    made: Task = module.build(plan)
    if shots is not None and getattr(made, "gated", False):
        raise SpecError(
            f"{benchmark.name}: protocol {protocol!r} asks twice; it says nothing of examples in the first.",
            "Leave out shots=, or choose another protocol.",
        )
    return generate_first.generating_first(made, options.options)


def _named(benchmark: str, what: str, wanted: str | None, known: Mapping[str, Any]) -> str:
    if wanted is None:
        return next(iter(known))
    if wanted not in known:
        raise SpecError(f"{benchmark} has no {what} {wanted!r}.", suggest(wanted, known))
    return wanted


def _subset(value: str) -> tuple[int, int]:
    count, _, seed = value.partition("@")
    whole = count.isdecimal() and (seed or "0").isdecimal() and len(value) < 30
    if not whole or int(count) < 1:
        raise SpecError(
            f"Option subset={value!r} is not a number of samples.", "Write subset=600 or subset=600@7."
        )
    return int(count), int(seed or 0)


__all__: Sequence[str] = (
    "Benchmark", "Plan", "ProtocolSpec", "build", "draw", "entries", "family_module", "load"
)  # fmt: skip
