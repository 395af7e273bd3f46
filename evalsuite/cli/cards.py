"""What `evalsuite show model` prints of a model's card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.cli.outline import Entry, Section

if TYPE_CHECKING:
    from evalsuite.model.card import Card, Weights


def card_sections(card: Card | None) -> list[Section]:
    """The card's sections; none where there is no card."""
    if card is None:
        return []
    facts = (("source", card.source), ("licence", card.licence), ("batches", card.batching))
    sections = [Section("About", [Entry(name, text) for name, text in facts if text])]
    if card.weights:
        sections.append(Section("Weights", [Entry(one.name, weights_text(one)) for one in card.weights]))
    if card.environment is not None:
        made = card.environment
        entries = [
            Entry("repository", made.repository),
            Entry("commit", made.commit),
            Entry("Python", made.python),
        ]
        for name, profile in made.profiles.items():
            last = f"; last, without build isolation: {', '.join(profile.afterwards)}"
            text = ", ".join(profile.requirements) + (last if profile.afterwards else "")
            entries.append(Entry(f"profile {name}", text, more=[profile.note] if profile.note else []))
        sections.append(Section(f"Environment (evalsuite models setup {card.name})", entries))
    if card.protocols:
        protocols = [
            Entry(
                name,
                ", ".join(f"{key}={value}" for key, value in chosen.options.items()) or "its defaults",
                more=[chosen.note] if chosen.note else [],
            )
            for name, chosen in card.protocols.items()
        ]
        sections.append(Section("Protocols (--option protocol=NAME)", protocols))
    if card.tested:
        sections.append(Section("Tested", [Entry("", more=[line]) for line in card.tested]))
    return [section for section in sections if section.entries]


def weights_text(one: Weights) -> str:
    """Size, memory, licence and note of one checkpoint.

    >>> from evalsuite.model.card import Weights
    >>> weights_text(Weights(name="x", parameters=7, licence="MIT"))
    '7 billion parameters, 13.0 GiB in bfloat16 (26.1 in float32); MIT'
    """
    half, full = one.memory(16), one.memory(32)
    parts = []
    if half is not None and full is not None:
        parts.append(
            f"{one.parameters:g} billion parameters, {half:.1f} GiB in bfloat16 ({full:.1f} in float32)"
        )
    else:
        parts.append("size not published")
    parts.append(one.licence or "licence: see its page")
    return "; ".join([*parts, *filter(None, [one.note])])
