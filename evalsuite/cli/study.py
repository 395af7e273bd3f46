"""`evalsuite study make` and `evalsuite study read`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import PluginOption, messages, output, registry_with
from evalsuite.durable import write_file
from evalsuite.errors import SpecError

_app = typer.Typer(
    name="study", help="Human studies: show outputs to raters, blind, and analyse their votes.",
    no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


class _Mode(StrEnum):
    RATE = "rate"
    COMPARE = "compare"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(_app)


@_app.command("make")
def make(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs of the same task.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write: page/ and key.json.")],
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="Task. Default: the first that generates images.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of samples.")] = 150,
    mode: Annotated[
        _Mode, typer.Option(help="rate: one by one; compare: two sources side by side.")
    ] = _Mode.RATE,
    question: Annotated[
        str | None, typer.Option(help="Question shown to the raters. Default: a neutral one.")
    ] = None,
    answers: Annotated[
        str, typer.Option(help="With rate: answers, comma-separated; the share of the first is reported.")
    ] = "yes,no",
    ties: Annotated[bool, typer.Option(help="With compare: allow “no preference”.")] = True,
    by: Annotated[
        str | None, typer.Option(help="Label that topics come from. Default: topic, where there is one.")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Show the ground-truth documents too, as one more source.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Random seed of selection, order and sides.")] = 0,
    plugin: PluginOption = None,
) -> None:
    """Write a page that shows models' outputs, blind and in random order, and collects votes.

    Give raters the folder page/; it opens from disk and needs no server and no network. Keep key.json.
    """
    from evalsuite.api.tools import make_study

    key = make_study(
        runs, out, task=task, count=count, mode=mode.value, question=question,
        answers=[answer.strip() for answer in answers.split(",")], ties=ties, by=by, reference=reference,
        seed=seed, registry=registry_with(plugin) if plugin else None,
    )  # fmt: skip
    samples = len({item.sample for item in key.items})
    messages().print(
        f"written: {out} ({len(key.items)} items of {samples} samples, sources: "
        f"{', '.join(source.name for source in key.sources)})",
        markup=False,
    )
    if samples < count:
        messages().print(f"{count} samples were requested, {samples} are there.", markup=False)
    messages().print(
        f"Give raters {out / 'page'} (they open index.html); keep {out / 'key.json'} to yourself.",
        markup=False,
    )


@_app.command("read")
def read(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `study make` wrote.")],
    votes: Annotated[list[Path], typer.Argument(metavar="VOTES...", help="Files that raters sent back.")],
    bar: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Compare shares with this percentage (30: the Turing test's)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write, .md or .json. Default: print.")
    ] = None,
) -> None:
    """Analyse the votes: shares with intervals, overall and by topic, and inter-rater agreement."""
    from evalsuite.api.tools import read_study
    from evalsuite.study.describing import as_json, markdown

    if out is not None and out.suffix not in (".md", ".json"):
        raise SpecError(f"{out} is neither .md nor .json.", "Choose another --out.")
    results = read_study(folder, votes)
    share = None if bar is None else bar / 100
    if out is None:
        output().print(markdown(results, share), markup=False, end="")
        return
    content = as_json(results) if out.suffix == ".json" else markdown(results, share)
    write_file(out, content)
    messages().print(f"written: {out}", markup=False)
