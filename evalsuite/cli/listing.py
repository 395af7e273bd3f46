"""`evalsuite list families|readers|rules|aggregates`: what benchmark files can be made of."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from evalsuite.cli.outline import Entry, Section, outline

if TYPE_CHECKING:
    from pydantic import BaseModel

    from evalsuite.registry import Registry
    from evalsuite.task.reading import Reader
    from evalsuite.task.rules import Rule


def families(registry: Registry) -> str:
    """Every family: its readers, template fields, settings, options and benchmarks."""
    return outline(_family(name, registry) for name in _family_names(registry))


def readers(registry: Registry) -> str:
    """The table readers that families share, with columns and settings, and each family's own readers."""
    from evalsuite.task.reading import built_in, first_line, installed
    from evalsuite.task.table_rows import TableSettings

    more, broken = installed()
    plugins = [reader for one in _benchmarks(registry) for reader in one.own_readers]
    shared = Section("Settings of all table readers", settings_entries(TableSettings))
    sections = [*(_reader(one) for one in _each_once([*built_in(), *more, *plugins])), shared]
    for name in _family_names(registry):
        own: Mapping[str, Any] = getattr(_module(name, registry), "READERS", {})
        entries = [Entry(reader, first_line(function)) for reader, function in own.items()]
        if entries:
            sections.append(Section(f"Of the family {name}", entries))
    if broken:
        sections.append(Section("Cannot be used", [Entry(*one) for one in broken.items()]))
    return outline(sections)


def rules(registry: Registry) -> str:
    """The scoring rules of one answer, by the kind of question."""
    from evalsuite.task.rules import KINDS
    from evalsuite.task.rules.finding import built_in, installed

    more, broken = installed()
    plugins = [rule for one in _benchmarks(registry) for rule in one.own_rules]
    known: list[Rule] = [*_each_once([*built_in(), *more, *plugins])]
    titles = {"open": "Open questions", "letters": "Questions with options", "yes-no": "Yes or no"}
    sections = [
        Section(
            f"{titles[kind]} ({kind})",
            [Entry(one.name, _rule_text(one)) for one in known if one.kind == kind],
        )
        for kind in KINDS
    ]
    if broken:
        sections.append(Section("Cannot be used", [Entry(*one) for one in broken.items()]))
    return outline(sections)


def aggregates(registry: Registry) -> str:
    """What `metrics:` can say of how a number is made of the samples' scores."""
    from evalsuite.fields import fields_of_model
    from evalsuite.task import aggregates as module
    from evalsuite.task.aggregates import VERBS, MetricSpec

    example = (inspect.getdoc(module) or "").split("\n\n")[1]
    verbs = Section("Verbs", [Entry(name, text) for name, text in VERBS.items()])
    fields = [one for one in fields_of_model(MetricSpec) if one.name not in VERBS]
    return outline(
        [
            verbs,
            Section("Fields", [Entry(one.name, _about(one.kind, one.default, one.text)) for one in fields]),
            Section("In a benchmark's file", [Entry("", block=[inspect.cleandoc(example)])]),
        ]
    )


LISTS = {"families": families, "readers": readers, "rules": rules, "aggregates": aggregates}


def settings_entries(model: type[BaseModel], but: type[BaseModel] | None = None) -> list[Entry]:
    """The fields of a settings model, without those of the model it is derived from."""
    from evalsuite.fields import fields_of_model

    known = {one.name for one in fields_of_model(but)} if but else set()
    return [
        Entry(one.name, _about(one.kind, one.default, one.text))
        for one in fields_of_model(model)
        if one.name not in known
    ]


def _about(kind: str, default: str, text: str) -> str:
    said = f"{kind}; default {default}" if default else f"{kind}; required"
    return f"{text} ({said})" if text else said


def _rule_text(rule: Rule) -> str:
    also = f" Fills {rule.column}." if rule.column != "accuracy" else ""
    return (rule.title or "—") + also


def _reader(reader: Reader) -> Section:
    from evalsuite.task.table_rows import TableSettings

    derived = issubclass(reader.settings, TableSettings)
    columns = [Entry(f"  {name}", text) for name, text in reader.columns.items()]
    own = settings_entries(reader.settings, TableSettings if derived else None)
    settings = [Entry(f"  {one.name}", one.text) for one in own]
    entries = [Entry("columns:"), *columns, *([Entry("settings:"), *settings] if settings else [])]
    more = " Further settings are those of all table readers." if derived else ""
    return Section(reader.name, entries, note=f"{reader.title} Makes {reader.makes.__name__}.{more}")


def _family_names(registry: Registry) -> list[str]:
    from evalsuite.task.families import installed_families

    return sorted({*installed_families(), *(one.family for one in _benchmarks(registry))})


def _benchmarks(registry: Registry) -> Iterator[Any]:
    return (entry.benchmark for entry in registry.tasks.values() if entry.benchmark is not None)


def _module(name: str, registry: Registry) -> Any:
    from evalsuite.task.families import family_module

    folder = next((one.folder for one in _benchmarks(registry) if one.family == name), None)
    return family_module(name, folder)


def _family(name: str, registry: Registry) -> Section:
    from evalsuite.errors import EvalsuiteError
    from evalsuite.task.prompts import fields_of
    from evalsuite.task.reading import first_line

    try:
        module = _module(name, registry)
    except EvalsuiteError as error:
        return Section(name, [Entry("cannot be used", str(error))])
    benchmarks = [one for one in _benchmarks(registry) if one.family == name]
    entries = [Entry("readers", ", ".join([*getattr(module, "READERS", {}), *_shared_readers(module)]))]
    template = ", ".join(dict.fromkeys(_template_fields(module))) or ", ".join(
        dict.fromkeys(
            field
            for one in benchmarks
            for each in one.protocols.values()
            for field in fields_of(each.template)
        )
    )
    if template:
        entries.append(Entry("template", template))
    options = ["subset", "source", *(["shots"] if getattr(module, "SHOTS", False) else [])]
    options += [str(getattr(one, "name", one)) for one in getattr(module, "OPTIONS", ())]
    entries.append(Entry("options", ", ".join(options)))
    entries.append(Entry("benchmarks", ", ".join(sorted(one.name for one in benchmarks)) or "none"))
    for model in _settings_models(module):
        found = settings_entries(model)
        if found:
            entries += [Entry(first_line(model)), *(Entry(f"  {one.name}", one.text) for one in found)]
    return Section(name, entries, note=first_line(module))


def _shared_readers(module: Any) -> list[str]:
    """The table readers whose records the family takes."""
    from evalsuite.task.reading import built_in

    record = getattr(module, "RECORD", None)
    return [one.name for one in built_in() if record is not None and issubclass(one.makes, record)]


def _template_fields(module: Any) -> Iterator[str]:
    """What the docstrings of the family's tasks say of their template's fields."""
    for task in vars(module).values():
        if inspect.isclass(task) and task.__module__ == module.__name__:
            text = " ".join((inspect.getdoc(task) or "").split())
            found = re.search(r"[Tt]emplate fields: (.*?)(?:\. |\.$|$)", text)
            if found:
                yield found[1].replace("`", "")


def _settings_models(module: Any) -> list[type[BaseModel]]:
    """Settings models that the family's module uses, in the order of their names there."""
    from pydantic import BaseModel

    return [
        found
        for name, found in vars(module).items()
        if name.endswith("Settings") and inspect.isclass(found) and issubclass(found, BaseModel)
        and found.__name__ == name != "ColumnSettings"
    ]  # fmt: skip


def _each_once(found: list[Any]) -> list[Any]:
    return list({(getattr(one, "kind", ""), one.name): one for one in reversed(found)}.values())[::-1]
