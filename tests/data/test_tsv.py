"""MMBench's table: base64 images, references to other rows, and all the ways in which it can be wrong."""

from __future__ import annotations

import base64
import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.data.images import decode
from evalsuite.data.tsv import ImageTable
from evalsuite.errors import DataError
from tests.data.image_files import encoded

HEADER = ["index", "question", "A", "image"]


def packed(seed: int = 0) -> str:
    return base64.b64encode(encoded(seed=seed)).decode()


def write(
    folder: Path, rows: list[list[str]], header: list[str] = HEADER, *, quote_all: bool = False
) -> Path:
    out = io.StringIO()
    quoting: Any = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter="\t", lineterminator="\n", quoting=quoting).writerows([header, *rows])
    path = folder / "bench.tsv"
    path.write_bytes(out.getvalue().encode("utf-8", "surrogatepass"))
    return path


def test_images_are_found_directly_and_by_reference(tmp_path: Path) -> None:
    table = ImageTable(
        write(tmp_path, [["1000001", "q", "x", "1"], ["1", "q", "y", packed(5)], ["2", "p", "z", packed(6)]])
    )
    assert [row["A"] for row in table.rows()] == ["x", "y", "z"]
    assert table.image("1000001").data == table.image("1").data == encoded(seed=5)
    assert table.image("2").data == encoded(seed=6)
    assert table.holder("1000001") == "1"
    assert table.image("1").label == "bench.tsv#1"


@settings(max_examples=40, deadline=None)
@given(
    cells=st.lists(
        st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
        min_size=1,
        max_size=6,
    )
)
def test_any_text_survives_and_images_stay_with_their_rows(
    cells: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tsv")
    rows = [[str(i), cell, "x", packed(i)] for i, cell in enumerate(cells)]
    # Python's writer leaves a bare carriage return unquoted, which is ambiguous and refused: see below.
    table = ImageTable(write(folder, rows, quote_all=True))
    assert [row["question"] for row in table.rows()] == cells
    for number in range(len(cells)):
        assert table.image(str(number)).data == encoded(seed=number)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = write(tmp_path, [["1", "q", "x", packed()]])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    table = ImageTable(path)
    assert table.columns == tuple(HEADER)
    assert table.image("1").data == encoded()


def test_truncated_base64_is_refused_with_the_row_when_the_image_is_wanted(tmp_path: Path) -> None:
    text = packed()
    path = write(tmp_path, [["1", "q", "x", text[: len(text) // 2 + 1]], ["2", "q", "x", text]])
    table = ImageTable(path)
    with pytest.raises(DataError, match=r"bench\.tsv, index 1 \(line 2\): the image is not complete base64"):
        table.image("1")
    assert table.image("2").data == encoded()


def test_base64_cut_at_a_byte_is_refused_by_the_decoder(tmp_path: Path) -> None:
    text = packed()
    table = ImageTable(write(tmp_path, [["1", "q", "x", text[: len(text) // 2 // 4 * 4]]]))
    with pytest.raises(DataError, match=r"bench\.tsv#1.*truncated"):
        decode(table.image("1"))


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([], HEADER, "has no rows"),
        (
            [["1", "q", "x", "IMAGE"]],
            ["index", "question", "A", "picture"],
            r"no column 'image' \(it has: index,",
        ),
        ([["1", "q", "x", "IMAGE"]], ["index", "question", "question", "image"], "column 'question' twice"),
        ([["1", "q", "x"]], HEADER, "line 2 has 3 cells instead of 4"),
        ([["1", "q", "x", "IMAGE"], ["1", "q", "x", "IMAGE"]], HEADER, "line 3: index 1 occurs twice"),
        ([["", "q", "x", "IMAGE"]], HEADER, "line 2 has no index"),
        ([["1", "q", "x", "9"]], HEADER, "line 2: the image refers to row '9', which does not exist"),
        (
            [["1", "q", "x", "2"], ["2", "q", "x", "1"]],
            HEADER,
            "refers to row '2', which has no image itself",
        ),
        ([["1", "q", "x", "1"]], HEADER, "refers to row '1', which has no image itself"),
    ],
)
def test_malformed_tables_are_refused(
    tmp_path: Path, rows: list[list[str]], header: list[str], message: str
) -> None:
    filled = [[packed() if cell == "IMAGE" else cell for cell in row] for row in rows]
    with pytest.raises(DataError, match=message):
        ImageTable(write(tmp_path, filled, header), required=("question",))


def test_a_row_without_an_image_is_the_failure_of_its_sample(tmp_path: Path) -> None:
    table = ImageTable(write(tmp_path, [["1", "q", "x", ""], ["2", "q", "x", packed()]]))
    with pytest.raises(DataError, match=r"index 1 \(line 2\): there is no image"):
        table.image("1")
    assert table.image("2").read()


def test_a_comma_separated_file_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "bench.tsv"
    path.write_text("index,question,A,image\n1,q,x,y\n")
    with pytest.raises(DataError, match="Is it tab-separated"):
        ImageTable(path)


def test_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, [["1", "q", "x", packed()], ["2", "naïve?", "x", packed()]])
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    with pytest.raises(DataError, match=r"bench\.tsv, line 3 is not UTF-8"):
        ImageTable(path)


def test_a_file_cut_off_in_a_quoted_cell_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bench.tsv"
    path.write_text('index\tquestion\tA\timage\n1\t"a question that never en')
    with pytest.raises(DataError, match="line 2: not a valid TSV row"):
        ImageTable(path)


def test_a_bare_carriage_return_outside_quotes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: not a valid TSV row"):
        ImageTable(write(tmp_path, [["1", "one\rtwo", "x", packed()]]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.tsv cannot be read"):
        ImageTable(tmp_path / "nowhere.tsv")
