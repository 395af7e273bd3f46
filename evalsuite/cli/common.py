"""Small things all commands share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from evalsuite.errors import EvalsuiteError, SpecError
from evalsuite.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

    from evalsuite.model.reasoning import Reasoning
    from evalsuite.registry import Registry
    from evalsuite.task.entry import SuiteEntry

_PIPED_WIDTH = 240
"""Into a pipe or a file nothing is cut or folded at 80 characters."""

ReasoningOption = Annotated[
    str | None,
    typer.Option(
        "--reasoning",
        help="strip (default) scores the text after the reasoning (<think>…</think>), keep the whole text. "
        "Stored responses always keep it.",
    ),
]


StepOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Training step of the checkpoint. Default: read from its folder (checkpoint-1000, "
        "trainer_state.json).",
        rich_help_panel="Training",
    ),
]
SeriesOption = Annotated[
    str | None,
    typer.Option(help="Name of the training. Default: the checkpoint's parent.", rich_help_panel="Training"),
]
TrainSeedOption = Annotated[
    int | None,
    typer.Option(min=0, help="Seed of the training: runs of a series repeat.", rich_help_panel="Training"),
]


def reasoning_of(value: str | None) -> Reasoning | None:
    """`--reasoning`. Raises SpecError for what is neither strip nor keep."""
    if value not in (None, "strip", "keep"):
        raise SpecError(f"--reasoning {value!r} is neither strip nor keep.", "Write --reasoning keep.")
    return cast("Reasoning | None", value)


PluginOption = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Python file with your own tasks or models; repeatable."),
]
OnlyTasksOption = Annotated[
    list[str] | None, typer.Option("--task", "-t", help="Only this task; repeatable.")
]
AllMetricsOption = Annotated[
    bool, typer.Option("--all-metrics", help="Every metric instead of each task's headline.")
]
GroupsOption = Annotated[bool, typer.Option("--groups", help="Include breakdowns.")]
ResamplesOption = Annotated[
    int, typer.Option("--resamples", min=100, help="Number of bootstrap resamples and permutations.")
]


def output() -> Console:
    """Standard output, for results."""
    from evalsuite.cli.console import PlainConsole

    return PlainConsole(
        width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False, markup=False, emoji=False
    )


_quiet = False


def be_quiet(quiet: bool) -> None:
    """Whether `messages` print nothing: `--quiet`. Errors and warnings stay."""
    global _quiet
    _quiet = quiet


def messages() -> Console:
    """Standard error, for progress and notes."""
    from evalsuite.cli.console import PlainConsole

    return PlainConsole(
        stderr=True,
        quiet=_quiet,
        width=None if sys.stderr.isatty() else _PIPED_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Prints text as it is, but for characters that a terminal would obey; `nl` ends the line."""
    typer.echo(plain(text), err=err, nl=nl)


class PlainFormatter(logging.Formatter):
    """Log lines without characters that a terminal would obey; they quote files, models and servers."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


def print_error(error: EvalsuiteError) -> None:
    """One line with what is wrong, one with what to do, on standard error."""
    say(f"error: {error.what}", err=True)
    if error.remedy:
        say(error.remedy, err=True)


def registry_with(plugins: Iterable[Path] | None) -> Registry:
    """Installed plugins and those of the command line; broken ones are reported, not fatal."""
    from evalsuite.registry import load_registry

    registry = load_registry(plugins or ())
    for name, reason in registry.broken.items():
        say(f"warning: {name} is left out: {reason}", err=True)
    return registry


def show_numbers(paths: Sequence[Path], suite: SuiteEntry | None = None) -> None:
    """The leaderboard of runs, with a suite's average, and what of their headlines is missing, with the
    reason."""
    from evalsuite.judging.state import missing_of
    from evalsuite.leaderboards import load, table, with_average
    from evalsuite.leaderboards.terminal import console
    from evalsuite.store import RunReader

    numbers = False
    for path in paths:
        with RunReader(path) as reader:
            for result in reader.metrics():
                numbers = numbers or bool(result.estimates)
                reason = missing_of(reader, result).get(result.info.headline.name)
                if reason:
                    phrase = reason.replace("evalsuite judge RUN", f"evalsuite judge {path}")
                    say(f"{path}: {result.task} has no {result.info.headline.name}: {phrase}", err=True)
    if numbers:
        frame = load(paths)
        output().print(console(table(with_average(frame, suite) if suite else frame)))


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """`KEY=VALUE` texts as a dictionary. Raises SpecError for anything else, and for a key given twice."""
    found: dict[str, str] = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SpecError(f"{option} {text!r} is not KEY=VALUE.", f"Write {option} name=value.")
        if key in found:
            raise SpecError(f"{option} {key} is given twice.", "Give it once.")
        found[key] = value
    return found
