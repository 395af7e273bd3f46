"""Descriptions printed for people to read and to copy from: at most 80 columns, nothing cut off."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and what it is.

    Args:
        more: lines below, each folded; those that begin with a blank are indented further.
        block: text that is printed line by line as it stands, folded only where it is too wide.
    """

    name: str
    text: str = ""
    more: Sequence[str] = ()
    block: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Entries under a heading; without a heading they stand at the margin."""

    title: str
    entries: Sequence[Entry] = field(default_factory=tuple)
    note: str = ""


def outline(sections: Iterable[Section]) -> str:
    """The sections as text, with a line feed at the end. Words longer than a line (paths, addresses) stay
    whole.

    >>> print(outline([Section("Rules", [Entry("exact", "Equal to a right answer.")])]), end="")
    Rules
      exact  Equal to a right answer.
    """
    parts: list[str] = []
    for section in sections:
        lines = [section.title] if section.title else []
        if section.note:
            lines += _folded(section.note, "  " if section.title else "")
        lines += _entries(section.entries, "  " if section.title else "")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


_NAMES = 24
"""Names up to this width have their text beside them."""
_LEAST = 20
"""A text that stands far in is folded to no less than this width."""


def _entries(entries: Sequence[Entry], margin: str) -> list[str]:
    beside = [len(entry.name) for entry in entries if entry.text and len(entry.name) <= _NAMES]
    width = max(beside, default=0)
    lines: list[str] = []
    for entry in entries:
        inner = margin + " " * (width + 2)
        if not entry.text:
            lines += [margin + entry.name] if entry.name else []
        elif len(entry.name) <= width:
            lines += _folded(entry.text, inner, first=f"{margin}{entry.name:<{width}}  ")
        else:
            lines += [margin + entry.name, *_folded(entry.text, inner)]
        for line in entry.more:
            indent = margin + "  " + " " * (len(line) - len(line.lstrip()))
            lines += _folded(line.strip(), indent + "  ", first=indent)
        for block in entry.block:
            for line in block.split("\n"):
                lines += _as_it_stands(line, margin + "    ")
    return lines


def _folded(text: str, indent: str, first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _as_it_stands(line: str, indent: str) -> list[str]:
    """A line with its blanks; what does not fit continues below, further in."""
    text = line.lstrip(" ")
    indent += " " * (len(line) - len(text))
    lines = []
    while len(text) > (room := max(WIDTH - len(indent), _LEAST)):
        cut = text.rfind(" ", 0, room) + 1 or room
        lines.append(indent + text[:cut].rstrip())
        text = text[cut:]
        if len(lines) == 1:
            indent += "  "
    return [*lines, (indent + text).rstrip()]
