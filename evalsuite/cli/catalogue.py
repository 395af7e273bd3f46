"""`evalsuite list tasks|models|suites`: what there is, filtered by words, for people and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.cli.outline import Entry, Section, outline

if TYPE_CHECKING:
    from evalsuite.model.entry import ModelEntry
    from evalsuite.registry import Registry
    from evalsuite.request import Capability
    from evalsuite.task.entry import TaskEntry

_DETAILED = 12
"""Up to so many tasks are listed with protocols, rules and metrics; more with their titles only."""

_CAPABILITIES: tuple[Capability, ...] = ("text", "choices", "image", "edit", "interleaved")
"""In the order in which lists name them, as tasks need them (`needs:`)."""


def tasks(registry: Registry, words: Sequence[str] = ()) -> str:
    """Tasks by family: names that can be copied, titles, and, of a few, what they can be asked by."""
    found = list(_tasks(registry, words))
    detailed = bool(words) and len(found) <= _DETAILED
    families: dict[str, list[Entry]] = {}
    for entry in found:
        needs = f" [{', '.join(entry.needs)}]"
        more = _details(entry) if detailed else ()
        families.setdefault(entry.family, []).append(Entry(entry.name, entry.title + needs, more))
    text = outline(Section(family, entries) for family, entries in families.items())
    hint = "" if detailed else "\nevalsuite list tasks WORD...   only these\n"
    return f"{text}{hint}evalsuite show task NAME       prompts, rules, metrics, data\n"


def models(registry: Registry, words: Sequence[str] = ()) -> str:
    """Models by group, in the order in which plugins offer them; `NAME:…` takes a folder, id or name."""
    groups: dict[str, list[Entry]] = {}
    for entry in _models(registry, words):
        capabilities = ", ".join(_capabilities(entry))
        groups.setdefault(entry.group or "other", []).append(
            Entry(_called(entry), f"{entry.title} [{capabilities}]")
        )
    return outline(Section(group, entries) for group, entries in groups.items())


def suites(registry: Registry, words: Sequence[str] = ()) -> str:
    """Suites with their tasks and models."""
    return outline(
        Section(
            entry.name,
            [
                Entry("tasks", ", ".join(task.name for task in entry.tasks)),
                *([Entry("models", ", ".join(entry.models))] if entry.models else []),
            ],
            note=entry.title,
        )
        for entry in registry.suites.values()
        if _has(words, entry.name, entry.title, *(task.name for task in entry.tasks), *entry.models)
    )


CATALOGUES: dict[str, Callable[[Registry, Sequence[str]], str]] = {
    "tasks": tasks, "models": models, "suites": suites,
}  # fmt: skip


def rows(what: str, registry: Registry, words: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The same as data: one dictionary per task, model or suite."""
    if what == "tasks":
        return [
            {
                "name": entry.name, "family": entry.family, "needs": list(entry.needs), "title": entry.title,
                "metrics": [metric.name for metric in entry.metrics], "protocols": list(entry.protocols),
                "rules": list(entry.rules),
            }
            for entry in _tasks(registry, words)
        ]  # fmt: skip
    if what == "models":
        return [
            {
                "name": entry.name, "group": entry.group, "title": entry.title,
                "capabilities": sorted(entry.capabilities), "takes_argument": entry.takes_argument,
            }
            for entry in _models(registry, words)
        ]  # fmt: skip
    return [
        {
            "name": entry.name, "title": entry.title, "tasks": [task.name for task in entry.tasks],
            "models": list(entry.models),
        }
        for entry in registry.suites.values()
        if _has(words, entry.name, entry.title, *(task.name for task in entry.tasks), *entry.models)
    ]  # fmt: skip


def _tasks(registry: Registry, words: Sequence[str]) -> Iterator[TaskEntry]:
    for entry in sorted(registry.tasks.values(), key=lambda entry: (entry.family, entry.name)):
        metrics = (metric.name for metric in entry.metrics)
        texts = (entry.name, entry.family, entry.title, *entry.needs, *metrics, *entry.protocols)
        if _has(words, *texts, *entry.rules):
            yield entry


def _models(registry: Registry, words: Sequence[str]) -> Iterator[ModelEntry]:
    for entry in registry.models.values():
        if _has(words, entry.name, entry.group, entry.title, *entry.capabilities):
            yield entry


def _has(words: Sequence[str], *texts: str) -> bool:
    """Whether each word is part of one of the texts."""
    lowered = [text.lower() for text in texts]
    return all(any(word.lower() in text for text in lowered) for word in words)


def _details(entry: TaskEntry) -> list[str]:
    parts = {
        "protocols": ", ".join(entry.protocols),
        "rules": ", ".join(entry.rules),
        "metrics": ", ".join(metric.name for metric in entry.metrics),
    }
    return [f"  {name}: {text}" for name, text in parts.items() if text]


def _capabilities(entry: ModelEntry) -> list[str]:
    return [one for one in _CAPABILITIES if one in entry.capabilities]


def _called(entry: ModelEntry) -> str:
    return f"{entry.name}:…" if entry.takes_argument else entry.name
