"""Where `--log-to` leads: a tracker by name, and its folder or server."""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlsplit

from evalsuite.errors import SpecError, UnavailableError, suggest
from evalsuite.loggers.entries import Entry

PROJECT = "evalsuite"
_PATIENCE = 5.0
"""Seconds that a server has to accept a connection; the trackers' own clients try for minutes."""


class Sink(Protocol):
    """An open connection to a tracker."""

    def write(self, entry: Entry) -> None:
        """Logs one run; raises whatever the tracker's library raises."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Kind:
    """A tracker: the module with its sink, its library, and what names its server."""

    module: str
    library: str
    variable: str = ""


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "mlflow": _Kind("evalsuite.loggers.mlflow", "mlflow", "MLFLOW_TRACKING_URI"),
        "tensorboard": _Kind("evalsuite.loggers.tensorboard", "tensorboard"),
        "trackio": _Kind("evalsuite.loggers.trackio", "trackio"),
        "wandb": _Kind("evalsuite.loggers.wandb", "wandb", "WANDB_BASE_URL"),
    }
)
NAMES = tuple(_KINDS)


@dataclass(frozen=True, slots=True)
class Destination:
    """A tracker with its place.

    Args:
        name: in `NAMES`.
        where: folder or address; empty: the tracker's own default.
        project: or experiment.
    """

    name: str
    where: str = ""
    project: str = PROJECT

    def __str__(self) -> str:
        return f"{self.name}:{self.where}" if self.where else self.name

    @property
    def key(self) -> str:
        """Under which runs note what was logged here."""
        address = self.where or os.environ.get(_KINDS[self.name].variable or "-", "")
        place = str(Path(address).absolute()) if address and "://" not in address else address
        return f"{self.name} {place} {self.project}"

    def open(self) -> Sink:
        """Raises UnavailableError where its server does not answer; else what the library raises."""
        _reach(self.where or os.environ.get(_KINDS[self.name].variable or "-", ""))
        sink: Sink = importlib.import_module(_KINDS[self.name].module).open_sink(self.where, self.project)
        return sink


def destination(text: str, project: str | None = None) -> Destination:
    """`NAME` or `NAME:WHERE`, as it is typed.

    Raises:
        SpecError: there is no such tracker.
        UnavailableError: its library is not installed.
    """
    name, _, where = text.partition(":")
    if name not in _KINDS:
        raise SpecError(f"There is no logger {name!r}.", suggest(name, NAMES))
    library = _KINDS[name].library
    if importlib.util.find_spec(library) is None:
        raise UnavailableError(
            f"Logging to {name} needs the package {library}.", f"pip install 'evalsuite[{name}]'"
        )
    return Destination(name, where, project or PROJECT)


def _reach(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), _PATIENCE).close()
    except OSError as error:
        raise UnavailableError(
            f"{parts.hostname}:{port} cannot be reached ({error.strerror or error})."
        ) from error
