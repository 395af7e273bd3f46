"""Parquet and Arrow files as the hub serves them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.data.images import decode
from evalsuite.data.table import image_cell, read_table
from evalsuite.errors import DataError
from tests.data.image_files import encoded

COLUMNS = {"id": "question_id", "picture": "image", "answers": "answers"}


def table(count: int = 40) -> pa.Table:
    """Rows as the hub's viewer shows them: the Image feature is a struct of bytes and path."""
    rows: list[dict[str, Any]] = [
        {
            "question_id": number,
            "image": {"bytes": encoded(seed=number), "path": f"{number}.png"},
            "answers": [{"answer": "cat", "answer_id": 1}],
            "unused": "x" * 10,
        }
        for number in range(count)
    ]
    return pa.Table.from_pylist(rows)


def written(folder: Path, kind: str) -> list[Path]:
    """The rows in two files."""
    whole = table()
    paths = []
    for number, part in enumerate((whole.slice(0, 25), whole.slice(25))):
        path = folder / f"part-{number}.{kind.split('-')[0]}"
        if kind == "parquet":
            pq.write_table(part, path, row_group_size=10)
        else:
            make = pa.ipc.new_file if kind == "arrow-file" else pa.ipc.new_stream
            with pa.OSFile(str(path), "wb") as out, make(out, part.schema) as writer:
                writer.write_table(part, max_chunksize=7)
        paths.append(path)
    return paths


@pytest.mark.parametrize("kind", ["parquet", "arrow-file", "arrow-stream"])
def test_rows_come_in_order_across_files_with_encoded_images(tmp_path: Path, kind: str) -> None:
    paths = written(tmp_path, kind)
    rows = list(read_table(paths, COLUMNS))
    assert [row["id"] for _, row in rows] == list(range(40))
    where, last = rows[-1]
    assert where == f"{paths[1]}, row 14"
    assert last["answers"] == [{"answer": "cat", "answer_id": 1}]
    image = image_cell(last["picture"], "row")
    assert image.data == encoded(seed=39)
    assert image.name == "39.png"
    assert decode(image).size == (24, 16)


@pytest.mark.parametrize("kind", ["parquet", "arrow-stream"])
def test_an_unknown_column_names_those_there_are(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=r"no column 'anwsers' \(it has: question_id, image, .*mean answers"):
        list(read_table(written(tmp_path, kind), {"a": "anwsers"}))


def test_a_dotted_name_reaches_into_a_struct(tmp_path: Path) -> None:
    paths = written(tmp_path, "parquet")
    assert next(read_table(paths, {"name": "image.path"}))[1] == {"name": "0.png"}
    with pytest.raises(DataError, match="column 'image' has no field 'size'"):
        next(read_table(paths, {"name": "image.size"}))


@pytest.mark.parametrize("kind", ["parquet", "arrow-file"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_cut_off_files_are_named(tmp_path: Path, kind: str, keep: float) -> None:
    path = written(tmp_path, kind)[0]
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match=r"part-0\.\w+ is not a complete (parquet|Arrow) file|damaged"):
        list(read_table([path], COLUMNS))


def test_missing_files_are_named(tmp_path: Path) -> None:
    for name in ("x.parquet", "x.arrow"):
        with pytest.raises(DataError, match=f"{name} does not exist"):
            list(read_table([tmp_path / name], COLUMNS))


@pytest.mark.parametrize("cell", [None, {}, {"bytes": None, "path": None}, {"bytes": b"", "path": None}, b""])
def test_a_null_cell_is_the_failure_of_its_sample(cell: Any) -> None:
    image = image_cell(cell, "row 3")
    for use in (image.read, image.sha256):
        with pytest.raises(DataError, match="row 3 holds no image"):
            use()


@pytest.mark.parametrize("cell", [5, [None], "text", [{"bytes": b"x"}]])
def test_a_column_of_another_form_is_refused(cell: Any) -> None:
    with pytest.raises(DataError, match="row 3 holds no image"):
        image_cell(cell, "row 3")


def test_a_path_alone_is_refused_because_it_points_into_another_machine() -> None:
    with pytest.raises(DataError, match="only the path '/etc/passwd'"):
        image_cell({"bytes": None, "path": "/etc/passwd"}, "row 3")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """80 MB in row groups of 100, as the hub writes images: two groups cost as much as eight."""
    schema = pa.schema([("id", pa.int64()), ("image", pa.binary())])
    noise = encoded(width=256, height=140)
    rows = pa.Table.from_pydict(
        {"id": list(range(750)), "image": [noise + number.to_bytes(4, "big") for number in range(750)]},
        schema,
    )
    path = tmp_path / "big.parquet"
    pq.write_table(rows, path, row_group_size=100)
    assert path.stat().st_size > 75e6
    script = f"""
from pathlib import Path
import pyarrow.parquet
from evalsuite.data.table import read_table
def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
early = peak = count = 0
for _ in read_table([Path({str(path)!r})], {{"id": "id", "image": "image"}}):
    count += 1
    peak = max(peak, anonymous())
    if count == 200:
        early = peak
print(count, peak - early)
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("anonymous memory is read from /proc")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    count, grown = map(int, done.stdout.split())
    assert count == 750
    assert grown < 15_000, f"{grown} KiB more"
