"""Fingerprints follow the contents, and are not computed twice."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from evalsuite.data.checksum import files_fingerprint, sha256_of
from evalsuite.errors import DataError


def test_the_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"data")
    assert sha256_of(tmp_path / "x", tmp_path / "cache") == hashlib.sha256(b"data").hexdigest()


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = tmp_path / "x", tmp_path / "cache"
    path.write_bytes(b"data")
    first = sha256_of(path, cache)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert sha256_of(path, cache) == first


def test_a_file_replaced_by_one_of_the_same_size_is_noticed(tmp_path: Path) -> None:
    path, cache = tmp_path / "x", tmp_path / "cache"
    path.write_bytes(b"data")
    first = sha256_of(path, cache)
    state = path.stat()
    (tmp_path / "y").write_bytes(b"atad")
    os.utime(tmp_path / "y", ns=(state.st_atime_ns, state.st_mtime_ns))
    (tmp_path / "y").replace(path)
    assert sha256_of(path, cache) != first


def test_a_cache_that_cannot_be_written_or_is_damaged_costs_only_time(tmp_path: Path) -> None:
    path, cache = tmp_path / "x", tmp_path / "cache"
    path.write_bytes(b"data")
    cache.write_text("a file where a folder should be")
    digest = sha256_of(path, cache)
    cache.unlink()
    assert sha256_of(path, cache) == digest
    for entry in cache.iterdir():
        entry.write_text("{")
    assert sha256_of(path, cache) == digest


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere cannot be read"):
        sha256_of(tmp_path / "nowhere", tmp_path)


def test_the_fingerprint_ignores_the_place_but_not_names_and_contents(tmp_path: Path) -> None:
    def made(folder: str, names: dict[str, bytes]) -> str:
        root = tmp_path / folder
        root.mkdir()
        for name, data in names.items():
            (root / name).write_bytes(data)
        return files_fingerprint(sorted(root.iterdir(), reverse=True), tmp_path / "cache")

    one = made("a", {"x": b"1", "y": b"2"})
    assert one == made("b", {"y": b"2", "x": b"1"})
    assert (
        len(
            {
                one,
                made("c", {"x": b"2", "y": b"1"}),
                made("d", {"x": b"1"}),
                made("e", {"x": b"1", "z": b"2"}),
            }
        )
        == 4
    )


def test_of_a_folder_images_count_by_name_and_size_and_texts_by_content(tmp_path: Path) -> None:
    folder, cache = tmp_path / "folder", tmp_path / "cache"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.png").write_bytes(b"abc")
    (folder / "list.json").write_text("[1]")
    first = files_fingerprint([folder], cache)
    assert files_fingerprint([folder], cache) == first
    (folder / "list.json").write_text("[2]")
    second = files_fingerprint([folder], cache)
    (folder / "sub" / "a.png").write_bytes(b"abcd")
    assert len({first, second, files_fingerprint([folder], cache)}) == 3


def test_the_cache_lies_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x").write_bytes(b"data")
    sha256_of(tmp_path / "x")
    assert list((tmp_path / "cache" / "checksums").iterdir())
