"""Broken data files: JSON, JSON lines, TSV, parquet, Arrow, predictions, statistics, checkpoints."""

from __future__ import annotations

import base64
import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.errors import CheckpointError, EvalsuiteError
from evalsuite.metrics import frechet
from evalsuite.metrics.frechet import Gaussian
from tests.cli.program import here
from tests.data.image_files import encoded
from tests.faults.conftest import Tally
from tests.faults.support import LOOKER, failures, is_refusal, pope, run_looker

_LINE = {"question_id": 1, "image": "0.png", "text": "Is there a dog?", "label": "yes"}


def _line(**changes: Any) -> bytes:
    return (json.dumps({**_LINE, **changes}) + "\n").encode()


def _without(name: str) -> bytes:
    return (json.dumps({key: value for key, value in _LINE.items() if key != name}) + "\n").encode()


_GOOD = _line()
LINES: dict[str, bytes] = {
    "empty": b"",
    "empty lines": b"\n\n\n",
    "cut off": _GOOD[:-20],
    "cut off in the second line": _GOOD + _line(question_id=2)[:-20],
    "no JSON": b"hello\n",
    "a page": b"<html>404</html>\n",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "a list": b"[1, 2]\n",
    "a number": b"7\n",
    "null": b"null\n",
    "nested deeply": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    "objects nested deeply": b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
    "5,000 digits": b'{"question_id": ' + b"9" * 5000 + b"}\n",
    "latin-1": b'{"question_id": 1, "image": "0.png", "text": "na\xefve", "label": "yes"}\n',
    "UTF-16": _GOOD.decode().encode("utf-16"),
    "null bytes": b"\x00" * 100,
    "gzip that is none": b"\x1f\x8b" + bytes(30),
    "single quotes": b"{'question_id': 1}\n",
    "a trailing comma": b'{"question_id": 1,}\n',
    "a comment": b"// comment\n" + _GOOD,
    "no id": _without("question_id"),
    "no image": _without("image"),
    "no text": _without("text"),
    "no label": _without("label"),
    "an id that is null": _line(question_id=None),
    "an id that is a list": _line(question_id=[1]),
    "an id that is true": _line(question_id=True),
    "the same id twice": _GOOD + _GOOD,
    "a text that is null": _line(text=None),
    "a text that is a number": _line(text=3),
    "an image that is null": _line(image=None),
    "an image that is a list": _line(image=["0.png"]),
    "an image above the folder": _line(image="../secret.png"),
    "an absolute image": _line(image="/etc/passwd"),
    "an image of Windows": _line(image="C:\\secret.png"),
    "an image with a null byte": _line(image="a\x00.png"),
    "an image of no name": _line(image=""),
    "an image with a name of 300 characters": _line(image="n" * 300 + ".png"),
    "a label that is null": _line(label=None),
    "a label of another kind": _line(label="maybe"),
    "a label that is a list": _line(label=["yes"]),
    "halves of surrogates": b'{"question_id": "\\ud800", "image": "0.png", "text": "a", "label": "yes"}\n',
    "a text with halves of surrogates": _line(text="\ud800"),
    "a text of two million characters": _line(text="a" * 2_000_000),
    "NaN for an id": b'{"question_id": NaN, "image": "0.png", "text": "a", "label": "yes"}\n',
    "infinity for an id": b'{"question_id": 1e999, "image": "0.png", "text": "a", "label": "yes"}\n',
    "a key twice": b'{"question_id": 1, "question_id": 2, "image": "0.png", "text": "a", "label": "yes"}\n',
}
_READ = {"a text with halves of surrogates", "a key twice", "an id that is true", "an id that is null"}
"""Legal JSON with an odd id: asked about under its text."""


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, pytest.param(True, marks=pytest.mark.long)], ids=["plain", "gzip"])
@pytest.mark.parametrize("what", LINES)
def test_broken_json_lines_are_refused_with_the_line(
    what: str, packed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    data = pope(tmp_path / "pope", {"0.png": encoded()})
    file = data / "coco_pope_popular.json"
    file.unlink()
    if packed:
        (data / "coco_pope_popular.json.gz").write_bytes(gzip.compress(LINES[what]))
    else:
        file.write_bytes(LINES[what])
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run")))
    assert "This is a bug" not in end.stderr, end.stderr
    assert "Traceback" not in end.stderr
    assert end.returncode in ((0, 1, 2) if what in _READ else (1, 2)), end.stderr
    if end.returncode == 1 and (tmp_path / "run").exists():
        assert all(is_refusal(reason) for reason in failures(tmp_path / "run").values())
    tally("broken JSON and JSON lines", ("read", "failed sample", "refused, exit 2")[end.returncode])


def test_a_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.data import jsonfile

    monkeypatch.setattr(jsonfile, "_UNPACKED", 1_000_000)
    data = pope(tmp_path / "pope", {"0.png": encoded()})
    (data / "coco_pope_popular.json").unlink()
    (data / "coco_pope_popular.json.gz").write_bytes(gzip.compress(b" " * 20_000_000))
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run")))
    assert end.returncode == 2
    assert "unpacks to far more" in end.stderr
    tally("broken JSON and JSON lines", "refused, exit 2")


def _tsv(
    rows: list[list[str]],
    header: tuple[str, ...] = ("index", "question", "A", "B", "answer", "category", "l2-category", "image"),
) -> bytes:
    return "\n".join("\t".join(row) for row in [list(header), *rows]).encode("utf-8", "surrogatepass") + b"\n"


_PNG = base64.b64encode(encoded()).decode()
_ROW = ["1", "What?", "a dog", "a cat", "A", "animal", "seeing", _PNG]


def _row(at: int, value: str) -> list[str]:
    return [*_ROW[:at], value, *_ROW[at + 1 :]]


TABLES: dict[str, bytes] = {
    "empty": b"",
    "a header only": _tsv([]),
    "comma separated": _tsv([_ROW]).replace(b"\t", b","),
    "no column image": _tsv(
        [_ROW[:-1]], ("index", "question", "A", "B", "answer", "category", "l2-category")
    ),
    "a column twice": _tsv(
        [_ROW], ("index", "question", "A", "A", "answer", "category", "l2-category", "image")
    ),
    "a cell too few": _tsv([_ROW[:-1]]),
    "a cell too many": _tsv([[*_ROW, "more"]]),
    "an open quote": _tsv([_row(1, '"What?')]),
    "an index twice": _tsv([_ROW, _ROW]),
    "no index": _tsv([_row(0, "")]),
    "an index that is no number": _tsv([_row(0, "one")]),
    "an index of 5,000 digits": _tsv([_row(0, "9" * 5000)]),
    "a negative index": _tsv([_row(0, "-1")]),
    "an image cut off": _tsv([_row(7, _PNG[:-7])]),
    "an image that is none": _tsv([_row(7, base64.b64encode(b"hello" * 50).decode())]),
    "no image": _tsv([_row(7, "")]),
    "an image of a row that is not there": _tsv([_row(7, "9")]),
    "an image of itself": _tsv([_row(7, "1")]),
    "an answer that is none": _tsv([_row(4, "Z")]),
    "an answer that is empty": _tsv([_row(4, "")]),
    "no options": _tsv([[*_ROW[:2], "", "", *_ROW[4:]]]),
    "null bytes": _tsv([_row(1, "a\x00b")]),
    "latin-1": _tsv([_row(1, "naïve")]).decode().encode("latin-1"),
    "UTF-16": _tsv([_ROW]).decode().encode("utf-16"),
    "carriage returns": _tsv([_ROW]).replace(b"\n", b"\r"),
    "a page": b"<html>404</html>",
    "a rotation without an image": _tsv([_ROW, [*_row(0, "1000001")[:7], ""]]),
    "a rotation without its original": _tsv([_row(0, "1000001")]),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", TABLES)
def test_broken_tables_are_refused_or_cost_their_samples(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "MMBench_DEV_EN.tsv").write_bytes(TABLES[what])
    end = here(
        capsys,
        "run",
        "--plugin",
        LOOKER,
        "--model",
        "looker",
        "--task",
        "mmbench-dev-en",
        "--data",
        tmp_path / "data",
        "--out",
        tmp_path / "run",
    )
    assert "This is a bug" not in end.stderr, end.stderr
    assert end.returncode in (0, 1, 2)
    if end.returncode == 1 and (tmp_path / "run").exists():
        assert all(is_refusal(reason) for reason in failures(tmp_path / "run").values())
    tally("broken TSV", ("read", "failed sample", "refused, exit 2")[end.returncode])


def _parquet(**columns: Any) -> bytes:
    whole: dict[str, Any] = {
        "question_id": ["1", "2"],
        "question": ["Is there a dog?"] * 2,
        "answer": ["yes"] * 2,
        "image_source": ["a", "b"],
        "image": [{"bytes": encoded(seed=i), "path": None} for i in range(2)],
    }
    whole.update(columns)
    stream = io.BytesIO()
    pq.write_table(pa.table({name: value for name, value in whole.items() if value is not None}), stream)
    return stream.getvalue()


def _null_among(position: int) -> list[Any]:
    cells: list[Any] = [{"bytes": encoded(seed=i), "path": None} for i in range(2)]
    cells[position] = None
    return cells


_SOUND = _parquet()
PARQUET: dict[str, tuple[bytes, int]] = {
    "sound": (_SOUND, 0),
    "empty": (b"", 2),
    "cut off": (_SOUND[: len(_SOUND) // 2], 2),
    "only the head": (_SOUND[:8], 2),
    "zeros in the middle": (_SOUND[:100] + bytes(len(_SOUND) - 300) + _SOUND[-200:], 2),
    "a broken foot": (_SOUND[:-100] + bytes(92) + _SOUND[-8:], 2),
    "a page": (b"<html>404</html>", 2),
    "a null image first": (_parquet(image=_null_among(0)), 1),
    "a null image last": (_parquet(image=_null_among(1)), 1),
    "an image of null bytes": (
        _parquet(image=[{"bytes": None, "path": None}, {"bytes": encoded(), "path": None}]),
        1,
    ),
    "an image of no bytes": (
        _parquet(image=[{"bytes": b"", "path": None}, {"bytes": encoded(), "path": None}]),
        1,
    ),
    "an image that is none": (
        _parquet(image=[{"bytes": b"hello", "path": None}, {"bytes": encoded(), "path": None}]),
        1,
    ),
    "images as paths": (_parquet(image=[{"bytes": None, "path": "/etc/passwd"}] * 2), 2),
    "images as bytes": (_parquet(image=[encoded(seed=0), encoded(seed=1)]), 0),
    "images as texts": (_parquet(image=["a.png", "b.png"]), 2),
    "images as numbers": (_parquet(image=[1, 2]), 2),
    "images in lists": (_parquet(image=[[{"bytes": encoded(), "path": None}]] * 2), 2),
    "no images": (_parquet(image=None), 2),
    "no question": (_parquet(question=None), 2),
    "a question that is null": (_parquet(question=["Is it?", None]), 2),
    "an answer that is null": (_parquet(answer=["yes", None]), 2),
    "an answer of another kind": (_parquet(answer=["yes", "perhaps"]), 2),
    "the same id twice": (_parquet(question_id=["1", "1"]), 2),
    "no rows": (_parquet(question_id=[], question=[], answer=[], image_source=[], image=[]), 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", PARQUET)
def test_parquet_is_read_or_refused_and_a_null_among_others_costs_its_sample(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    data, code = PARQUET[what]
    folder = tmp_path / "data" / "Full"
    folder.mkdir(parents=True)
    (folder / "popular-00000-of-00001.parquet").write_bytes(data)
    end = here(capsys, *map(str, run_looker(tmp_path / "data", tmp_path / "run")))
    assert "This is a bug" not in end.stderr, end.stderr
    assert end.returncode == code, end.stderr
    if code == 1:
        assert len(failures(tmp_path / "run")) == 1
        assert all(is_refusal(reason) for reason in failures(tmp_path / "run").values())
    tally("parquet", ("read", "one failed sample", "refused, exit 2")[code])


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


class _Evil:
    def __reduce__(self) -> Any:
        return (open, ("owned", "w"))


def _bomb() -> bytes:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("mu.npy", "w", force_zip64=True) as member,
    ):
        head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (250000000,), }"
        head += b" " * (118 - len(head) - 1) + b"\n"
        member.write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
        member.write(bytes(3_000_000))
    return stream.getvalue()


def _slip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../owned.npy", b"x")
        archive.writestr("mu.npy", b"x")
    return stream.getvalue()


GATES = {
    "no TOML": "hello",
    "5,000 digits": "alpha = " + "9" * 5000,
    "nested deeply": "alpha = " + "[" * 20_000 + "]" * 20_000,
    "a date that is none": "alpha = 2023-13-45",
    "not a number": "alpha = nan",
    "an unknown key": "speed = 1",
    "a key twice": "alpha = 0.1\nalpha = 0.2",
    "a null byte": "alpha = \x00",
}


@pytest.mark.parametrize("what", GATES)
def test_broken_gates_are_refused(what: str, tmp_path: Path, tally: Tally) -> None:
    from evalsuite.comparison.gates import load_gates

    (tmp_path / "gates.toml").write_text(GATES[what])
    with pytest.raises(EvalsuiteError) as refused:
        load_gates(tmp_path / "gates.toml")
    assert is_refusal(str(refused.value).replace("\n", " "))
    tally("broken TOML", "refused")


STATISTICS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "a text": lambda: b"hello",
    "a pickle": lambda: pickle.dumps(_Evil()),
    "an array of objects": lambda: _npz(mu=np.array([_Evil()], dtype=object), sigma=np.eye(1)),
    "an archive that unpacks to more than is allowed": _bomb,
    "an archive with names above its folder": _slip,
    "cut off": lambda: _npz(mu=np.zeros(4), sigma=np.eye(4))[:200],
    "without sigma": lambda: _npz(mu=np.zeros(4)),
    "NaN": lambda: _npz(mu=np.full(4, np.nan), sigma=np.eye(4)),
    "infinity": lambda: _npz(mu=np.zeros(4), sigma=np.full((4, 4), np.inf)),
    "sizes that do not fit": lambda: _npz(mu=np.zeros(4), sigma=np.eye(3)),
    "a number": lambda: _npz(mu=np.float64(1), sigma=np.eye(1)),
    "texts": lambda: _npz(mu=np.array(["a"]), sigma=np.eye(1)),
    "complex numbers": lambda: _npz(mu=np.zeros(2, complex) + 1j, sigma=np.eye(2)),
    "a protocol that is no JSON": lambda: _npz(mu=np.zeros(2), sigma=np.eye(2), protocol=np.array("{")),
    "a protocol nested deeply": lambda: _npz(
        mu=np.zeros(2), sigma=np.eye(2), protocol=np.array("[" * 99_999)
    ),
    "a protocol of other fields": lambda: _npz(
        mu=np.zeros(2), sigma=np.eye(2), protocol=np.array('{"a": 1}')
    ),
    "a count that is none": lambda: _npz(mu=np.zeros(2), sigma=np.eye(2), count=np.array("many")),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", STATISTICS)
def test_statistics_that_are_broken_or_hostile_are_refused(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "statistics.npz"
    file.write_bytes(STATISTICS[what]())
    monkeypatch.setattr(frechet, "_LARGEST", 2_000_000)
    with pytest.raises(EvalsuiteError) as refused:
        Gaussian.load(file)
    assert "allow_pickle" not in str(refused.value)
    assert "unsafely" not in str(refused.value)
    assert is_refusal(str(refused.value)), str(refused.value)
    assert not list(tmp_path.parent.glob("owned*"))
    assert not (tmp_path / "owned").exists()
    tally("broken and hostile statistics (.npz)", "refused with the reason")


def _load(name: str, file: Path) -> None:
    if name == "dreamllm":
        from evalsuite.dreamllm.weights import open_tensors

        open_tensors(file)
    elif name == "inception":
        from evalsuite.metrics.inception import load_inception

        load_inception(file)
    else:
        from evalsuite.features import lpips

        lpips._read([file], {"weight": (1,)})


@pytest.mark.long
@pytest.mark.parametrize("name", ["lpips", "inception", "dreamllm"])
def test_weights_that_would_run_code_are_refused_without_torchs_advice(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    file = tmp_path / "weights.pth"
    torch.save({"weight": _Evil()}, file)
    with pytest.raises(CheckpointError) as refused:
        _load(name, file)
    assert "weights_only" not in str(refused.value)
    assert "arbitrary code" not in str(refused.value)
    assert not (tmp_path / "owned").exists()
    tally("hostile weights (.pth)", "refused with the reason")


def test_an_archive_of_images_cannot_write_outside(tmp_path: Path, tally: Tally) -> None:
    """Runs are read, never unpacked: a shard with names above its folder is bytes at places."""
    import tarfile

    from evalsuite.store import shards

    root = tmp_path / "run"
    (root / "images").mkdir(parents=True)
    with tarfile.open(root / "images" / "shard-00000.tar", "w") as archive:
        for name in ("../../owned.png", "/tmp/owned-by-tar.png"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))
    assert list(shards._members(root / "images" / "shard-00000.tar")) == [
        "../../owned.png",
        "/tmp/owned-by-tar.png",
    ]
    assert not (tmp_path.parent / "owned.png").exists()
    assert not Path("/tmp/owned-by-tar.png").exists()
    tally("archives with names above their folder", "nothing unpacked", 2)
