"""`evalsuite dreamllm`: look into DreamLLM checkpoints, and rewrite them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.cli.as_json import JsonOption
from evalsuite.cli.common import messages, output, say
from evalsuite.grids import Grid

if TYPE_CHECKING:
    from evalsuite.dreamllm.inspection import Inspection

NOT_LOADABLE = 1
"""Exit code of `inspect` when the checkpoint would not load."""

Source = Annotated[
    str, typer.Argument(metavar="FOLDER", help="Checkpoint folder in either layout, or a name on the hub.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(dreamllm, name="dreamllm")


dreamllm = typer.Typer(help="Inspect and convert DreamLLM checkpoints.", no_args_is_help=True)


@dreamllm.command("inspect")
def inspect_(
    source: Source,
    as_json: JsonOption = False,
) -> None:
    """Show what a checkpoint holds and what would be loaded; exit 1 if it would not load. No weights are
    read."""
    from evalsuite.api.tools import inspect_dreamllm

    found = inspect_dreamllm(source)
    if as_json:
        values: dict[str, Any] = asdict(found) | {"parameters": found.parameters, "loads": found.loads}
        say(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        _show(found)
    if not found.loads:
        raise typer.Exit(NOT_LOADABLE)


def _show(found: Inspection) -> None:
    console = output()
    console.print(found.folder, style="bold", end="")
    console.print(f": DreamLLM, {found.layout or 'unknown'} layout\n")
    if found.parts:
        table = Grid("part", "parameters", "tensors", "stored as", "files", right=("parameters", "tensors"))
        for part in found.parts:
            files = ", ".join(part.files[:3]) + (f" and {len(part.files) - 3} more" if part.files[3:] else "")
            counts = f"{part.parameters:,}", str(part.tensors)
            table.add_row(part.name, *counts, ", ".join(part.dtypes), files)
        table.add_row("all", f"{found.parameters:,}", str(sum(part.tensors for part in found.parts)))
        console.print(table)
        console.print()
    facts = Grid("", "")
    for name, value in found.facts.items():
        facts.add_row(name, value)
    if found.ids:
        texts = sorted(found.ids.items(), key=lambda item: item[1])
        facts.add_row("special ids", "  ".join(f"{text} {index}" for text, index in texts))
    console.print(facts)
    for title, lines in (("warnings", found.warnings), ("it does not load", found.problems)):
        if lines:
            console.print(f"\n{title}", style="bold")
            for line in lines:
                console.print(f"- {line}", markup=False)


@dreamllm.command("convert")
def convert_(
    source: Source,
    target: Annotated[Path, typer.Argument(metavar="NEW", help="Folder to write; must not exist.")],
    to: Annotated[str, typer.Option(help="Layout to write: evalsuite or upstream.")] = "evalsuite",
    dtype: Annotated[
        str | None, typer.Option(help="bf16, fp16 or fp32; the stored precision by default.")
    ] = None,
    shard_size: Annotated[str, typer.Option(help="Maximum shard size of the main weights.")] = "2GB",
) -> None:
    """Convert a checkpoint to another layout or precision, with a manifest of every tensor (shape, dtype,
    source, sha256). Parts that lie outside the folder are written into it."""
    from evalsuite.api.tools import convert_dreamllm
    from evalsuite.dreamllm.conversion import MANIFEST

    manifest = convert_dreamllm(source, target, to=to, dtype=dtype, shard_size=shard_size)
    messages().print(
        f"{len(manifest.tensors):,} tensors, {manifest.parameters:,} parameters in {manifest.layout} layout; "
        f"every one is in {target / MANIFEST}",
        markup=False,
    )
    if manifest.left_out:
        some = ", ".join(manifest.left_out[:2])
        more = f" and {len(manifest.left_out) - 2} more" if manifest.left_out[2:] else ""
        messages().print(f"not needed, left out: {some}{more}", markup=False)
