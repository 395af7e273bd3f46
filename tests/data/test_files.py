"""Where a benchmark's files are looked for, and what may not leave the folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.data.files import Origin, data_folder, inside, require, require_all
from evalsuite.errors import DataError

ORIGIN = Origin("somebench", "https://example.org/files", "6 GB")


def test_the_named_folder_comes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "somebench").mkdir(parents=True)
    (tmp_path / "named").mkdir()
    monkeypatch.setenv("EVALSUITE_DATA", str(tmp_path / "root"))
    assert data_folder("somebench", tmp_path / "named") == tmp_path / "named"
    assert data_folder("somebench") == tmp_path / "root" / "somebench"
    assert data_folder("otherbench") is None


def test_a_named_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere for somebench does not exist.*--data"):
        data_folder("somebench", tmp_path / "nowhere")


def test_a_missing_file_says_what_where_and_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        require(tmp_path, "annotations.json", ORIGIN)
    for part in ("annotations.json", str(tmp_path), "https://example.org/files", "6 GB", "--data"):
        assert part in str(caught.value)


def test_a_gzipped_file_stands_for_the_plain_one(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(b"")
    assert require(tmp_path, "a.json", ORIGIN) == tmp_path / "a.json.gz"
    (tmp_path / "b.tsv.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"b\.tsv is not in"):  # whose reader would not unpack it
        require(tmp_path, "b.tsv", ORIGIN)


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "", "..", "a\\..\\..\\x", "C:\\x", "\\\\host\\x", "a\0b"]
)
def test_names_from_data_sets_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="would leave the data folder"):
        inside(tmp_path, name)


@settings(deadline=None)
@given(name=st.text(alphabet="ab./\\:\0", max_size=12))
def test_whatever_is_accepted_lies_in_the_folder(name: str) -> None:
    folder = Path("/data/somebench")
    try:
        made = inside(folder, name)
    except DataError:
        return
    assert Path(*made.parts).resolve().is_relative_to(folder)


def test_shards_are_sorted_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in (2, 0, 1):
        (tmp_path / "data" / f"val-{number:05d}-of-00003.parquet").touch()
    found = require_all(tmp_path, "data/val-*.parquet", ORIGIN)
    assert [path.name[4:9] for path in found] == ["00000", "00001", "00002"]
    (tmp_path / "data" / "val-00001-of-00003.parquet").unlink()
    with pytest.raises(DataError, match=r"val-00001-of-00003\.parquet of .* is missing"):
        require_all(tmp_path, "data/val-*.parquet", ORIGIN)


def test_shards_may_lie_in_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "val-00000-of-00001.parquet").touch()
    assert require_all(tmp_path, "data/val-*.parquet", ORIGIN) == [tmp_path / "val-00000-of-00001.parquet"]


def test_no_match_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file matches data/val-\*\.parquet"):
        require_all(tmp_path, "data/val-*.parquet", ORIGIN)
