"""Fetches published weights: the one place that does, and only when the user says so."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from evalsuite.errors import CheckpointError, SpecError, UnavailableError, suggest
from evalsuite.features.catalogue import FILES, GROUPS, REPOSITORIES, WeightsFile
from evalsuite.features.weights import find_file, find_folder, weights_folder

_CHUNK = 1 << 20
_TIMEOUT = 60
Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all (0 where the server does not say)."""


def expand(names: Iterable[str]) -> list[str]:
    """File names and hub ids that the names mean, groups resolved, each once.

    Raises SpecError for a name that is none of these.

    Examples:
        >>> expand(["lpips-alex"])
        ['alexnet-owt-7be5be79.pth', 'lpips-v0.1-alex.pth']
    """
    found: dict[str, None] = {}
    for name in names:
        if name in GROUPS:
            found |= dict.fromkeys(GROUPS[name])
        elif name in FILES or name in REPOSITORIES or name.count("/") == 1:
            found[name] = None
        else:
            raise SpecError(
                f"There are no published weights {name!r}.",
                f"{suggest(name, [*FILES, *GROUPS])} `evalsuite weights list` shows all.",
            )
    return list(found)


def present(name: str, revision: str | None = None) -> Path | None:
    """Where the weights lie on this machine; None where they do not."""
    try:
        return find_folder(name, revision) if "/" in name else find_file(name)
    except UnavailableError:
        return None


def fetch(name: str, revision: str | None = None, progress: Progress | None = None) -> Path:
    """A file of the catalogue or a hub repository, from this machine where it is here already.

    Args:
        revision: of a hub repository.

    Raises:
        UnavailableError: its server cannot be reached or does not have it.
        CheckpointError: what came is not the published file (its digest differs); nothing is kept.
    """
    if "/" in name:
        return _fetch_repository(name, revision)
    here = present(name)
    if here is not None:
        _check(FILES[name], here, _digest(here))
        return here
    return _fetch_file(FILES[name], weights_folder() / name, progress)


def _fetch_file(file: WeightsFile, target: Path, progress: Progress | None) -> Path:
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(file.url, timeout=_TIMEOUT) as reply, part.open("wb") as stream:
            total, so_far = int(reply.headers.get("Content-Length") or 0), 0
            while chunk := reply.read(_CHUNK):
                stream.write(chunk)
                digest.update(chunk)
                so_far += len(chunk)
                if progress is not None:
                    progress(so_far, total)
        if total and so_far != total:
            raise UnavailableError(
                f"{file.url} broke off after {so_far:,} of {total:,} bytes.", "Run the same command again."
            )
        _check(file, part, digest.hexdigest())
        part.replace(target)
    except urllib.error.HTTPError as error:
        raise UnavailableError(
            f"{file.url} answers {error.code} {error.reason}.", _by_hand(file, target)
        ) from error
    except urllib.error.URLError as error:
        raise UnavailableError(
            f"{file.url} cannot be reached ({error.reason}).", _by_hand(file, target)
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"{file.name} cannot be fetched into {target.parent} ({error}).", _by_hand(file, target)
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _check(file: WeightsFile, path: Path, digest: str) -> None:
    if not digest.startswith(file.sha256):
        raise CheckpointError(
            f"{path} is not the published {file.name}: its sha256 begins {digest[: len(file.sha256)]}, "
            f"it should begin {file.sha256}.",
            f"Fetch it from {file.url}; something on the way may answer with a page of its own.",
        )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _by_hand(file: WeightsFile, target: Path) -> str:
    return f"With network elsewhere: fetch it there ({file.size}) and put it at {target}."


def _fetch_repository(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    here = present(name, revision)
    if here is not None:
        return here

    def download(*patterns: str) -> Path:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))

    try:
        # Repositories hold the same weights in up to five formats: one is enough.
        folder = download("*.json", "*.txt", "*.model", "*.safetensors")
        if not any(folder.glob("*.safetensors")):
            download("pytorch_model*.bin")
    except GatedRepoError as error:
        raise UnavailableError(
            f"{name} asks for consent to its conditions.",
            f"Accept them at https://huggingface.co/{name} and run `hf auth login`.",
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        at = f" at {revision}" if revision else ""
        raise UnavailableError(f"The hub has no repository {name}{at}.", "Check the name.") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UnavailableError(
            f"{name} cannot be fetched: the hub cannot be reached ({type(error).__name__}).",
            f"With network elsewhere: `hf download {name}` there, and weights=KEY=FOLDER here.",
        ) from error
    return find_folder(name, revision)
