"""`evalsuite mini`: make the miniature world, train its models."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import messages, say
from evalsuite.durable import new_folder
from evalsuite.errors import DataError


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(mini, name="mini")


mini = typer.Typer(help="The miniature: its generated world and its trained models.", no_args_is_help=True)


@mini.command("make")
def make(
    out: Annotated[
        Path | None, typer.Argument(help="New folder; the standard world in the cache by default.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of another world.")] = None,
    hard: Annotated[
        bool, typer.Option("--hard", help="Three objects, unseen combinations and relations.")
    ] = False,
) -> None:
    """Generate a world of simple scenes in the official formats of the real benchmarks."""
    from evalsuite.mini.data import SEED, ensure_world
    from evalsuite.mini.write import write_world

    seed = SEED if seed is None else seed
    if out is None:
        out = ensure_world(seed, hard=hard)
    else:
        with new_folder(out, partial(_is_world, seed=seed, hard=hard), what="this world") as folder:
            write_world(folder, seed, hard=hard)
    say(str(out))


def _is_world(folder: Path, seed: int, hard: bool) -> bool:
    """Whether a folder holds the world of that seed, so that it may be written again."""
    from evalsuite.mini.write import read_manifest

    try:
        found = read_manifest(folder)
        return (found.seed, found.hard) == (seed, hard)
    except DataError:
        return False


@mini.command("train")
def train(
    work: Annotated[Path, typer.Argument(help="Folder for caches, checkpoints and results.")],
    recipe: Annotated[str, typer.Option(help="Name of a shipped recipe, or a YAML file.")] = "mini",
    stage: Annotated[
        list[str] | None,
        typer.Option(
            "--stage", help="Only this stage, with what it needs and is not done; repeatable. See `--list`."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of every stage in place of the recipe's; data stay the same."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train from scratch instead of resuming.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the stages and exit.")] = False,
) -> None:
    """Train the miniature's models from scratch. Run the same command again to resume."""
    from evalsuite.mini.training.run import stage_names
    from evalsuite.mini.training.run import train as start

    if show:
        say("\n".join(stage_names(recipe)))
        return
    logging.getLogger("evalsuite").setLevel(logging.INFO)
    shipped = start(recipe, work, resume=not fresh, stages=stage, seed=seed)
    messages().print(f"checkpoints: {shipped}", markup=False)
