"""The program `evalsuite`: its commands, its exit codes, and how errors are told."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from evalsuite.cli import (
    comparing,
    data,
    dreamllm,
    exchanging,
    image_sets,
    inspecting,
    judging,
    measuring,
    miniature,
    publishing,
    reporting,
    results,
    sample_size,
    showing,
    study,
    synergy,
    tradeoff,
    weights,
)
from evalsuite.cli.common import tell
from evalsuite.cli.environment import settle
from evalsuite.errors import EvalsuiteError

ERROR = 2
"""Exit code of an error. 0: all went well; 1: measured, but more samples failed than allowed, or a check
found problems; 130: Ctrl-C."""

app = typer.Typer(
    name="evalsuite",
    help="Measure models that understand and create images and text, exactly and without losing work.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(slots=True)
class _Session:
    debug: bool = False


_session = _Session()


def _version(wanted: bool) -> None:
    if wanted:
        import evalsuite

        typer.echo(f"evalsuite {evalsuite.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug messages.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what is being done.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    _session.debug = debug
    level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("evalsuite").setLevel(level)
    logging.getLogger("evalsuite_tasks").setLevel(level)
    logging.getLogger("evalsuite_baselines").setLevel(level)
    if not (debug or verbose):
        # the hub client tells every retry, twice; what fails in the end is an error of ours
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")


measuring.register(app)
judging.register(app, inspecting.runs)
results.register(app)
data.register(app)
publishing.register(app)
comparing.register(app)
sample_size.register(app)
reporting.register(app)
exchanging.register(app)
inspecting.register(app)
showing.register(app)
miniature.register(app)
dreamllm.register(app)
study.register(app)
synergy.register(app)
tradeoff.register(app)
weights.register(app)
image_sets.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point; ends the process with one of the exit codes."""
    settle()
    _session.debug = False
    try:
        # Ends with SystemExit: 0, a command's own code, 2 for wrong usage, 130 for Ctrl-C.
        app(args=None if arguments is None else list(arguments), prog_name="evalsuite")
    except EvalsuiteError as error:
        if _session.debug:
            raise
        tell(error)
        sys.exit(ERROR)
    except MemoryError:
        if _session.debug:
            raise
        tell(EvalsuiteError("Out of memory.", "Use a smaller --batch-size; what is answered is kept."))
        sys.exit(ERROR)
