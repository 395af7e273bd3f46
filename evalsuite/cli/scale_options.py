"""Options of commands whose work can be spread over Ray workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.errors import SpecError

if TYPE_CHECKING:
    from evalsuite.spec import ExecutionOptions

_PANEL = "Scale"

WorkersOption = Annotated[
    str | None,
    typer.Option(help="Number of Ray workers, or `auto` for one per GPU.", rich_help_panel=_PANEL),
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(help="Ray cluster, `auto` or HOST:PORT. Default: a local one.", rich_help_panel=_PANEL),
]
GpusPerWorkerOption = Annotated[
    float | None,
    typer.Option(min=0, help="GPUs of each worker (default: 1; 0.5 shares one).", rich_help_panel=_PANEL),
]
CpusPerWorkerOption = Annotated[
    float | None, typer.Option(min=0.1, help="Cores of each worker (default: 1).", rich_help_panel=_PANEL)
]
WorkerTimeoutOption = Annotated[
    float | None,
    typer.Option(
        min=1,
        help="Seconds of silence after which other workers take over a worker's samples.",
        rich_help_panel=_PANEL,
    ),
]

_OF_WORKERS = ("gpus_per_worker", "cpus_per_worker", "worker_timeout", "same_gpus")


def require_workers(given: Mapping[str, Any], options: ExecutionOptions) -> None:
    """Raises SpecError for an option of Ray workers on the command line of what runs in this process.

    Args:
        given: what the command line says, None where it says nothing.
        options: what came of it and of the configuration file.
    """
    if options.workers is not None or options.ray_address is not None:
        return
    if useless := [name for name in _OF_WORKERS if given.get(name) is not None]:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in useless)
        raise SpecError(
            f"Without Ray workers {named} would change nothing.",
            "Add --workers N (or `auto`), or leave it out.",
        )
