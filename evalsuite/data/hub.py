"""Data sets and models of the Hugging Face hub: one revision's files in the local cache, and which it is."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalsuite.errors import DataError, UnavailableError

_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_SILENCE = 60.0
"""Seconds for which a hub that did not answer is not asked again: each try costs the client seconds."""
_silent: dict[str, float] = {}
"""Address of a hub -> when it did not answer."""


@contextmanager
def offline() -> Iterator[None]:
    """The hub's libraries use their cache only and fetch nothing, for the time of a block.

    They read the environment when they are imported, and keep what they read: both are set and put back.
    """
    variable = "HF_HUB_OFFLINE"
    before = os.environ.get(variable)
    usual = (before or "").upper() in ("1", "ON", "YES", "TRUE")

    def everywhere(value: bool) -> None:
        for name in ("huggingface_hub.constants", "datasets.config"):
            if (module := sys.modules.get(name)) is not None:
                setattr(module, variable, value)

    os.environ[variable] = "1"
    everywhere(True)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = before
        everywhere(usual)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a hub repository at one commit.

    Args:
        folder: holds the files in the repository's layout.
        commit: the 40 hex digits of the revision that was resolved.
    """

    folder: Path
    commit: str


def snapshot(
    repository: str,
    revision: str,
    patterns: tuple[str, ...],
    *,
    size: str = "",
    kind: Literal["dataset", "model"] = "dataset",
) -> Snapshot:
    """The files that match `patterns`, from the local cache where they are, else downloaded into it.

    Args:
        repository: `owner/name`.
        revision: a commit (best), a tag or a branch; what it stands for is in the result.
        patterns: file name patterns such as `data/validation-*.parquet`.
        size: for the message when it is not here.
        kind: of repository.

    Raises:
        UnavailableError: the files are not in the cache and the hub cannot be reached; names the command that
            fetches them on a machine with network.
        DataError: the repository or revision does not exist, or needs an account's consent.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    address = constants.ENDPOINT

    def fetch(local: bool) -> Snapshot:
        local = local or _is_silent(address)
        folder = Path(
            snapshot_download(
                repository,
                repo_type=kind,
                revision=revision,
                allow_patterns=list(patterns),
                local_files_only=local,
            )
        )
        return Snapshot(folder, folder.name)

    what, prefix, otherwise = (
        ("data set", "datasets/", "or name a folder with --data.")
        if kind == "dataset"
        else ("model", "", "or name its folder.")
    )
    everything = patterns == ("*",)
    include = "" if everything else "".join(f" --include '{pattern}'" for pattern in patterns)
    command = f"hf download {repository} --repo-type {kind} --revision {revision}{include}"
    try:
        found = fetch(local=True)
    except LocalEntryNotFoundError:
        found = None
    if found is not None and _COMMIT.match(revision) and _complete(found, patterns):
        return found
    try:
        _listen(address, repository, revision, kind)
        fresh = fetch(local=False)
        # Without network the library hands out whatever it has of the commit, which may be other files.
        if _complete(fresh, patterns):
            return fresh
        reason: Exception | None = None
    except GatedRepoError as error:
        raise DataError(
            f"{what.capitalize()} {repository} asks for consent to its conditions.",
            f"Accept them at https://huggingface.co/{prefix}{repository} and run `hf auth login`.",
        ) from error
    except RevisionNotFoundError as error:
        raise DataError(
            f"{what.capitalize()} {repository} has no revision {revision!r}.", "Name another revision."
        ) from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"There is no {what} {repository} on the hub (or it is private).", "Check the name."
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        if found is not None and _complete(found, patterns):
            return found
        reason = error
    match reason:
        case None:
            why = "offline, or it has no such files"
        case OfflineModeIsEnabled():  # by who started us, or by a command that only looks
            why = "offline, so the hub was not asked"
        case LocalEntryNotFoundError():  # the client's word for: neither here nor fetched
            why = "the hub cannot be reached"
        case _:
            why = f"the hub cannot be reached: {reason}".splitlines()[0]
    raise UnavailableError(
        f"{what.capitalize()} {repository} at {revision} is not in the hub cache"
        f"{'' if everything else ' with files ' + ' '.join(patterns)} ({why}).",
        f"With network{f' and {size} of disk' if size else ''}: `{command}`; {otherwise}",
    ) from reason


def _listen(address: str, repository: str, revision: str, kind: str) -> None:
    """Asks for the revision once, without the client's patience, and remembers a hub that does not answer.

    Raises what the client raises for a repository that is absent or closed.
    """
    from huggingface_hub import HfApi

    if _is_silent(address):
        return
    try:
        HfApi().repo_info(repository, repo_type=kind, revision=revision, timeout=10)
    except Exception as error:
        if not any(parent.__name__ == "TransportError" for parent in type(error).__mro__):
            raise
        _silent[address] = time.monotonic()


def _is_silent(address: str) -> bool:
    return time.monotonic() - _silent.get(address, -_SILENCE) < _SILENCE


def cached(repository: str, revision: str, patterns: tuple[str, ...]) -> Snapshot | None:
    """The files in the local cache, as far as they are there; None where there are none. Never fetches."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                repository, repo_type="dataset", revision=revision, allow_patterns=list(patterns),
                local_files_only=True,
            )
        )  # fmt: skip
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
        return None
    return Snapshot(folder, folder.name)


def _complete(found: Snapshot, patterns: tuple[str, ...]) -> bool:
    return all(any(found.folder.glob(pattern)) for pattern in patterns)
