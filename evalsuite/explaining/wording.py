"""What two protocols ask differently, seen on a rendered request."""

from __future__ import annotations

import difflib
from dataclasses import asdict

from evalsuite.content import Text
from evalsuite.explaining.parts import Part
from evalsuite.request import Request


def wording_parts(ours: Request, theirs: Request, protocol: str) -> list[Part]:
    """One part for each of prompt, prefill and decoding that another protocol would change.

    Args:
        ours, theirs: the first question of the same sample under both protocols.
    """
    parts = []
    if ours.messages != theirs.messages:
        parts.append(
            Part("prompt", "listed", f"{protocol} asks otherwise:\n{_diff(spoken(ours), spoken(theirs))}")
        )
    if ours.prefill != theirs.prefill:
        parts.append(
            Part(
                "prefill",
                "listed",
                f"the answer begins with {ours.prefill!r}, in {protocol} with {theirs.prefill!r}",
            )
        )
    mine, other = asdict(ours.output), asdict(theirs.output)
    changed = [
        f"{name} {mine.get(name)!r}, in {protocol} {other.get(name)!r}"
        for name in sorted(mine.keys() | other.keys())
        if mine.get(name) != other.get(name)
    ]
    if changed:
        parts.append(Part("decoding", "listed", "; ".join(changed)))
    return parts


def spoken(request: Request) -> str:
    """A conversation as text, a line per turn; images as `<image>`."""
    return "\n".join(
        f"{message.role}: "
        + "".join(part.text if isinstance(part, Text) else "<image>" for part in message.parts)
        for message in request.messages
    )


def _diff(ours: str, theirs: str) -> str:
    lines = difflib.unified_diff(ours.splitlines(), theirs.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
