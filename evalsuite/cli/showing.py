"""`evalsuite show task|model|suite NAME`: one entry in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.cli.cards import card_sections
from evalsuite.cli.common import PluginOption, registry_with, say
from evalsuite.cli.outline import Entry, Section, outline

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from evalsuite.registry import Registry
    from evalsuite.task.aggregates import Aggregate, MetricSpec
    from evalsuite.task.entry import SuiteAverage, TaskEntry
    from evalsuite.task.schema import Benchmark, ProtocolSpec
    from evalsuite.task.sources import Source

show = typer.Typer(help="Show one task, model or suite in full.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `evalsuite list` has it.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.add_typer(show, name="show")


@show.command("task")
def show_task(
    name: Name,
    data: Annotated[
        Path | None, typer.Option(help="Folder with its files: prompts are those of its first sample.")
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Show a benchmark's data, protocols with example prompts, scoring rules, metrics. Fetches nothing."""
    say(task_outline(registry_with(plugin).task(name), data), nl=False)


@show.command("model")
def show_model(name: Name, plugin: PluginOption = None) -> None:
    """Show what a model can do, its options, and for ADAPTER:FOLDER the memory it takes. Loads nothing."""
    registry = registry_with(plugin)
    kind, _, folder = name.partition(":")
    say(model_outline(kind, registry, Path(folder) if folder else None), nl=False)


@show.command("suite")
def show_suite(name: Name, plugin: PluginOption = None) -> None:
    """Show the tasks of a suite, with protocols and options, and its models."""
    say(suite_outline(name, registry_with(plugin)), nl=False)


def task_outline(entry: TaskEntry, data: Path | None = None) -> str:
    """What `evalsuite show task` prints.

    Args:
        data: folder with the benchmark's files, for prompts of its first sample.

    Raises:
        DataError: the files in `data` are not the benchmark's.
    """
    made = entry.benchmark
    head = [Entry("family", entry.family or "Python alone"), Entry("needs", " and ".join(entry.needs))]
    if made is not None:
        count = f", {made.count:,} samples" if made.count else ""
        head += [
            Entry("version", made.version), Entry("split", made.split + count),
            Entry("licence", made.licence), Entry("home", made.home),
        ]  # fmt: skip
        head += [Entry(f"since version {version}", why) for version, why in made.changes.items()]
    sections = [Section(entry.name, head, note=entry.title)]
    notes = _notes(made)
    if notes:
        sections.append(Section("Notes", note=notes))
    if made is not None:
        sections.append(Section("Data (--data FOLDER; --task-option source=NAME)", _data(entry, made, data)))
    sections += [
        Section("Protocols (--protocol NAME; the first is the default)", _protocols(entry, data)),
        Section("Scoring rules (--rules NAME; the first is the default)", _rules(entry)),
        Section("Metrics (* is the headline)", _metrics(entry)),
    ]
    if made is not None and made.by:
        labels = [one if isinstance(one, str) else f"each {one.name} of {one.of}" for one in made.by]
        sections.append(Section("Breakdowns", note=", ".join(labels)))
    options = _options(entry)
    if options:
        sections.append(Section("Options (--task-option NAME=VALUE)", options))
    return outline(sections)


def model_outline(name: str, registry: Registry, folder: Path | None = None) -> str:
    """What `evalsuite show model` prints.

    Args:
        folder: of weights, whose memory is estimated.

    Raises SpecError for a name that is not there, CheckpointError for a damaged file in the folder.
    """
    entry = registry.model(f"{name}:ARGUMENT" if _takes_argument(name, registry) else name)[0]
    fitting = [task.name for task in registry.tasks.values() if not task.lacking(entry.capabilities)]
    head = [
        Entry("name", f"{entry.name}:FOLDER (or a hub id)" if entry.takes_argument else entry.name),
        Entry("can", ", ".join(sorted(entry.capabilities))),
        Entry("group", entry.group or "other"),
    ]
    if entry.reads_annotations:
        head.append(Entry("note", "No model but an upper bound: it is given the tasks' own answers."))
    sections = [Section(entry.name, head, note=entry.title), *card_sections(entry.card)]
    memory = _memory(folder) if folder is not None else []
    if memory:
        sections.append(Section("Memory (estimated from the files' headers)", memory))
    declared = entry.declared_options
    if declared:
        sections.append(
            Section("Options (--option NAME=VALUE)", [Entry(one.name, one.describe()) for one in declared])
        )
    sections.append(Section(f"Tasks that it can do ({len(fitting)})", note=", ".join(sorted(fitting))))
    return outline(sections)


def _memory(folder: Path) -> list[Entry]:
    from evalsuite.model.footprint import footprint
    from evalsuite.model.memory import gib

    entries = []
    for dtype, size in (("float32", 4), ("bfloat16", 2)):
        found = footprint(folder, size)
        if found is None:
            return []
        more = []
        if found.cache:
            more.append(f"{gib(1000 * found.cache)} of key-value cache per 1,000 tokens of a request")
        if found.image:
            more.append(f"{gib(found.image)} per image at a denoising step, {gib(found.decoding)} to decode")
        held = (found.batch(size * 2**30, 1000, int(bool(found.image))) for size in MEMORIES)
        fits = ", ".join(f"{batch} on {size} GiB" for batch, size in zip(held, MEMORIES, strict=True))
        more.append(f"batch of 1,000 tokens{' and an image' if found.image else ''}: {fits}")
        weights = f"{found.parameters / 1e9:.2f} billion parameters, {gib(found.weights)}"
        entries.append(Entry(dtype, weights, more=more))
    return entries


MEMORIES = (24, 80)
"""GiB of GPUs that batches are said for."""


def suite_outline(name: str, registry: Registry) -> str:
    """What `evalsuite show suite` prints. Raises SpecError for a name that is not there."""
    suite = registry.suite(name)
    tasks = []
    for spec in suite.tasks:
        said = [f"protocol {spec.protocol}"] if spec.protocol else []
        said += [f"rules {spec.rules}"] if spec.rules else []
        said += [f"{key}={value}" for key, value in spec.options.items()]
        known = registry.tasks.get(spec.name)
        needs = f" (needs {' and '.join(known.needs)})" if known else " (no such task is installed)"
        tasks.append(Entry(spec.name, ", ".join(said) or "default settings", more=[needs.strip()]))
    return outline(
        [
            Section(suite.name, note=suite.title),
            Section("Tasks", tasks),
            Section("Models", note=", ".join(suite.models) or "none: name them with --model"),
            *([_average(suite.average)] if suite.average else []),
        ]
    )


def _average(average: SuiteAverage) -> Section:
    parts = [Entry(one.task, f"{one.metric or 'headline'}, of {one.out_of:g}") for one in average.of]
    return Section(f"Leaderboard's column {average.name!r}", parts, note=average.note)


def _takes_argument(name: str, registry: Registry) -> bool:
    return name in registry.models and registry.models[name].takes_argument


def _notes(made: Benchmark | None) -> str:
    """The remarks at the head of the benchmark's file."""
    path = made.folder / f"{made.name}.yaml" if made is not None and made.folder is not None else None
    if path is None or not path.is_file():
        return ""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(lines)


def _data(entry: TaskEntry, made: Benchmark, data: Path | None) -> list[Entry]:
    from evalsuite.errors import EvalsuiteError

    try:
        report = entry.inspect(data, False) if entry.inspect is not None else None
        states = ["here" if one.complete else "not here" for one in report.sources] if report else []
    except EvalsuiteError as error:
        states = [str(error)] * len(made.sources)
    entries = []
    for source, state in zip(made.sources, states or [""] * len(made.sources), strict=True):
        size = f", {source.size}" if source.size else ""
        entries.append(Entry(source.reader, f"{_origin(source)}{size}: {state}", more=_source_lines(source)))
    return entries


def _origin(source: Source) -> str:
    if source.hub is not None:
        return f"{source.hub.repository} on the hub ({source.hub.revision})"
    return source.get or source.place or "the authors' files"


def _source_lines(source: Source) -> list[str]:
    import yaml

    lines = []
    for name in ("files", "columns", "settings"):
        value = getattr(source, name)
        if value:
            text = yaml.safe_dump(
                value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
            )
            lines.append(f"{name}: {text.strip()}")
    if source.protocols:
        lines.append(f"protocols: {', '.join(source.protocols)}")
    if source.note:
        lines.append(f"note: {source.note}")
    if source.examples is not None:
        lines.append(f"examples (shots=): split {source.examples.split}")
    return lines


def _protocols(entry: TaskEntry, data: Path | None) -> list[Entry]:
    made = entry.benchmark
    if made is None:
        return [Entry(name) for name in entry.protocols]
    return [_protocol(entry, name, spec, data) for name, spec in made.protocols.items()]


def _protocol(entry: TaskEntry, name: str, spec: ProtocolSpec, data: Path | None) -> Entry:
    from evalsuite.task.examples import example_prompt

    shown = example_prompt(entry, name, data=data)
    block: list[str] = []
    for place, turn in enumerate(shown.turns):
        block += [*(["[then]"] if place else []), turn or "[no wording]"]
    if shown.prefill:
        block.append(f"[answer begins] {shown.prefill}")
    said = [f"{key} = {_yaml(value)}" for key, value in spec.decoding.items()]
    lines = [
        ("decoding", ", ".join(said)),
        ("postprocess", ", ".join(spec.postprocess)),
        ("settings", _yaml(spec.settings) if spec.settings else ""),
        ("note", spec.note),
    ]
    text = "; ".join(f"{key}: {value}" for key, value in lines[:2] if value) or "default decoding"
    prompts = _long_texts(spec.settings) if "steps" in spec.settings else []
    more = [f"{key}: {value}" for key, value in lines[2:] if value and not (prompts and key == "settings")]
    if prompts:
        return Entry(name, text, more=[*more, "settings:"], block=prompts)
    return Entry(name, text, more=[*more, "first sample:" if shown.real else "example:"], block=block)


def _long_texts(settings: Mapping[str, Any]) -> list[str]:
    """Steps whose prompts have several lines, line by line; none where there is no such prompt.

    They are the protocol's wording: an example beside them would only repeat it.
    """
    import yaml

    class Lines(yaml.SafeDumper):
        """Texts of several lines as such."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Lines.add_representer(str, text)
    lines = yaml.dump(
        dict(settings), Dumper=Lines, sort_keys=False, allow_unicode=True, width=10_000
    ).splitlines()
    return lines if any(line.endswith((": |", ": |-", ": |+")) for line in lines) else []


def _yaml(value: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


def _rules(entry: TaskEntry) -> list[Entry]:
    from evalsuite.task.examples import rules_used

    made = entry.benchmark
    if made is None:
        return [Entry(name) for name in entry.rules]
    entries = []
    for name, choice in made.rules.items():
        used = rules_used(made, name)
        text = _yaml(choice) if choice != name or not used else ""
        kinds = {rule.kind for rule in used}
        more = [
            f"{rule.name}{f' ({rule.kind})' if len(kinds) > 1 else ''}: {rule.title}"
            for rule in used
            if rule.title
        ]
        entries.append(Entry(name, text if text else (more.pop(0) if more else "the family's"), more=more))
    return entries


def _metrics(entry: TaskEntry) -> list[Entry]:
    from evalsuite.task.examples import score_columns

    if entry.benchmark is None:
        return [Entry(_starred(one.name, one.headline)) for one in entry.metrics]
    columns = score_columns(entry.benchmark)
    return [_metric(one, columns) for one in entry.benchmark.metrics]


def _metric(spec: MetricSpec, columns: Collection[str]) -> Entry:
    own = spec.plain and spec.name not in columns
    text = "as the family computes it" if own else aggregation_text(spec, spec.name)
    scale = f", times {spec.scale:g}" if spec.scale != 1 else ""
    lower = "; lower is better" if not spec.higher_is_better else ""
    return Entry(_starred(spec.name, spec.headline), text + scale + lower)


def aggregation_text(one: Aggregate, name: str = "") -> str:
    """An aggregation in words.

    Args:
        name: the metric's, for one that says nothing: the mean of the column of that name.
    """
    parts = [part if isinstance(part, str) else f"({aggregation_text(part)})" for part in one.of]
    of = " + ".join(parts)
    if one.all_of:
        group = " and ".join(one.by)
        text = f"share of groups (same {group}) in which every sample has {one.all_of} 1"
    elif one.over:
        text = f"{'sum' if one.sum_over else 'mean'} over {one.over} of {of}"
    else:
        text = f"mean of {of or name}"
    for said, labels in (("where", one.where), ("where not", one.where_not)):
        for label, values in labels.items():
            text += f", {said} {label} is {'one of ' if len(values) > 1 else ''}{', '.join(values)}"
    return text


def _starred(name: str, headline: bool) -> str:
    return f"{name} *" if headline else name


def _options(entry: TaskEntry) -> list[Entry]:
    return [Entry(one.name, one.describe()) for one in entry.declared_options or ()]
