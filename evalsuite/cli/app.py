"""The program `evalsuite`: its commands, its exit codes, and how errors are reported."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from evalsuite.cli import (
    comparing,
    data,
    doctor,
    dreamllm,
    exchanging,
    image_sets,
    judging,
    lists,
    measuring,
    miniature,
    models,
    parity,
    publishing,
    pushing,
    reporting,
    results,
    runs,
    sample_size,
    showing,
    study,
    synergy,
    tracking,
    tradeoff,
    watching,
    weights,
)
from evalsuite.cli import logging as log_commands
from evalsuite.cli.common import PlainFormatter, be_quiet, print_error, say
from evalsuite.cli.ending import ERROR, PIPE_CLOSED, Signals, unforeseen
from evalsuite.cli.environment import settle
from evalsuite.cli.help import readable
from evalsuite.errors import EvalsuiteError

app = typer.Typer(
    name="evalsuite",
    help="Evaluate models that understand and create images and text, exactly and without losing work.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class LogLevel(StrEnum):
    """Levels of `--log-level`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show informational log messages.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show results and errors only: no progress, no notes.")
    ] = False,
    log_level: Annotated[
        LogLevel | None, typer.Option(help="Least log level to show. Default: warning.", case_sensitive=False)
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    _session.debug = debug
    be_quiet(quiet)
    level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    if log_level is not None:
        level = logging.getLevelNamesMapping()[log_level.name.upper()]
    elif quiet and not (debug or verbose):
        level = logging.ERROR
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("evalsuite").setLevel(level)
    logging.getLogger("evalsuite_tasks").setLevel(level)
    logging.getLogger("evalsuite_baselines").setLevel(level)
    if not (debug or verbose):
        # the hub client reports every retry, twice; what fails in the end is an error of ours
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")


measuring.register(app)
judging.register(app, runs.runs)
results.register(app)
data.register(app)
publishing.register(app)
comparing.register(app)
sample_size.register(app)
reporting.register(app)
exchanging.register(app)
lists.register(app)
runs.register(app)
doctor.register(app)
showing.register(app)
miniature.register(app)
dreamllm.register(app)
study.register(app)
synergy.register(app)
tradeoff.register(app)
tracking.register(app)
watching.register(app)
pushing.register(app)
log_commands.register(app)
weights.register(app)
image_sets.register(app)
models.register(app)
parity.register(app)
readable(
    app,
    {
        "Evaluate": ("run", "score", "judge", "import", "watch"),
        "Results": ("leaderboard", "report", "gallery", "compare", "track", "synergy", "tradeoff", "explain"),
        "Papers": ("reproduce", "published", "parity"),
        "Share": ("export", "push", "log", "badge", "study"),
        "Look up": ("list", "show", "runs", "data", "doctor", "plan"),
        "Weights and features": ("models", "weights", "dreamllm", "mini", "statistics", "distance"),
    },
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point; ends the process with one of the exit codes.

    0: all went well; 1: measured, but more samples failed than allowed, or a check found problems; 2: error;
    130, 143, 129: ended by Ctrl-C, SIGTERM, SIGHUP; 141: what reads the output has gone.
    """
    settle()
    _session.debug = False
    signals = Signals()
    with signals.watched():
        try:
            # Ends with SystemExit: 0, a command's own code, 2 for wrong usage, 130 for Ctrl-C.
            app(args=None if arguments is None else list(arguments), prog_name="evalsuite")
        except SystemExit as end:
            if isinstance(end.__context__, BrokenPipeError):
                sys.exit(PIPE_CLOSED)
            sys.exit(signals.exit_code(end.code))  # type: ignore[arg-type]
        except BaseException as error:
            _report(error)
            sys.exit(ERROR)


def _report(error: BaseException) -> None:
    """What went wrong in one line; with `--debug` after the trace."""
    foreseen = _foreseen(error)
    if foreseen is None:
        unforeseen(error, debug=_session.debug)
        return
    if _session.debug:
        import traceback

        say("".join(traceback.format_exception(error)), err=True)
    print_error(foreseen)


def _foreseen(error: BaseException) -> EvalsuiteError | None:
    """The error as one that is written for users; None for an unexpected one."""
    if isinstance(error, EvalsuiteError):
        return error
    if isinstance(error, MemoryError):
        return EvalsuiteError("Out of memory.", "Use a smaller --batch-size; what is answered is kept.")
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return EvalsuiteError(f"{error.filename}: {error.strerror}.", "Check the path and its permissions.")
    return None
