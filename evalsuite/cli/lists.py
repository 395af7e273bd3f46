"""`evalsuite list`: tasks, models, suites, and what benchmark files are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.as_json import JsonOption, print_json
from evalsuite.cli.common import PluginOption, output, registry_with, say
from evalsuite.errors import SpecError

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("list")(list_)


def list_(
    what: Annotated[
        str,
        typer.Argument(help="tasks, models, suites, all (of these), families, readers, rules or aggregates."),
    ] = "all",
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORD]...", help="Only tasks, models or suites that all words occur in."),
    ] = None,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
) -> None:
    """List tasks, models and suites, and what benchmark files are made of (families, rules …).

    Includes installed plugins."""
    from evalsuite.cli.catalogue import CATALOGUES, rows
    from evalsuite.cli.listing import LISTS
    from evalsuite.errors import suggest

    if what not in (*CATALOGUES, "all", *LISTS):
        raise SpecError(
            f"There is no list of {what!r}.",
            suggest(what, (*CATALOGUES, "all", *LISTS)) or "Write `evalsuite list tasks WORD`.",
        )
    if what in LISTS and (words or as_json):
        raise SpecError(
            f"`list {what}` has neither filter nor JSON.",
            "It is text to read and to copy from: `evalsuite list " + what + " | less`.",
        )
    registry = registry_with(plugin)
    if what in LISTS:
        say(LISTS[what](registry), nl=False)
        return
    chosen = list(CATALOGUES) if what == "all" else [what]
    found = {name: rows(name, registry, words or ()) for name in chosen}
    if as_json:
        print_json(found if what == "all" else found[what])
        return
    if words and not any(found.values()):
        wanted = " and ".join(map(repr, words))
        raise SpecError(
            f"{' or '.join(chosen)}: nothing with {wanted}.", f"`evalsuite list {what}` shows all."
        )
    for name in chosen:
        if what == "all" and found[name]:
            output().print(f"\n{name}\n", style="bold")
        if found[name]:
            say(CATALOGUES[name](registry, words or ()), nl=False)
