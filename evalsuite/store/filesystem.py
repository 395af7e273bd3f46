"""On what kind of file system a run lies: SQLite and the writer's lock need one with locks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from evalsuite.errors import StoreError

_MOUNTS = Path("/proc/self/mountinfo")

_OBJECTS = (
    "s3fs", "gcsfuse", "goofys", "mountpoint-s3", "blobfuse", "blobfuse2", "rclone", "geesefs",
)  # fmt: skip
"""What shows object storage as a folder: files are replaced whole, nothing is locked."""
_NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "beegfs", "gpfs", "ceph", "glusterfs", "afs", "9p",
    "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.juicefs", "fuse.weka", "wekafs",
)  # fmt: skip


def kind_of(path: Path) -> str:
    """The type of the file system at a path, as Linux names it (`ext4`, `nfs4`); empty where unknown."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    where = os.path.realpath(path)
    best, found = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        mount = fields[4].encode().decode("unicode_escape") if "\\" in fields[4] else fields[4]
        inside = where == mount or where.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, found = mount, after.split(" ")[0]
    return found


def check_file_system(folder: Path) -> str:
    """What a reader should know about where a run lies; empty for a disk of this machine.

    Raises StoreError for object storage, and where the file system refuses locks.
    """
    kind = kind_of(folder)
    if kind.removeprefix("fuse.") in _OBJECTS:
        raise StoreError(
            f"{folder} is object storage ({kind}), which has no locks: a run cannot be written there.",
            "Choose an --out on a disk, and copy the folder when the run has ended.",
        )
    _require_locks(folder, kind)
    if kind not in _NETWORK:
        return ""
    return (
        f"the run lies on a network file system ({kind}): it is written by one machine, and read on others "
        "when it has ended"
    )


def _require_locks(folder: Path, kind: str) -> None:
    """Locks a file as SQLite and the writer's lock do. Raises StoreError where that is refused."""
    try:
        import fcntl
    except ImportError:
        return
    probe = folder / f".tmp-lock-{os.getpid()}"
    try:
        descriptor = os.open(probe, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        return  # not writable: what opens the run says so
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTSUP):
            return
        raise StoreError(
            f"The file system of {folder} ({kind or 'unknown'}) has no locks ({error.strerror}): two "
            "processes could write the run at the same time.",
            "Choose an --out on a disk of this machine, or let the administrator mount this one with locks "
            "(Lustre: -o flock; NFS: without nolock).",
        ) from error
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)
