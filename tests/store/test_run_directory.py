"""A run directory that is damaged, foreign, full, or in use: one clear line, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalsuite.errors import DataError, StoreError
from evalsuite.request import TextResponse
from evalsuite.running.scoring import score_run
from evalsuite.store import Record, RunReader, RunWriter, check_usable, database, list_runs, verify
from tests.engine.support import run_sums, sums_registry, sums_spec


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small finished run with images."""
    out = tmp_path / "run"
    run_sums(sums_spec("sums", "sum-images", count=6), out)
    return out


@pytest.mark.slow
def test_a_sound_run_verifies(run: Path) -> None:
    found = verify(run)
    assert found.sound
    assert (found.records, found.images, found.stray_images) == (12, 6, 0)


def test_verify_names_a_missing_and_a_changed_image(run: Path) -> None:
    first, second = sorted((run / "images").glob("??/*.png"))[:2]
    first.unlink()
    second.write_bytes(second.read_bytes()[:-20])
    problems = "\n".join(verify(run).problems)
    assert f"{first} is missing" in problems
    assert f"{second} has changed" in problems
    assert "sum-images/sum-images-" in problems


def test_verify_counts_an_image_that_no_response_refers_to_but_does_not_mind(run: Path) -> None:
    image = next((run / "images").glob("??/*.png"))
    shutil.copy(image, image.with_name("0" * 64 + ".png"))
    assert verify(run).sound
    assert verify(run).stray_images == 1


def test_a_damaged_database_is_refused_in_one_line_and_left_as_it_is(run: Path) -> None:
    file = run / "responses.sqlite"
    data = file.read_bytes()
    file.write_bytes(b"not a database at all" + data[21:])
    with pytest.raises(StoreError, match=r"responses\.sqlite is damaged"):
        run_sums(sums_spec("sums", "sum-images", count=6), run)
    with pytest.raises(StoreError, match="is damaged"):
        RunReader(run)
    assert file.read_bytes()[21:] == data[21:]


def test_verify_finds_a_page_that_was_overwritten(run: Path) -> None:
    file = run / "responses.sqlite"
    data = bytearray(file.read_bytes())
    data[4096:4196] = b"\xff" * 100
    file.write_bytes(data)
    assert not verify(run).sound


def test_a_run_of_another_format_is_refused_by_readers_and_writers(run: Path) -> None:
    described = json.loads((run / "run.json").read_text())
    described["format"] = 99
    (run / "run.json").write_text(json.dumps(described))
    for use in (RunReader, RunWriter.for_scoring, verify):
        with pytest.raises(StoreError, match="has run format 99; this evalsuite reads format 1"):
            use(run)
    with pytest.raises(StoreError, match="format 99"):
        run_sums(sums_spec("sums", "sum-images", count=6), run)


def test_a_directory_that_is_no_run_is_neither_read_nor_written(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a run"):
        RunReader(tmp_path)
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match="is not empty and not a run"):
        run_sums(sums_spec(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(StoreError, match="is a file"):
        check_usable(tmp_path / "thesis.tex", sums_spec())


def test_a_place_where_nothing_can_be_made_is_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        check_usable(tmp_path / "notes" / "run", sums_spec())
    assert not check_usable(tmp_path / "new" / "run", sums_spec())


def test_a_run_description_that_is_no_text_is_refused_in_one_line(run: Path) -> None:
    (run / "run.json").write_bytes(b"\xff\xfe\0")
    with pytest.raises(StoreError, match=r"run\.json is not a run's description"):
        RunReader(run)


def test_a_run_description_cut_short_is_refused_in_one_line(run: Path) -> None:
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text[: len(text) // 2])
    with pytest.raises(StoreError, match=r"run\.json is not a run's description"):
        RunReader(run)


def test_a_run_killed_before_its_description_was_written_can_begin_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.lock").touch()
    (out / ".tmp-1-run.json").write_text('{"format"')
    assert run_sums(sums_spec(), out).exit_code == 0


def test_answers_whose_description_was_lost_are_not_taken_for_those_of_a_new_run(run: Path) -> None:
    (run / "run.json").unlink()
    with pytest.raises(StoreError, match="is not empty and not a run"):
        run_sums(sums_spec("sums", count=6, seed=1), run)


@pytest.mark.slow
@pytest.mark.parametrize("left", ["nothing", "an empty file", "no table"])
def test_numbers_outlive_the_loss_of_the_answers_that_they_were_made_of(run: Path, left: str) -> None:
    (run / "responses.sqlite").unlink()
    if left == "an empty file":
        (run / "responses.sqlite").touch()
    elif left == "no table":
        sqlite3.connect(run / "responses.sqlite").execute("PRAGMA journal_mode=WAL").connection.close()
    before = {path: path.read_bytes() for path in [run / "metrics.json", *(run / "scores").iterdir()]}
    for again in (
        lambda: score_run(run, registry=sums_registry()),
        lambda: run_sums(sums_spec("sums", "sum-images", count=6), run),
    ):
        with pytest.raises(StoreError, match=r"no responses\.sqlite|no such table: responses"):
            again()
    assert {path: path.read_bytes() for path in before} == before


def test_an_answer_in_the_store_is_never_overwritten(run: Path) -> None:
    with RunWriter.for_scoring(run) as writer:
        before = list(writer.records("sums"))
        with pytest.raises(StoreError, match="answered already"):
            writer.save(
                [Record("sums", "new", 0, TextResponse("1")), Record("sums", "sums-0", 0, TextResponse("2"))]
            )
        assert list(writer.records("sums")) == before, "a refused batch left a part behind"


def test_a_run_on_a_read_only_medium_can_be_read(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for leftover in copy.glob("responses.sqlite-*"):
        leftover.unlink()
    with RunReader(copy) as reader:
        assert reader.counts()["sums"].answered == 6
    for path in (*copy.rglob("*"), copy):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with RunReader(copy) as reader:
            assert reader.counts()["sums"].answered == 6
    finally:
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_killed_run_on_a_read_only_medium_is_refused_where_answers_would_be_left_out(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "responses.sqlite-wal").write_bytes(b"answers that are not in the database file yet")
    opened = database._open

    def read_only(file: Path, mode: str) -> sqlite3.Connection:
        if mode == "mode=ro":
            raise sqlite3.OperationalError("unable to open database file")
        return opened(file, mode)

    monkeypatch.setattr(database, "_open", read_only)
    with pytest.raises(StoreError, match=r"responses.sqlite-wal.*folder that can be written"):
        RunReader(run)


def test_runs_are_listed_with_those_that_cannot_be_read(run: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    (tmp_path / "other").mkdir()
    found, wrong = list_runs([tmp_path])
    assert [reader.path for reader in found] == [run]
    assert list(wrong) == [broken]


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"\xff\xfe\0"])
def test_damaged_metrics_can_be_made_again(run: Path, damaged: bytes) -> None:
    (run / "metrics.json").write_bytes(damaged)
    with pytest.raises(StoreError, match=r"metrics\.json is damaged.*evalsuite score"):
        RunReader(run).metrics()
    score_run(run, registry=sums_registry())
    assert len(RunReader(run).metrics()) == 2


@pytest.mark.parametrize("size", [0, 100])
def test_a_damaged_table_of_scores_can_be_made_again(run: Path, size: int) -> None:
    whole = RunReader(run).scores("sums")
    for file in (run / "scores").iterdir():
        os.truncate(file, size)
    with pytest.raises(StoreError, match=r"sums\.official\.parquet is damaged.*evalsuite score"):
        RunReader(run).scores("sums")
    score_run(run, registry=sums_registry())
    assert RunReader(run).scores("sums").equals(whole)


def test_scores_by_rules_nobody_applied_are_refused(run: Path) -> None:
    with pytest.raises(StoreError, match=r"no scores of 'sums' by the rules 'lenient'.*evalsuite score"):
        RunReader(run).scores("sums", "lenient")
    with pytest.raises(StoreError, match=r"no task 'sumz'.*sums, sum-images"):
        RunReader(run).scores("sumz")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a MiB; skips where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_in_one_line_and_the_run_goes_on_when_there_is_space(tiny_disk: Path) -> None:
    out = tiny_disk / "run"
    spec = sums_spec("sum-images", count=60)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(230 * 1024))
    with pytest.raises(StoreError, match="The disk is full") as caught:
        run_sums(spec, out)
    assert "run the same command again" in caught.value.remedy
    ballast.unlink()
    answered = RunReader(out).counts()["sum-images"].answered
    assert 0 < answered < 60
    assert verify(out).sound
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny_disk)], check=True)
    run_sums(spec, out)
    assert RunReader(out).counts()["sum-images"].answered == 60
    assert verify(out).sound


def test_a_full_disk_while_an_image_is_written_leaves_no_half_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    written = 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal written
        if bytes(data[:4]) == b"\x89PNG":
            written += 1
            if written == 8:
                real(descriptor, data[:50])
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    out, spec = tmp_path / "run", sums_spec("sum-images", count=12)
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(StoreError, match="The disk is full"):
        run_sums(spec, out, self_check=False)
    assert verify(out).sound
    # The second batch of four is not saved; the first is lost, too, where both shared a commit.
    assert RunReader(out).counts()["sum-images"].answered in (0, 4)
    assert RunReader(out).manifest.sessions[-1].status == "failed"
    monkeypatch.undo()
    run_sums(spec, out)
    assert RunReader(out).counts()["sum-images"].answered == 12
    assert verify(out) == verify(out).__class__((), 12, 12, 0)


def test_a_response_that_is_no_image_is_the_adapters_fault(tmp_path: Path) -> None:
    from evalsuite.content import Image
    from evalsuite.errors import AdapterError
    from evalsuite.request import ImageResponse

    run_sums(sums_spec("sum-images", count=2), tmp_path / "run")
    with RunWriter.for_scoring(tmp_path / "run") as writer:
        for bad in (Image(b"GIF89a"), Image(b"")):
            with pytest.raises(AdapterError, match="not PNG, JPEG or WebP"):
                writer.save([Record("sum-images", "x", 0, ImageResponse((bad,)))])
        with pytest.raises(DataError, match="cannot be read"):
            writer.save([Record("sum-images", "x", 0, ImageResponse((Image(path=tmp_path / "gone.png"),)))])
