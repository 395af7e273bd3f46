"""`evalsuite models setup`: the environment of a model that lives in a research repository; `evalsuite parity
dreamllm`: ours against its authors' code."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import PluginOption, messages, output, registry_with, say
from evalsuite.cli.parity import parity

if TYPE_CHECKING:
    from evalsuite.dreamllm.parity import Difference

DIFFERENT = 1
"""Exit code of `parity` when something differs by more than its tolerance."""

models = typer.Typer(
    help="Models of research repositories, each in its own environment.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(models, name="models")


@models.command("list")
def list_(plugin: PluginOption = None) -> None:
    """Show the models that have an environment of their own, and whether it is here."""
    from evalsuite.grids import Grid
    from evalsuite.isolated.places import folders, interpreter

    table = Grid("name", "can", "environment", "clone")
    for name, entry in sorted(registry_with(plugin).models.items()):
        if entry.card is None or entry.card.environment is None:
            continue
        clone, env = folders(name)
        here = ["here" if found else "no" for found in (interpreter(env).is_file(), clone.is_dir())]
        table.add_row(name, ", ".join(sorted(entry.capabilities)), *here)
    output().print(table)


@models.command("setup")
def setup(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `evalsuite models list` has it.")],
    repo: Annotated[Path | None, typer.Option(help="Folder of the clone of its repository.")] = None,
    env: Annotated[Path | None, typer.Option(help="Folder of the environment to make.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Packages for one kind of machine; the repository's own by default.")
    ] = None,
    python: Annotated[
        str | None, typer.Option(help="Interpreter for the environment, or a version where uv is installed.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands, run none.")] = False,
    plugin: PluginOption = None,
) -> None:
    """Make a model's environment with its packages. Clones and downloads no repository and no weights: it
    says which, and where to put them."""
    from evalsuite.errors import SpecError
    from evalsuite.isolated.setup import carry_out, plan

    entry = registry_with(plugin).model(f"{name}:ARGUMENT")[0]
    if entry.card is None:
        raise SpecError(f"{name} runs in this environment; there is nothing to set up.", "See `models list`.")
    todo = plan(entry.card, repo=repo, env=env, profile=profile, python=python)
    if dry_run:
        for command in todo.commands:
            say(shlex.join(command))
    else:
        carry_out(todo, lambda line: messages().print(line, markup=False, soft_wrap=True))
        say(f"{name}: environment {todo.env} is complete (profile {todo.profile}).")
    for note in todo.notes:
        say(note)
    if todo.lacking:
        say("To fetch yourself:")
        for line in todo.lacking:
            say(f"  {line}")
    where = "".join(
        f" --option {key}={value}"
        for key, value, given in (
            ("repo", todo.clone, repo),
            ("python", todo.check[0], env),
        )
        if given is not None
    )
    say(f"Then: evalsuite run --model {name}:CHECKPOINT{where} --task mini-vqav2 --out runs/{name}")


@parity.command("dreamllm")
def parity_dreamllm(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="Folder in upstream's layout; any size.")
    ],
    original: Annotated[Path, typer.Option(help="Clone of github.com/RunpeiDong/DreamLLM.")],
    python: Annotated[str, typer.Option(help="Interpreter of its environment, or the environment's folder.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of images to ask about; two drawn ones by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="Torch device of both sides.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Also write every comparison as a JSON line.")] = None,
    plugin: PluginOption = None,
) -> None:
    """Compare our DreamLLM with its authors' code on one checkpoint: ids, embeddings, logits, texts, images.

    Exit code 1 when something differs by more than its tolerance.
    """
    from evalsuite.dreamllm.parity import run
    from evalsuite.isolated.places import interpreter

    card = registry_with(plugin).model("dreamllm-original:ARGUMENT")[0].card
    assert card is not None
    binary = str(interpreter(Path(python))) if Path(python).is_dir() else python
    found = run(
        Path(card.adapter), original, binary, checkpoint,
        images=images, device=device, out=out, report=_show,
    )  # fmt: skip
    worse = sum(not one.equal for one in found)
    values = [one.difference for one in found if one.difference is not None]
    say(
        f"{len(found)} comparisons, {len(found) - worse} agree, {worse} differ; largest relative difference "
        f"{max(values, default=0.0):.1e}"
    )
    if worse:
        raise typer.Exit(DIFFERENT)


def _show(one: Difference) -> None:
    verdict = "same" if one.equal else "DIFFERENT"
    apart = "" if one.difference is None else f"  difference {one.difference:.1e} (limit {one.tolerance:.0e})"
    say(f"{verdict:<9}  {one.item}")
    say(f"           ours {one.ours!r}  original {one.original!r}{apart}")
