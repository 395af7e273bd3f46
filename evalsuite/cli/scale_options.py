"""Options of commands whose work can be spread over Ray workers."""

from __future__ import annotations

from typing import Annotated

import typer

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
