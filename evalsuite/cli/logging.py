"""`--log-to` of several commands, and `evalsuite log`: runs into experiment trackers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import messages, say
from evalsuite.errors import SpecError

if TYPE_CHECKING:
    from evalsuite.loggers import Destination

LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log-to",
        help="Log the numbers: wandb, mlflow, tensorboard or trackio, with :WHERE for a folder or server "
        "(tensorboard:logs, mlflow:sqlite:///mlflow.db); repeatable.",
        rich_help_panel="Training",
    ),
]
LogProjectOption = Annotated[
    str | None,
    typer.Option(
        "--log-project", help="Project or experiment. Default: evalsuite.", rich_help_panel="Training"
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("log")(log)


def destinations(log_to: Sequence[str] | None, project: str | None) -> list[Destination]:
    """What `--log-to` names; a name that is unknown, or a library that is absent, is an error at once."""
    if not log_to:
        if project is not None:
            raise SpecError(
                "--log-project names a project of the trackers in --log-to, and there is none.",
                "Add --log-to wandb (mlflow, tensorboard, trackio), or leave it out.",
            )
        return []
    from evalsuite.loggers import destination

    return [destination(one, project) for one in log_to]


def log_runs(runs: Sequence[Path], logs: Sequence[Destination]) -> bool:
    """Logs runs; what cannot be logged is told once per destination and does not end the command."""
    if not logs or not runs:
        return True
    from evalsuite.loggers import log_all

    done = True
    for to in logs:
        outcome = log_all(runs, to)
        if outcome.error is not None:
            done = False
            waiting = " ".join(map(str, outcome.waiting[:3])) + (" …" if len(outcome.waiting) > 3 else "")
            say(f"warning: not logged to {to}: {outcome.error}", err=True)
            say(f"Later: evalsuite log {waiting} --to {to.name}", err=True)
        elif outcome.written:
            messages().print(f"logged to {to}: {outcome.written} runs", style="dim", markup=False)
        else:
            messages().print(f"logged to {to} before: nothing is new", style="dim", markup=False)
    return done


def log(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN_OR_FOLDER...", help="Scored runs, or folders of runs.")
    ],
    to: Annotated[
        list[str],
        typer.Option(
            "--to",
            help="wandb, mlflow, tensorboard or trackio, with :WHERE for a folder or server; repeatable.",
        ),
    ],
    project: Annotated[
        str | None, typer.Option("--project", help="Project or experiment. Default: evalsuite.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was logged there before.")] = False,
) -> None:
    """Log runs to experiment trackers: numbers, intervals and sample images, with the training step.

    What was logged before is not logged again. Exit status: 0 logged; 2 a
    destination could not be reached.
    """
    from evalsuite.leaderboards.frame import runs_in
    from evalsuite.loggers import forget

    logs = destinations(to, project)
    paths = runs_in(runs)
    if again:
        for one in logs:
            forget(paths, one)
    if not log_runs(paths, logs):
        raise typer.Exit(2)
