"""Where a checkpoint lies: a folder, or the hub's snapshot of a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import CheckpointError

_HUB_NAME = re.compile(r"^(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[\w./-]+))?$")


@dataclass(frozen=True, slots=True)
class Location:
    """A checkpoint that is here.

    Args:
        folder: holds its files.
        name: what to call it: the folder's or the repository's last part.
        source: for the record, without this machine's paths: the folder's name, or `owner/name@commit`.
    """

    folder: Path
    name: str
    source: str


def locate(argument: str) -> Location:
    """The folder that `argument` names: a local one if there is one, else `owner/name` or
    `owner/name@revision` of the hub, from the local cache where it is there, else downloaded into it.

    Raises:
        CheckpointError: it is neither a folder nor a hub name, or the hub has no such repository.
        UnavailableError: it is not in the cache and the hub cannot be reached; names the command that fetches
            it.
    """
    folder = Path(argument)
    if folder.is_dir():
        return Location(folder, folder.resolve().name, folder.resolve().name)
    hub = _HUB_NAME.match(argument)
    if hub is None:
        raise CheckpointError(
            f"{argument} is not a folder.",
            "Give the folder of a checkpoint, or its name on the hub (owner/name or owner/name@revision).",
        )
    from evalsuite.data.hub import snapshot

    found = snapshot(hub["name"], hub["revision"] or "main", ("*",), kind="model")
    return Location(found.folder, hub["name"].rpartition("/")[2], f"{hub['name']}@{found.commit}")
