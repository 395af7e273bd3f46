"""What table readers have alike: ids, images, labels, groups, and tables in all formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from evalsuite.errors import DataError
from evalsuite.task.table_rows import TableRow, TableSettings, table_rows, text_of_cell
from tests.tasks.tables import (
    PHOTOS,
    base64_of,
    cell,
    delimited,
    image_files,
    json_file,
    json_lines,
    located,
    parquet,
)


def rows(folder: Path, columns: dict[str, str], files: Any = None, **settings: Any) -> list[TableRow]:
    source = located(folder, "open-table", columns, files, **settings)
    return [*table_rows(source, TableSettings.model_validate(settings))]


def test_ids_are_positions_over_all_files_unless_a_column_has_them(tmp_path: Path) -> None:
    for part in range(2):
        parquet(
            tmp_path / f"p-{part}.parquet", [{"q": f"{part}{k}", "n": 7.0 + k + 2 * part} for k in (0, 1)]
        )
    files = {"table": "p-*.parquet"}
    assert [row.id for row in rows(tmp_path, {"question": "q"}, files)] == ["0", "1", "2", "3"]
    assert [row.id for row in rows(tmp_path, {"id": "n"}, files)] == ["7", "8", "9", "10"]


def test_an_id_that_occurs_twice_is_numbered_where_that_is_asked_for(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"k": key, "c": "x"} for key in ("a", "b", "a", "a")])
    assert [row.id for row in rows(tmp_path, {"id": "k"}, id="{c}/{id}#{n}")] == [
        "x/a#1", "x/b#1", "x/a#2", "x/a#3",
    ]  # fmt: skip


def test_an_empty_id_is_an_error(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"k": "a"}, {"k": None}])
    with pytest.raises(DataError, match="row 1 has no id"):
        rows(tmp_path, {"id": "k"})


def test_labels_come_from_columns_patterns_values_and_neighbours(tmp_path: Path) -> None:
    table = [
        {"name": "val_Art_1", "kind": 0, "empty": None}, {"name": "val_Art_2", "kind": 1, "empty": ""},
        {"name": "Math", "kind": 1, "empty": float("nan")},
    ]  # fmt: skip
    json_file(tmp_path / "t.json", [{**row, "empty": None} for row in table])
    labels = {
        "name": "name", "empty": "empty", "pair": {"column": "@row", "every": 2}, "file": "@file",
        "subject": {"column": "name", "pattern": "^val_([A-Za-z]+)_"},
        "source": {"column": "kind", "values": {"0": "human"}},
    }  # fmt: skip
    found = [dict(row.labels) for row in rows(tmp_path, {}, labels=labels, cluster=["pair", "file"])]
    assert found == [
        {"name": "val_Art_1", "pair": "0", "file": "t", "subject": "Art", "source": "human"},
        {"name": "val_Art_2", "pair": "0", "file": "t", "subject": "Art", "source": "1"},
        {"name": "Math", "pair": "1", "file": "t", "source": "1"},
    ]
    assert [row.cluster for row in rows(tmp_path, {}, labels=labels, cluster=["pair", "file"])] == [
        "0/t", "0/t", "1/t",
    ]  # fmt: skip


def test_neighbours_of_a_column_that_is_no_number_are_an_error(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"k": "a"}])
    with pytest.raises(DataError, match=r"row 0 \(id 0\): k is 'a', not a number"):
        rows(tmp_path, {}, labels={"pair": {"column": "k", "every": 2}})


def test_only_the_rows_of_the_benchmark_are_read(tmp_path: Path) -> None:
    table = [
        {"q": str(k), "type": kind, "n": k} for k, kind in enumerate(["image", "video", "image", "text"])
    ]
    parquet(tmp_path / "t.parquet", table)
    assert [row.id for row in rows(tmp_path, {}, where={"type": "image"})] == ["0", "2"]
    assert [row.id for row in rows(tmp_path, {}, where={"type": ["image", "text"], "n": [0, 3]})] == [
        "0",
        "3",
    ]


def test_a_row_without_an_image_fails_alone_is_asked_or_is_left_out(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"image": cell(0)}, {"image": None}])
    columns = {"image": "image"}
    assert [row.problem for row in rows(tmp_path, columns)] == [
        "", f"{tmp_path / 't.parquet'}, row 1 (id 1) has no image.",
    ]  # fmt: skip
    asked = rows(tmp_path, columns, no_image="ask")
    assert [(len(row.images), row.problem) for row in asked] == [(1, ""), (0, "")]
    assert [row.id for row in rows(tmp_path, columns, no_image="skip")] == ["0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ({"bytes": None, "path": "/home/somebody/1.png"}, "holds only the path"),
    ],
)
def test_a_damaged_image_is_the_failure_of_its_sample(tmp_path: Path, image: Any, reason: str) -> None:
    parquet(tmp_path / "t.parquet", [{"image": cell(0)}, {"image": image}])
    good, bad = rows(tmp_path, {"image": "image"})
    assert (len(good.images), good.problem) == (1, "")
    assert bad.images == ()
    with pytest.raises(DataError, match=rf"row 1 \(id 1\), image {reason}"):
        raise DataError(bad.problem)


def test_an_empty_image_among_others_is_the_failure_of_its_sample(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"image": cell(0)}, {"image": {"bytes": b"", "path": None}}])
    good, bad = rows(tmp_path, {"image": "image"})
    assert (len(good.images), good.problem) == (1, "")
    with pytest.raises(DataError, match=r"row 1 \(id 1\), image holds no image"):
        bad.images[0].read()


def test_damaged_base64_is_the_failure_of_its_sample_and_an_empty_cell_is_no_image(tmp_path: Path) -> None:
    table = [
        {"index": 1, "image": base64_of(0)}, {"index": 2, "image": base64_of(1)[:-3]},
        {"index": 3, "image": f"['{base64_of(1)}', 'iVB"}, {"index": 4, "image": ""},
    ]  # fmt: skip
    delimited(tmp_path / "t.tsv", table)
    problems = [row.problem for row in rows(tmp_path, {"id": "index", "image": "image"})]
    assert problems[0] == ""
    assert "index 2 (line 3): the image is not complete base64" in problems[1]
    assert "index 3 (line 4): the images are no complete list" in problems[2]
    assert problems[3].endswith("index 4 (id 4) has no image.")


def test_images_that_are_files_are_found_in_the_first_folder_that_has_them(tmp_path: Path) -> None:
    image_files(tmp_path, "scene/1.png", "scene/images/2.png")
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        (tmp_path / "scene.txt").open("a").write(f'{name}\tIs it "so"?\tYes\n')
    files = {"table": "*.txt", "images": "{@file}/{image}", "images-deeper": "{@file}/images/{image}"}
    header = ["image", "question", "answer"]
    found = rows(tmp_path, {"question": "question"}, files, header=header)
    assert [row.images[0].path for row in found] == [
        tmp_path / "scene/1.png", tmp_path / "scene/images/2.png", tmp_path / "scene/3.jpg",
    ]  # fmt: skip
    assert found[0].fields["question"] == 'Is it "so"?'


def test_a_name_that_leaves_the_folder_is_the_failure_of_its_sample(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    json_lines(tmp_path / "t.jsonl", [{"image": "../../etc/passwd"}])
    (row,) = rows(tmp_path, {"image": "image"}, {"table": "t.jsonl", "images": "images"})
    assert "would leave the data folder" in row.problem


def test_a_table_of_file_names_says_that_a_folder_is_wanted(tmp_path: Path) -> None:
    json_lines(tmp_path / "t.jsonl", [{"image": "1.png"}])
    (row,) = rows(tmp_path, {"image": "image"})
    assert "names the file '1.png'. Say where it is by `files: {images: FOLDER}`" in row.problem


def test_one_image_of_one_name_is_one_group(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", [{"image": cell(0), "name": f"{k // 2}.png"} for k in range(3)])
    found = rows(tmp_path, {"image": "image", "image_id": "name"})
    assert [row.cluster for row in found] == ["0.png", "0.png", "1.png"]
    assert [image.read() for image in found[2].images] == [PHOTOS[0]]


def test_rows_that_show_the_same_images_are_one_group(tmp_path: Path) -> None:
    shown = [(0, None), (1, None), (0, None), (0, 1), (0, 1), (None, None)]
    table = [{f"image_{k}": None if n is None else cell(n) for k, n in enumerate(pair)} for pair in shown]
    parquet(tmp_path / "t.parquet", table)
    found = rows(tmp_path, {}, images=["image_*"], cluster="@image", no_image="ask")
    groups = [row.cluster for row in found]
    assert groups[0] == groups[2] != groups[1]
    assert groups[3] == groups[4] != groups[0]
    assert groups[5] == ""


def test_an_arrow_file_is_read_as_its_parquet_is(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([{"q": "one", "image": cell(0)}, {"q": "two", "image": cell(1)}])
    with (
        pa.OSFile(str(tmp_path / "t.arrow"), "wb") as stream,
        pa.ipc.new_file(stream, table.schema) as writer,
    ):
        writer.write_table(table)
    found = rows(tmp_path, {"question": "q", "image": "image"})
    assert [(row.fields["question"], row.images[0].read()) for row in found] == [
        ("one", PHOTOS[0]), ("two", PHOTOS[1]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xlsx", "", "is no table. Files end in .parquet, .arrow, .tsv"),
        ("t.json", "[]", "has no rows"),
        ("t.json", "3", "must be a list of rows, not int"),
        ("t.json", "[3]", "row 0 is int 3, not an object"),
        ("t.jsonl", "[1]\n", "a JSON object is expected"),
        ("t.tsv", "q\tq\n1\t2\n", "has the column 'q' twice"),
        ("t.tsv", "q\tr\n1\n", r"line 2 has 1 cells instead of 2"),
        ("t.csv", "r,s\n1,2\n", r"no column 'q' \(it has: r, s\)"),
        ("t.parquet", "PAR1", "is not a complete parquet file"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=rf"{name}.*{message}"):
        rows(tmp_path, {"question": "q"})


def test_cells_become_text_without_losing_or_adding_any() -> None:
    cells = ["a ", "007", 2.0, 2.5, 3, None, float("nan"), True]
    assert [*map(text_of_cell, cells)] == ["a ", "007", "2", "2.5", "3", "", "", "True"]
