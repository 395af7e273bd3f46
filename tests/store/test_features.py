"""Rows of features beside a run: whole or absent, whatever happens to the file."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.errors import StoreError
from evalsuite.store.feature_files import delete_features, stored_features
from evalsuite.store.features import FeatureFolder, FeatureKind, FeatureRows

KIND = FeatureKind("net", "f" * 64, 5)


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def values(*numbers: int) -> np.ndarray:
    return np.array([[n + d / 8 for d in range(KIND.dim)] for n in numbers], dtype=np.float32)


def opened(root: Path, *, writable: bool = True) -> FeatureRows:
    return FeatureFolder(root, writable).rows(KIND)


def filled(root: Path, *batches: list[int]) -> FeatureRows:
    rows = opened(root)
    for batch in batches:
        rows.append([key(n) for n in batch], values(*batch))
    return rows


def test_what_was_appended_is_read_by_key_in_any_order(tmp_path: Path) -> None:
    filled(tmp_path, [0, 1, 2], [3, 4])
    again = opened(tmp_path, writable=False)
    assert len(again) == 5
    assert key(9) not in again
    np.testing.assert_array_equal(again.read([key(4), key(0), key(0)]), values(4, 0, 0))
    assert again.read([]).shape == (0, 5)


def test_the_later_of_two_rows_counts(tmp_path: Path) -> None:
    rows = filled(tmp_path, [0, 1])
    rows.append([key(0)], values(7))
    for one in (rows, opened(tmp_path)):
        np.testing.assert_array_equal(one.read([key(0), key(1)]), values(7, 1))


def test_other_kinds_lie_in_other_files(tmp_path: Path) -> None:
    filled(tmp_path, [0])
    for other in (
        FeatureKind("net", "e" * 64, 5),
        FeatureKind("net", "f" * 64, 5, "logits"),
        FeatureKind("net", "f" * 64, 6),
        FeatureKind("net", "f" * 64, 5, preprocess="clean"),
        FeatureKind("../net", "f" * 64, 5, dtype="<f8"),
    ):
        assert key(0) not in FeatureFolder(tmp_path, True).rows(other)
        assert "/" not in other.file_name


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=9), st.integers(0, 300))
def test_a_damaged_or_cut_file_never_gives_a_wrong_row(
    tmp_path_factory: pytest.TempPathFactory, at: int, junk: bytes, cut: int
) -> None:
    root = tmp_path_factory.mktemp("run")
    rows = filled(root, [0, 1, 2], [3])
    data = bytearray(rows.file.read_bytes())
    data[at % len(data) : at % len(data) + len(junk)] = junk
    rows.file.write_bytes(data[: max(len(data) - cut, 0)])
    again = opened(root)
    whole = [n for n in range(4) if key(n) in again]
    np.testing.assert_array_equal(again.read([key(n) for n in whole]), values(*whole).reshape(-1, 5))
    missing = [n for n in range(4) if n not in whole]
    if missing:
        again.append([key(n) for n in missing], values(*missing))
    last = opened(root)
    assert not last.damaged
    np.testing.assert_array_equal(last.read([key(n) for n in range(4)]), values(0, 1, 2, 3))


def test_a_network_of_another_name_is_the_same_network(tmp_path: Path) -> None:
    filled(tmp_path, [0])
    other = FeatureFolder(tmp_path, True).rows(FeatureKind("the same net", "f" * 64, 5))
    other.append([key(1)], values(1))
    assert len(list(tmp_path.rglob("*.rows"))) == 1
    np.testing.assert_array_equal(opened(tmp_path).read([key(0), key(1)]), values(0, 1))


def test_damage_is_reported_once_and_a_torn_row_is_cut_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = filled(tmp_path, [0, 1])
    with rows.file.open("ab") as stream:
        stream.write(b"half a row")
    with caplog.at_level(logging.WARNING):
        assert len(opened(tmp_path)) == 2
        assert "1 damaged rows" in caplog.text
        caplog.clear()
        assert len(opened(tmp_path)) == 2
    assert not caplog.text


def test_a_reader_repairs_nothing(tmp_path: Path) -> None:
    rows = filled(tmp_path, [0])
    with rows.file.open("ab") as stream:
        stream.write(b"torn")
    size = rows.file.stat().st_size
    assert opened(tmp_path, writable=False).damaged == 1
    assert rows.file.stat().st_size == size


@pytest.mark.parametrize("header", ["", "{}", '{"format": 2}', "[]"])
def test_without_its_header_a_file_is_computed_again(tmp_path: Path, header: str) -> None:
    rows = filled(tmp_path, [0])
    place = rows.file.with_suffix(".json")
    place.write_text(header) if header else place.unlink()
    again = opened(tmp_path)
    assert key(0) not in again
    again.append([key(0)], values(3))
    np.testing.assert_array_equal(opened(tmp_path).read([key(0)]), values(3))


def test_nothing_is_written_where_the_run_is_no_longer_ours(tmp_path: Path) -> None:
    def check() -> None:
        raise StoreError("It was moved.")

    rows = FeatureFolder(tmp_path, True, check).rows(KIND)
    with pytest.raises(StoreError, match="moved"):
        rows.append([key(0)], values(0))
    assert not list(tmp_path.rglob("*.rows"))


def test_files_are_listed_checked_and_deleted(tmp_path: Path) -> None:
    rows = filled(tmp_path, [0, 1])
    (found,) = stored_features(tmp_path, check=True)
    assert (found.kind, found.rows, found.damaged) == (KIND, 2, 0)
    assert found.size == 2 * KIND.row.itemsize
    data = bytearray(rows.file.read_bytes())
    data[40] ^= 1
    rows.file.write_bytes(data)
    assert stored_features(tmp_path, check=True)[0].damaged == 1
    assert delete_features(tmp_path) > found.size
    assert not stored_features(tmp_path)
    assert delete_features(tmp_path) == 0


def test_another_tool_reads_a_file_by_its_description(tmp_path: Path) -> None:
    """The three lines of docs/scale.md."""
    import json

    file = filled(tmp_path, [0, 1]).file
    header = json.loads(file.with_suffix(".json").read_text())
    row = np.dtype([("key", "V32"), ("crc", "<u4"), ("values", header["dtype"], header["dim"])])
    found = np.fromfile(file, row)
    np.testing.assert_array_equal(found["values"], values(0, 1))
    assert found["key"][0].tobytes() == key(0)
