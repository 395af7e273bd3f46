"""Help that is readable at 80 columns: options under headings, an option and what it does side by side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer
from typer import core

_KIND = re.compile(r"<(?:list\[)?(\w+)(?: range)?\]?>")
"""`<list[str]>`, `<int range>`: that an option is repeatable, and its range, are said beside it."""
_OPTIONS = "Options"
_COMMANDS = "Commands"


class Command(core.TyperCommand):
    """A command whose options stand under their headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_options(self, ctx, formatter)


class Group(core.TyperGroup):
    """Commands under their headings; commands that are added to it get the same help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        found = [
            (getattr(command, "rich_help_panel", None), (name, command.get_short_help_str(limit=400)))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None and not command.hidden
        ]
        for heading, rows in _under_headings(found, _COMMANDS):
            with formatter.section(heading):
                formatter.write_dl(rows)


def write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Arguments, then options by heading, those without one last."""
    found: list[tuple[Any, tuple[str, str]]] = []
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            is_argument = parameter.param_type_name == "argument"
            names, text = record
            row = (_KIND.sub(lambda kind: f"<{kind[1].lower()}>", names), text)
            found.append(("Arguments" if is_argument else _heading(parameter), row))
    for heading, rows in _under_headings(found, _OPTIONS):
        with formatter.section(heading):
            formatter.write_dl(rows)


def _heading(parameter: Any) -> str | None:
    heading = getattr(parameter, "rich_help_panel", None)
    return heading if isinstance(heading, str) else None


def _under_headings(
    found: Iterable[tuple[Any, tuple[str, str]]], rest: str
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Rows by heading in the order in which headings occur; those without a heading last."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for heading, row in found:
        rows.setdefault(heading if isinstance(heading, str) else rest, []).append(row)
    if rest in rows:
        rows[rest] = rows.pop(rest)
    yield from rows.items()


def readable(app: typer.Typer, headings: Mapping[str, Sequence[str]] | None = None) -> typer.Typer:
    """The program with this help in all its commands and groups.

    Args:
        headings: the names of commands and groups under each heading; others stand under "Commands".
    """
    heading_of = {name: heading for heading, names in (headings or {}).items() for name in names}
    app.rich_markup_mode = None
    app.info.cls = Group
    for command in app.registered_commands:
        command.cls = Command
        command.rich_help_panel = heading_of.get(command.name or "")
    for group in app.registered_groups:
        group.cls = Group
        inner = group.typer_instance
        # A group that is added without a name has that of its own program.
        names = (group.name, inner.info.name if inner is not None else None)
        group.rich_help_panel = next((heading_of[name] for name in names if name in heading_of), None)
        if inner is not None:
            readable(inner)
    return app
