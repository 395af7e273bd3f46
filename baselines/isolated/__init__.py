"""Adapters that run in an interpreter of their own: any adapter file, and those for research repositories.

A research model is a card (`cards/NAME.yaml`) and an adapter file (`adapters/FILE.py`), which imports the
user's clone of the official repository in the model's own environment. docs/unified-models.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from evalsuite.model import Card, Model, ModelEntry, ModelOptions, Option, read_card

from .. import declared

HERE = Path(__file__).parent
RESEARCH = (
    *(option for option in declared.ISOLATED if option.name != "python"),
    Option("python", "interpreter of its environment; by default the one that `models setup` made"),
    Option("repo", "clone of its official repository; by default where `models setup` looks for it"),
    Option("hub", "folder of a Hugging Face cache from which alone what it asks of the hub is read, offline"),
)
"""What every model of a research repository takes, beside `protocol` and the options of its card."""


def models() -> Iterator[ModelEntry]:
    """The adapter for any file, and one entry for each card."""
    yield ModelEntry(
        "isolated",
        "an adapter file in its own environment: isolated:ADAPTER.py --option python=ENV/bin/python",
        frozenset({"text", "choices", "image", "edit", "interleaved"}),
        _build,
        takes_argument=True,
        group="any checkpoint",
        options=declared.ISOLATED,
        more_options=declared.PASSED,
    )
    for path in sorted((HERE / "cards").glob("*.yaml")):
        card = read_card(path)
        card = card.model_copy(update={"adapter": str(HERE / "adapters" / card.adapter)})
        yield ModelEntry(
            card.name,
            card.title,
            frozenset(card.capabilities),
            partial(_research, card),
            takes_argument=True,
            group="research repositories",
            options=_options(card),
            card=card,
        )


def _options(card: Card) -> tuple[Option, ...]:
    own = tuple(Option(name, help) for name, help in card.options.items())
    protocol = Option("protocol", "settings under one name (below)", choices=tuple(card.protocols))
    return (*RESEARCH, *([protocol] if card.protocols else []), *own)


def _build(options: ModelOptions) -> Model:
    from evalsuite.model.isolated import IsolatedModel

    return IsolatedModel(options)


def _research(card: Card, options: ModelOptions) -> Model:
    """Runs the card's adapter. Raises SpecError where its clone or its environment is missing."""
    from evalsuite.model.isolated import IsolatedModel, places

    given = card.settings(options.options)
    given.setdefault("name", card.name)
    clone, python = places(card, given.get("repo"), given.get("python"))
    given |= {"repo": str(clone), "python": python}
    return IsolatedModel(replace(options, options=given), Path(card.adapter))
