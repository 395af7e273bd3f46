"""Runs are written where locks work; elsewhere the reason is given before anything is measured."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import StoreError
from evalsuite.store import RunReader, filesystem
from tests.engine.support import models_made, run_sums, sums_spec

MOUNTS = """\
22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:30 / /shared rw shared:2 - nfs4 server:/export rw,vers=4.2
31 30 0:31 / /shared/fast rw shared:3 - lustre 10.0.0.1@tcp:/fast rw
32 22 0:32 / /bucket rw shared:4 - fuse.s3fs s3fs rw
33 22 0:33 / /with\\040space rw - tmpfs tmpfs rw
"""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(MOUNTS)
    monkeypatch.setattr(filesystem, "_MOUNTS", file)
    return file


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/run", "ext4"),
        ("/shared", "nfs4"),
        ("/shared/run", "nfs4"),
        ("/sharedrun", "ext4"),
        ("/shared/fast/run", "lustre"),
        ("/bucket/run", "fuse.s3fs"),
        ("/with space/run", "tmpfs"),
    ],
)
def test_the_innermost_mount_names_the_file_system(mounts: Path, path: str, kind: str) -> None:
    assert filesystem.kind_of(Path(path)) == kind


def test_a_machine_without_mountinfo_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "_MOUNTS", tmp_path / "none")
    assert filesystem.check_file_system(tmp_path) == ""


def mounted(kind: str, folder: Path, mounts: Path) -> None:
    with mounts.open("a") as lines:
        lines.write(f"40 22 0:40 / {os.path.realpath(folder)} rw - {kind} somewhere rw\n")


def test_object_storage_is_refused_before_anything_is_asked(tmp_path: Path, mounts: Path) -> None:
    mounted("fuse.s3fs", tmp_path, mounts)
    with pytest.raises(StoreError, match=r"object storage \(fuse\.s3fs\).*no locks.*copy the folder"):
        run_sums(sums_spec(), tmp_path / "run")
    assert not last_batches()


def last_batches() -> list[Any]:
    from tests.engine.support import last_model

    return list(last_model().batches) if models_made() else []


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "fuse.sshfs"])
def test_a_network_file_system_is_noted_in_the_run(tmp_path: Path, mounts: Path, kind: str) -> None:
    mounted(kind, tmp_path, mounts)
    run_sums(sums_spec(count=4), tmp_path / "run")
    with RunReader(tmp_path / "run") as run:
        assert [note.text for note in run.notes()] == [
            f"the run lies on a network file system ({kind}): it is written by one machine, and read on "
            "others when it has ended"
        ]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_that_refuses_locks_is_refused(
    tmp_path: Path, mounts: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    mounted("lustre", tmp_path, mounts)
    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(StoreError, match=r"\(lustre\) has no locks.*-o flock"):
        filesystem.check_file_system(tmp_path)
    assert not list(tmp_path.glob(".tmp-lock*")), "nothing is left behind"
