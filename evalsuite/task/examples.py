"""A rendered example of a protocol: about the family's built-in example, or the first sample of real data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from evalsuite.content import Document, Text
from evalsuite.errors import EvalsuiteError, SpecError, suggest
from evalsuite.request import Request, Response, ScoreChoices
from evalsuite.task import HasReferenceAnswer, Sample, Task
from evalsuite.task.benchmark import Benchmark, Plan
from evalsuite.task.entry import TaskEntry, TaskOptions
from evalsuite.task.families import family_module
from evalsuite.task.family import FamilyTask
from evalsuite.task.prompts import fields_of
from evalsuite.task.rules import Rule
from evalsuite.task.sources import Located, origin_of

_WORDS: Mapping[str, str] = {
    "question": "What is in the bowl?",
    "prompt": "a photo of a red bowl",
    "caption": "a photo of a red bowl",
    "instruction": "Make the bowl red.",
    "options": "A. apples\nB. bread",
    "hint": "It is breakfast.",
    "ocr": "SALE, 2 for 1",
    "class": "bowl",
}
"""What stands for a template's field where the family has no example; images and others stand as `<name>`."""


@dataclass(frozen=True, slots=True)
class ExamplePrompt:
    """How a protocol asks.

    Args:
        turns: the requests one after the other, each with the right answers before it; mostly one. An image
            stands as `<image>`, and where a request is more than a user's turn, each turn has its role.
        prefill: the beginning of the answer.
        real: whether it is the first sample of the data.
    """

    turns: tuple[str, ...]
    prefill: str = ""
    real: bool = False


def example_prompt(entry: TaskEntry, protocol: str, *, data: Path | None = None) -> ExamplePrompt:
    """What a protocol asks about one sample. Fetches nothing.

    Args:
        data: a folder with the benchmark's files: its first sample is shown. None: the family's example.

    Raises:
        DataError: the files in `data` are not the benchmark's.
    """
    if data is not None:
        task = entry.build(TaskOptions(protocol=protocol, data=data))
        return _asked(task, next(iter(task.samples())), real=True)
    if entry.benchmark is None:
        return ExamplePrompt(())
    example = example_task(entry.benchmark, protocol)
    if example is not None:
        task, sample = example
        try:
            return _asked(task, sample)
        except EvalsuiteError:
            pass  # this protocol wants more than the example has
    spec = entry.benchmark.protocols[protocol]
    words = {name: _WORDS.get(name, f"<{name}>") for name in fields_of(spec.template)}
    system = f"[system]\n{spec.system}\n[user]\n" if spec.system else ""
    return ExamplePrompt((system + spec.template.format_map(words),), spec.prefill)


def example_task(
    benchmark: Benchmark, protocol: str | None = None, rules: str | None = None
) -> tuple[Task, Sample] | None:
    """A task over nothing but the family's `EXAMPLE`, and that sample; None where the family has none, or
    cannot be built without its data. Nothing is read."""
    module = family_module(benchmark.family, benchmark.folder)
    record: Any = getattr(module, "EXAMPLE", None)
    if record is None:
        return None
    source = benchmark.sources[0]
    nowhere = Path("example")
    located = Located(
        source.reader,
        nowhere,
        source.files,
        source.columns,
        source.settings,
        origin_of(benchmark.name, source, benchmark.licence),
        _paths={role: [nowhere] for role in source.files},
    )
    protocol = protocol or next(iter(benchmark.protocols))
    rules = rules or next(iter(benchmark.rules))
    plan = Plan(
        benchmark, protocol, benchmark.protocols[protocol], rules, benchmark.rules[rules], {}, located
    )
    try:
        made: Task = module.build(plan)
    except EvalsuiteError:
        return None
    return made, Sample("example", _changed(record, benchmark.example), labels=_labels(benchmark))


def rules_used(benchmark: Benchmark, rules: str | None = None) -> tuple[Rule, ...]:
    """The scoring rules that `rules` stands for; none where the family's are its own."""
    found = example_task(benchmark, rules=rules)
    return found[0].scoring_rules if found is not None and isinstance(found[0], FamilyTask) else ()


def score_columns(benchmark: Benchmark) -> frozenset[str]:
    """The columns of a sample's scores that its rules fill, as far as that is known without its data."""
    return frozenset(name for rule in rules_used(benchmark) for name in (rule.column, *rule.also))


def _labels(benchmark: Benchmark) -> dict[str, str]:
    return dict.fromkeys((one if isinstance(one, str) else one.of for one in benchmark.by), "example")


def _changed(record: Any, example: Mapping[str, Any]) -> Any:
    """The family's example with what the benchmark's file says of its own. Raises SpecError."""
    values = {}
    for name, value in example.items():
        if not hasattr(record, name):
            known = [one.name for one in fields(record)]
            raise SpecError(f"example: there is no field {name!r}.", suggest(name, known))
        document = isinstance(getattr(record, name), tuple) and isinstance(value, str)
        values[name] = (Text(value),) if document else value
    return replace(record, **values)


def _asked(task: Task, sample: Sample, *, real: bool = False) -> ExamplePrompt:
    turns: list[str] = []
    prefill = ""
    earlier: tuple[Response, ...] = ()
    while len(turns) < _MOST and (request := task.request(sample, earlier)) is not None:
        turns.append(_text_of(request))
        prefill = request.prefill
        answer = task.reference_answer(sample, earlier) if isinstance(task, HasReferenceAnswer) else None
        if answer is None:
            break
        earlier += (answer,)
    return ExamplePrompt(tuple(turns), prefill, real)


_MOST = 3
"""Requests about one sample that are shown."""


def _text_of(request: Request) -> str:
    turns = [(message.role, _shown(message.parts)) for message in request.messages]
    text = turns[0][1] if len(turns) == 1 else "\n".join(f"[{role}]\n{said}" for role, said in turns)
    if isinstance(request.output, ScoreChoices):
        text += "".join(f"\n[likelihood of] {choice}" for choice in request.output.choices)
    return text


def _shown(parts: Document) -> str:
    return "".join(part.text if isinstance(part, Text) else "<image>" for part in parts)
