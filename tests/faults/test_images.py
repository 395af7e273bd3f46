"""Broken, odd and hostile image files: each costs its sample at most, none hangs, none reaches a program."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from PIL import Image as pil

from evalsuite.content import MAX_FILE, FileSlice, Image
from evalsuite.data import in_flight
from evalsuite.data.images import decode, image_size, raster_formats
from evalsuite.errors import DataError
from evalsuite.store import RunReader
from tests.cli.program import here
from tests.data.image_files import encoded
from tests.faults.broken_images import broken, noise, odd
from tests.faults.conftest import Tally
from tests.faults.support import failures, is_refusal, pope, run_looker

# Decodable although they look broken: PIL reads past the damage, or the damage is in what nobody decodes.
UNCHECKED = (".ppm", ".tga", ".bmp")
"""Formats that are pixels behind a short head, in which nothing can be found wrong."""
MAY_BE_READ = (
    "size.",
    "crlf.",
    "ones.",
    "zeros.",
    "half.",
    "quarter.",
    "text-bomb",
    "profile-bomb",
    "negative",
    "no-palette",
)


@pytest.mark.slow
def test_each_broken_file_is_the_failure_of_its_sample_with_a_reason_for_users(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    images = {"whole.png": encoded(), **broken()}
    assert len(images) > 145
    data = pope(tmp_path / "pope", images)
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run", "--prepare-threads", "2")))
    assert end.returncode == 1
    assert "This is a bug" not in end.stderr
    failed = failures(tmp_path / "run")
    for number, name in enumerate(images, start=1):
        reason = failed.get(str(number))
        if reason is None:
            may = name == "whole.png" or name.startswith(MAY_BE_READ) or name.endswith(UNCHECKED)
            assert may, f"{name} was read"
            tally("broken image files", "read")
        else:
            assert is_refusal(reason), f"{name}: {reason}"
            assert name in reason
            tally("broken image files", "refused with the reason")
    assert not Path("owned").exists()


@pytest.mark.slow
def test_odd_files_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally) -> None:
    images = odd()
    data = pope(tmp_path / "pope", images)
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run")))
    assert end.returncode == 0, failures(tmp_path / "run")
    with RunReader(tmp_path / "run") as run:
        assert len(run.answered("pope-popular")) == len(images)
    tally("odd image files", "read", len(images))


@pytest.mark.parametrize("count", [110, pytest.param(5000, marks=pytest.mark.long)])
def test_files_with_random_bytes_are_read_or_refused(count: int, tally: Tally) -> None:
    for name, data in noise(1, count):
        for use in (decode, image_size):
            reason = ""
            try:
                use(Image(data=data, name=name))
            except DataError as error:
                reason = str(error)
            assert not reason or is_refusal(reason), f"{name}: {reason}"
            outcome = "refused with the reason" if reason else "read"
        tally("image files with random bytes", outcome)


@pytest.mark.slow
def test_what_is_no_plain_file_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    """A pipe would wait for a writer, a device has no end, a socket is neither."""
    names = [
        "fifo.png",
        "zero.png",
        "random.png",
        "null.png",
        "folder.png",
        "loop.png",
        "dangling.png",
        "socket.png",
    ]
    data = pope(tmp_path / "pope", {"whole.png": encoded(), **dict.fromkeys(names, b"")})
    folder = data / "val2014"
    for name in names:
        (folder / name).unlink()
    os.mkfifo(folder / "fifo.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "random.png").symlink_to("/dev/urandom")
    (folder / "null.png").symlink_to("/dev/null")
    (folder / "folder.png").mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "dangling.png").symlink_to("nowhere.png")
    with socket.socket(socket.AF_UNIX) as bound:
        here_before = Path.cwd()
        os.chdir(folder)  # the name of a socket may have 107 bytes
        bound.bind("socket.png")
        os.chdir(here_before)
        end = here(capsys, *map(str, run_looker(data, tmp_path / "run")))
    assert end.returncode in (1, 2)
    if end.returncode == 1:
        failed = failures(tmp_path / "run")
        assert sorted(failed) == [str(i) for i in range(2, 10)]
        assert all(is_refusal(reason) for reason in failed.values()), failed
    tally("pipes, devices, sockets, folders as images", "refused with the reason", len(names))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coco_pope_popular.json", "coco_pope_popular.json.gz"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_annotations_that_are_no_files_are_refused_at_once(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    data = pope(tmp_path / "pope", {"whole.png": encoded()})
    (data / "coco_pope_popular.json").unlink()
    if kind == "fifo":
        os.mkfifo(data / name)
    elif kind == "device":
        (data / name).symlink_to("/dev/zero")
    else:
        (data / name).mkdir()
    end = here(capsys, *map(str, run_looker(data, tmp_path / "run")))
    assert end.returncode == 2
    assert "This is a bug" not in end.stderr, end.stderr
    tally("pipes, devices, folders as annotations", "refused, exit 2")


def test_files_that_are_too_large_are_refused_before_they_are_read(tmp_path: Path, tally: Tally) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n")
        stream.truncate(MAX_FILE + 1)  # sparse: takes no disk
    for image in (Image(path=large), Image(file_slice=FileSlice(large, 0, MAX_FILE + 1))):
        started = time.process_time()
        with pytest.raises(DataError, match="more than any image has"):
            decode(image)
        assert time.process_time() - started < 1
    tally("image files that are too large", "refused with the reason", 2)


def test_postscript_never_reaches_ghostscript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    def started(*arguments: object, **_: object) -> None:
        raise AssertionError(f"a program was started: {arguments}")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(subprocess, "check_call", started)
    for name, data in broken().items():
        if name.startswith(("postscript", "epsf", "document", "vector", "metafile")):
            for suffix in (".jpg", ".png", ".eps", ".pdf"):
                path = tmp_path / f"{name}{suffix}"
                path.write_bytes(data)
                with pytest.raises(DataError, match="not an image that can be decoded"):
                    decode(Image(path=path))
                tally("PostScript, PDF, SVG, WMF as images", "refused with the reason")


def test_only_raster_formats_are_decoded() -> None:
    assert {"PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM"} <= set(raster_formats())
    assert not {"EPS", "WMF", "PDF", "HDF5", "GRIB", "BUFR", "FITS", "MPEG", "PSD"} & set(raster_formats())


def test_large_images_are_not_decoded_all_at_once(monkeypatch: pytest.MonkeyPatch, tally: Tally) -> None:
    """Eight threads with an image of 400 MiB each, of which two fit: never more than two at once."""
    monkeypatch.setattr(in_flight, "_available", lambda: 4 * 800 * 2**20)
    most = now = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal most, now
        with in_flight.held(400 * 2**20, "x"):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.02)
            with lock:
                now -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    tally("large images in threads", "decoded within bounds", 8)


def test_an_image_that_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch, tally: Tally) -> None:
    stream = io.BytesIO()
    pil.new("L", (4000, 4000)).save(stream, "PNG")
    monkeypatch.setattr(in_flight, "_available", lambda: 100 * 2**20)
    with pytest.raises(DataError, match="takes 122 MiB to decode, 100 MiB are free"):
        decode(Image(data=stream.getvalue(), name="large"))
    tally("large images in threads", "refused with the reason")


def test_a_large_image_is_decoded_without_a_second_copy() -> None:
    stream = io.BytesIO()
    pil.new("RGB", (4200, 4200), (1, 2, 3)).save(stream, "PNG")
    found = decode(Image(data=stream.getvalue()))
    assert found.mode == "RGB"
    assert found.getpixel((4199, 4199)) == (1, 2, 3)
    assert found.resize((2, 2)).size == (2, 2)
