"""`evalsuite push`: a run onto the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import PluginOption, messages, registry_with


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("push")(push)


def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a scored run.")],
    repo: Annotated[str, typer.Option("--repo", help="The model's repository, OWNER/NAME.")],
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help="Repository of the samples. Default: REPO-results; '' for none."),
    ] = None,
    dry_run: Annotated[
        Path | None, typer.Option("--dry-run", metavar="FOLDER", help="Write it to a folder, send nothing.")
    ] = None,
    prompts: Annotated[
        bool,
        typer.Option("--prompts", help="Include prompts and references: check the benchmarks' licences."),
    ] = False,
    no_images: Annotated[bool, typer.Option("--no-images", help="Leave out generated images.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make new repositories private.")] = False,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="Propose the changes instead of committing them.")
    ] = False,
    plugin: PluginOption = None,
) -> None:
    """Push a run to the Hugging Face Hub: its numbers into the model card, its samples as a dataset.

    The card's text and the results of others stay. The token is that of
    `hf auth login` or HF_TOKEN.
    """
    from evalsuite.hub import push as push_run

    done = push_run(
        run, repo, dataset=dataset, dry_run=dry_run, prompts=prompts, images=not no_images, private=private,
        pull_request=pull_request, registry=registry_with(plugin) if plugin else None,
    )  # fmt: skip
    verb = "written" if dry_run else "pushed"
    console = messages()
    console.print(f"{verb}: {done.model} ({done.numbers} results)", markup=False)
    if done.dataset:
        console.print(f"{verb}: {done.dataset} ({done.samples:,} samples)", markup=False)
