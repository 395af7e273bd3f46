"""`evalsuite compare`: is the candidate worse than the base?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import (
    AllMetricsOption,
    GroupsOption,
    OnlyTasksOption,
    PluginOption,
    ResamplesOption,
    messages,
    output,
    registry_with,
)
from evalsuite.durable import write_file
from evalsuite.errors import SpecError


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("compare")(compare)


def compare(
    base: Annotated[
        Path, typer.Argument(metavar="BASE", help="Run, or folder with its repetitions by other seeds.")
    ],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The same for the candidate.")],
    gate: Annotated[
        Path | None,
        typer.Option(
            "--gate",
            "-g",
            help="TOML file with gates. Default: fail if a headline metric is significantly worse.",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            help="May differ: version, protocol, rules, judge, split, data, scorer, form, seed, limit; "
            "repeatable.",
        ),
    ] = None,
    allow_missing: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-missing",
            metavar="TASK",
            help="The candidate may lack this task of the base, or this number (TASK/METRIC); repeatable.",
        ),
    ] = None,
    task: OnlyTasksOption = None,
    all_metrics: AllMetricsOption = False,
    groups: GroupsOption = False,
    flips: Annotated[
        int, typer.Option("--flips", min=0, help="List the N samples per task whose score changed most.")
    ] = 0,
    junit: Annotated[Path | None, typer.Option("--junit", help="JUnit XML file to write.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Markdown file to write, for a pull request.")
    ] = None,
    markdown_limit: Annotated[
        int,
        typer.Option(
            min=0, help="Maximum characters of the Markdown file, for a comment of GitHub; 0: no maximum."
        ),
    ] = 65_000,
    json: Annotated[Path | None, typer.Option("--json", help="JSON file to write.")] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", help="Folder for the flips' images, beside the Markdown file that links them."
        ),
    ] = None,
    resamples: ResamplesOption = 10_000,
    plugin: PluginOption = None,
) -> None:
    """Compare a candidate with a base on the same samples, and say whether it passes.

    Exit status: 0 passed; 1 a gate failed (regression, or a task of the
    base that the candidate lacks); 2 error, including runs that were not
    measured alike where the difference is not allowed.
    """
    from evalsuite import comparison as room

    if images is not None and (markdown is None or not flips):
        raise SpecError(
            "--images is for the flips in a Markdown file.", "Give --markdown FILE and --flips N too."
        )
    registry = registry_with(plugin) if plugin else None
    found = room.compare(
        base, candidate, gates=gate, allow=allow or (), allow_missing=allow_missing or (), tasks=task or (),
        all_metrics=all_metrics, groups=groups, resamples=resamples, registry=registry,
    )  # fmt: skip
    output().print(room.console(found))
    flipped = room.flips_of(found, None, flips)
    for flip in flipped:
        output().print(
            f"{flip.task} {flip.id}: {flip.direction} ({flip.before:.4g} to {flip.after:.4g})  "
            f"{_line(flip.candidate.prompt)}  base: {_line(flip.base.said)}  "
            f"candidate: {_line(flip.candidate.said)}",
            markup=False,
        )
    if markdown is not None:
        write_file(markdown, room.markdown(found, flipped, images, limit=markdown_limit or None).encode())
    if junit is not None:
        write_file(junit, room.junit(found))
    if json is not None:
        write_file(json, room.to_json(found, flipped).encode())
    for path in filter(None, (markdown, junit, json)):
        messages().print(f"written: {path}", markup=False)
    raise typer.Exit(found.exit_code)


def _line(text: str, longest: int = 100) -> str:
    """Untrusted text on one line of a terminal: no line breaks, no control characters."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= longest else f"{line[:longest]} …"
