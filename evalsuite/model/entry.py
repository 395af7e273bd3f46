"""What a plugin returns for a model: an entry of the registry, and the options an adapter is built with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.model.types import Model
from evalsuite.options import Option, Options, check_options, declared
from evalsuite.request import Capability

if TYPE_CHECKING:
    from evalsuite.model.card import Card


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is to be loaded.

    Args:
        argument: what stands behind the colon of `dreamllm:FOLDER`.
        device: torch device string, or `auto`.
        dtype: `float32`, `bfloat16`, `float16`, or `auto` (the checkpoint's on a GPU, float32 on a CPU).
        options: further options of the adapter, as typed; `evalsuite.model.option_values` reads them.
    """

    argument: str = ""
    device: str = "auto"
    dtype: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be loaded.

    Args:
        name: as users type it.
        title: one line for `evalsuite list`.
        capabilities: known before anything is loaded, so that an impossible run is refused at once.
        build: loads it.
        takes_argument: it is called `name:ARGUMENT`.
        group: what it stands under in listings.
        reads_annotations: it is no model but an upper bound: the engine hands it the task's own answers
            (`prepare_annotated(request, answer)` in place of `prepare`). Recorded in every run of it.
        options: the options it takes; any other, and a value of another kind, is refused before anything is
            loaded. None declares nothing: anything is accepted.
        more_options: in words, which names it takes beyond `options`; `build` checks those. Empty: none.
        card: what is known of it beforehand, for `evalsuite show model`; None: nothing more.
    """

    name: str
    title: str
    capabilities: frozenset[Capability]
    build: Callable[[ModelOptions], Model]
    takes_argument: bool = False
    group: str = ""
    reads_annotations: bool = False
    options: Options | None = None
    more_options: str = ""
    card: Card | None = None

    @property
    def declared_options(self) -> tuple[Option, ...] | None:
        """The options it declares; None where it declares nothing."""
        return declared(self.options)

    def check_options(self, given: Mapping[str, str]) -> None:
        """Raises SpecError for an option that it does not take, with the nearest that it does."""
        known = self.declared_options
        if known is not None:
            check_options(known, given, f"Model {self.name!r}", more=self.more_options)
