"""What is to be known of a model before it is loaded: its weights, licence, protocols, environment, tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evalsuite.data.yamlfile import read_yaml
from evalsuite.errors import SpecError, suggest
from evalsuite.request import Capability


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Frozen):
    """A published checkpoint."""

    name: str
    """Hub id, or where its authors keep it."""
    parameters: float | None = None
    """Billions, all parts together; None where it is not known."""
    licence: str = ""
    note: str = ""

    def memory(self, bits: int = 16) -> float | None:
        """GiB that the weights alone take.

        >>> round(Weights(name="x", parameters=7).memory() or 0, 1)
        13.0
        """
        return None if self.parameters is None else self.parameters * 1e9 * bits / 8 / 2**30


class NamedOptions(_Frozen):
    """Options under one name: the settings that a paper or a repository used for something."""

    options: dict[str, str] = Field(default_factory=dict)
    note: str = ""
    """What they are for, and where they stand."""

    @field_validator("options", mode="before")
    @classmethod
    def _as_typed(cls, value: Any) -> Any:
        return {key: str(one) for key, one in value.items()} if isinstance(value, dict) else value


class Profile(_Frozen):
    """Packages for one kind of machine, as a package installer takes them."""

    requirements: tuple[str, ...]
    afterwards: tuple[str, ...] = ()
    """Installed last, without build isolation: what is compiled against torch (flash-attn)."""
    lacks: tuple[str, ...] = ()
    """Of the environment's modules, those that these packages cannot bring; the note says what then."""
    note: str = ""


class Environment(_Frozen):
    """Where a model runs that lives in a repository of its own."""

    repository: str
    """Address to clone."""
    commit: str
    """What the adapter was written against."""
    folder: str = "."
    """Of the repository, in which its packages lie."""
    python: str = "3.10"
    """Version of the interpreter that the repository names."""
    profiles: dict[str, Profile]
    """By kind of machine; the first is the repository's own."""
    modules: tuple[str, ...] = ()
    """Imported to see whether the environment is complete."""

    def profile(self, name: str | None) -> tuple[str, Profile]:
        """The packages of one profile; the first where none is named. Raises SpecError."""
        chosen = next(iter(self.profiles)) if name is None else name
        if chosen not in self.profiles:
            raise SpecError(f"There is no profile {chosen!r}.", suggest(chosen, self.profiles))
        return chosen, self.profiles[chosen]


class Card(_Frozen):
    """One model."""

    name: str
    """As users type it."""
    title: str
    adapter: str = ""
    """File of its adapter, where it runs in an environment of its own."""
    source: str = ""
    """Paper or page."""
    licence: str = ""
    """Of the code; that of weights stands beside them."""
    capabilities: tuple[Capability, ...] = ()
    weights: tuple[Weights, ...] = ()
    options: dict[str, str] = Field(default_factory=dict)
    """Options of the adapter, each with what it does."""
    protocols: dict[str, NamedOptions] = Field(default_factory=dict)
    """Chosen by `--option protocol=NAME`."""
    batching: str = ""
    """How several requests at once are answered."""
    environment: Environment | None = None
    tested: tuple[str, ...] = ()
    """What was run, where, with what, when."""

    def settings(self, given: Mapping[str, str]) -> dict[str, str]:
        """The options of the protocol that `given` names, overridden by the rest of `given`. Raises
        SpecError."""
        rest = {key: value for key, value in given.items() if key != "protocol"}
        name = given.get("protocol")
        if name is None:
            return rest
        if name not in self.protocols:
            raise SpecError(
                f"Model {self.name!r} has no protocol {name!r}.",
                suggest(name, self.protocols) if self.protocols else "It has none.",
            )
        return {**self.protocols[name].options, **rest}


def read_card(path: Path) -> Card:
    """The card of a YAML file."""
    return Card.model_validate(read_yaml(path))
