"""What one machine of a cluster has: looked at on that machine, by a Ray task that needs nothing of it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalsuite.request import fingerprint

_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as a machine sees it.

    Args:
        files, nbytes: how much is in it.
        digest: of names and sizes, not of contents: reading 100 GiB of weights on every node is no check.
    """

    files: int
    nbytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a machine has.

    Args:
        versions: of Python, evalsuite, torch, ray …
        plugins: sha256 by path; "" for a file that is not there.
        gpus: names with UUIDs.
        clock: Unix time when it was asked.
        shm: bytes free and in all in /dev/shm, where Ray keeps objects; None where there is none.
        data: None where the folder is not there.
        weights: as `data`, of the model.
    """

    host: str
    pid: int
    cpus: int
    memory: int
    versions: Mapping[str, str]
    plugins: Mapping[str, str]
    gpus: tuple[str, ...]
    clock: float
    shm: tuple[int, int] | None
    data: Folder | None = None
    weights: Folder | None = None


def describe_node(plugins: Iterable[Path] = (), data: Path | None = None, weights: str = "") -> NodeReport:
    """Looks at this machine.

    Args:
        plugins: files that the run would load.
        data: folder with benchmarks.
        weights: a checkpoint's folder or file, or its id on the hub.
    """
    import psutil

    from evalsuite.store.environment import collect

    plugins = list(plugins)
    found = collect(plugins)
    shm = shutil.disk_usage("/dev/shm") if Path("/dev/shm").is_dir() else None
    return NodeReport(
        host=socket.gethostname(),
        pid=os.getpid(),
        cpus=os.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        versions={"python": platform.python_version(), **found.packages, "commit": found.git_commit},
        plugins={str(path): found.plugins.get(str(path), "") for path in plugins},
        gpus=_gpus(),
        clock=time.time(),
        shm=None if shm is None else (shm.free, shm.total),
        data=None if data is None else folder(data),
        weights=folder(weights_folder(weights)) if weights else None,
    )


def folder(path: Path | None) -> Folder | None:
    """A folder's (or file's) names and sizes; None where it is not there, or cannot be listed."""
    if path is None or not path.exists():
        return None
    if path.is_file():
        size = path.stat().st_size
        return Folder(1, size, fingerprint([[path.name, size]]))
    try:
        sizes = sorted(
            (str(one.relative_to(path)), one.stat().st_size)
            for one in _files(path)
            if ".cache" not in one.parts
        )
    except OSError:
        return None
    return Folder(len(sizes), sum(size for _, size in sizes), fingerprint([list(one) for one in sizes]))


def weights_folder(weights: str) -> Path | None:
    """Where this machine has a checkpoint: the path itself, or the hub's cache; None where it has not."""
    path = Path(weights).expanduser()
    if path.exists():
        return path
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(weights, local_files_only=True))
    except Exception:  # a path that is not there is no repository's name; one that is not cached is not here
        return None


def _files(path: Path) -> Iterable[Path]:
    for count, one in enumerate(path.rglob("*")):
        if count >= _MOST_FILES:
            return
        if one.is_file():
            yield one


def _gpus() -> tuple[str, ...]:
    """From the driver's tool: a task without GPUs does not see them through torch."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    command = [tool, "--query-gpu=name,uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())
