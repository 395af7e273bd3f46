"""Statistics and distances of folders, by the command line: every kind of image, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evalsuite.data.images import images_in, lossy
from evalsuite.distances import network_spec
from evalsuite.errors import SpecError
from evalsuite.features import load_network
from evalsuite.metrics.frechet import Gaussian, frechet_distance
from tests.cli.program import here
from tests.features.networks import pictures, write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"clip:{write_clip(tmp_path_factory.mktemp('clip'))}"


def save(folder: Path, seed: int = 0, count: int = 12) -> Path:
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures(count, seed)):
        picture.save(folder / f"{index:03}.png")
    return folder


def asked(command: str, clip: str, *arguments: str | Path, mode: str = "openai") -> tuple[str | Path, ...]:
    return (command, *arguments, "--network", clip, "--mode", mode, "--device", "cpu")


def test_statistics_are_those_of_the_features_with_the_record_of_how_they_were_made(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save(tmp_path / "a")
    done = here(capsys, *asked("statistics", clip, folder, "-o", tmp_path / "a.npz"))
    assert done.returncode == 0, done.stderr
    assert "12 images, 8 dimensions, mode openai" in done.stderr
    network = load_network(network_spec(clip, "openai"), "cpu")
    features = network.images(pictures(12)).astype(np.float64)
    found = Gaussian.load(tmp_path / "a.npz")
    np.testing.assert_allclose(found.mu, features.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(found.sigma, np.cov(features, rowvar=False), atol=1e-7)
    assert found.protocol is not None
    assert (found.count, found.protocol.mode, found.protocol.means) == (12, "openai", "float64")
    assert found.protocol.fingerprint == network.fingerprint
    assert len(found.protocol.weights_sha256) == 64


def test_distance_of_folders_and_of_their_statistics_is_the_same(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = save(tmp_path / "a"), save(tmp_path / "b", seed=1)
    here(capsys, *asked("statistics", clip, second, "-o", tmp_path / "b.npz"))
    by_folder = here(capsys, *asked("distance", clip, first, second, "--also", "kid,precision-recall"))
    by_file = here(capsys, *asked("distance", clip, first, tmp_path / "b.npz", "--also", "kid"))
    rows = {line.split("  ")[0]: line.split()[-3] for line in by_folder.stdout.splitlines()[1:]}
    assert set(rows) == {"frechet", "KID (clean-fid)", "KID (clean-fid) deviation", "precision", "recall"}
    network = load_network(network_spec(clip, "openai"), "cpu")
    sides = [network.images(pictures(12, seed)).astype(float) for seed in (0, 1)]
    moments = [Gaussian(side.mean(axis=0), np.cov(side, rowvar=False)) for side in sides]
    assert float(rows["frechet"]) == pytest.approx(frechet_distance(*moments), rel=1e-4)
    assert rows["frechet"] in by_file.stdout
    assert "kid needs the images of both sides" in by_file.stderr


def test_linked_folders_count_as_copies_do_and_what_was_read_is_told_and_recorded(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the images behind a link, beside checkpoints of a notebook: the same set, the same distance."""
    ref, gen = save(tmp_path / "ref"), save(tmp_path / "gen", seed=1)
    sym, store = tmp_path / "sym", tmp_path / "store" / "b"
    for folder in (sym / "a", store, sym / ".ipynb_checkpoints"):
        folder.mkdir(parents=True)
    for index, path in enumerate(sorted(gen.iterdir())):
        shutil.copy(path, sym / "a" if index < 6 else store)
    shutil.copy(ref / "000.png", sym / ".ipynb_checkpoints" / "000-checkpoint.png")
    (sym / "notes.txt").write_text("half is elsewhere")
    (sym / "b").symlink_to(store)
    linked = here(capsys, *asked("distance", clip, sym, ref, "--json", tmp_path / "d.json"))
    copied = here(capsys, *asked("distance", clip, gen, ref))
    assert linked.stdout == copied.stdout
    assert f"generated: {sym}: 12 images (6 in linked folders); skipped 1 hidden" in linked.stderr
    assert f"reference: {ref}: 12 images" in linked.stderr
    assert "losses" not in linked.stderr
    record = json.loads((tmp_path / "d.json").read_text())
    assert [record["sides"][side]["images"] for side in ("generated", "reference")] == [12, 12]
    assert record["sides"]["generated"]["linked"] == 6
    assert record["sides"]["generated"]["skipped"][".txt files"] == 1
    assert record["features"]["mode"] == "openai"
    made = here(capsys, *asked("statistics", clip, sym, "-o", tmp_path / "sym.npz"))
    assert "12 images (6 in linked folders)" in made.stderr
    assert Gaussian.load(tmp_path / "sym.npz").images == record["sides"]["generated"]
    by_file = here(capsys, *asked("distance", clip, tmp_path / "sym.npz", ref))
    assert by_file.stdout == copied.stdout
    assert "statistics of 12 images" in by_file.stderr


def test_generated_jpegs_are_warned_about_and_reference_jpegs_are_not(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png, jpeg = save(tmp_path / "png"), tmp_path / "jpeg"
    jpeg.mkdir()
    for index, picture in enumerate(pictures(12)):
        picture.save(jpeg / f"{index}.jfif", "JPEG") if index < 3 else picture.save(jpeg / f"{index}.png")
    warned = here(capsys, *asked("distance", clip, jpeg, png))
    assert "3 of 12 generated images are JPEG, whose losses are measured too" in warned.stderr
    assert "losses" not in here(capsys, *asked("distance", clip, png, jpeg)).stderr


@pytest.mark.slow
@pytest.mark.parametrize("side", ["generated", "reference"])
def test_an_error_names_the_side_that_it_is_about(
    side: str, clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = save(tmp_path / "good", count=4), save(tmp_path / "bad", count=4)
    (bad / "x.png").write_bytes(b"no image")
    (tmp_path / "none").mkdir()

    def said(folder: Path) -> str:
        pair = (folder, good) if side == "generated" else (good, folder)
        done = here(capsys, *asked("distance", clip, *pair))
        assert done.returncode == 2
        return done.stderr

    other = {"generated": "reference", "reference": "generated"}[side]
    assert f"1 of 5 {side} images cannot be read" in said(bad)
    assert f"The {side} folder {tmp_path / 'none'} holds no images" in said(tmp_path / "none")
    assert f"There is no {tmp_path / 'gone'} (the {side} side)" in said(tmp_path / "gone")
    assert not any(other in said(tmp_path / name) for name in ("none", "gone"))


def test_statistics_of_another_mode_or_without_a_record(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save(tmp_path / "a")
    here(capsys, *asked("statistics", clip, folder, "-o", tmp_path / "a.npz", mode="cmmd"))
    done = here(capsys, *asked("distance", clip, folder, tmp_path / "a.npz"))
    assert done.returncode == 2
    assert "mode cmmd and mode openai" in done.stderr
    made = Gaussian.load(tmp_path / "a.npz")
    np.savez(tmp_path / "theirs.npz", mu=made.mu, sigma=made.sigma)
    done = here(capsys, *asked("distance", clip, tmp_path / "theirs.npz", tmp_path / "a.npz", mode="cmmd"))
    assert done.returncode == 0, done.stderr
    assert "mode unknown" in done.stderr


def _rotated(picture: Image.Image) -> tuple[Image.Image, dict[str, object]]:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture, {"exif": exif}


@pytest.mark.parametrize("kind", ["L", "RGBA", "P", "CMYK", "1x1", "rotated", "constant"])
def test_images_of_every_kind_are_measured_as_the_official_loaders_read_them(
    kind: str, clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save(tmp_path / "a", count=6)
    picture = pictures(1, seed=9)[0]
    how: dict[str, Any] = {}
    if kind == "1x1":
        picture = picture.resize((1, 1))
    elif kind == "constant":
        picture = Image.new("RGB", (20, 20), "red")
    elif kind == "rotated":
        picture, how = _rotated(picture)
    else:
        picture = picture.convert(kind)
    suffix = "tif" if kind == "CMYK" else "png"
    picture.save(folder / f"odd.{suffix}", **how)
    done = here(capsys, *asked("statistics", clip, folder, "-o", tmp_path / "a.npz"))
    assert done.returncode == 0, done.stderr
    network = load_network(network_spec(clip, "openai"), "cpu")
    expected = network.images([*pictures(6), picture.convert("RGB")]).astype(float)
    np.testing.assert_allclose(Gaussian.load(tmp_path / "a.npz").mu, expected.mean(axis=0), atol=1e-6)


def _bomb() -> bytes:
    def chunk(body: bytes) -> bytes:
        return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))

    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(header) + chunk(b"IDAT" + zlib.compress(b""))


@pytest.mark.parametrize(
    ("name", "said"),
    [("truncated", "truncated"), ("bomb", "too large"), ("empty", "empty"), ("text", "not an image")],
)
def test_a_broken_image_stops_with_its_name(
    name: str, said: str, clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save(tmp_path / "a", count=4)
    whole = (folder / "000.png").read_bytes()
    content = {"truncated": whole[:-200], "bomb": _bomb(), "empty": b"", "text": b"hello"}
    (folder / "bad.png").write_bytes(content[name])
    done = here(capsys, *asked("statistics", clip, folder, "-o", tmp_path / "a.npz"))
    assert done.returncode == 2
    assert said in done.stderr
    assert "bad.png" in done.stderr
    assert "1 of 5 reference images" in done.stderr
    assert not (tmp_path / "a.npz").exists()


def test_constant_images_alone_and_fewer_than_dimensions_are_warned_about_and_measured(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "same"
    folder.mkdir()
    for index in range(3):
        Image.new("RGB", (16, 16), "blue").save(folder / f"{index}.png")
    done = here(capsys, *asked("distance", clip, folder, folder))
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[1].split()[1]) == pytest.approx(0, abs=1e-9)
    assert "Only 3 features of 8 dimensions" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("statistics", "nowhere", "-o", "x.npz"), "There is no folder nowhere"),
        (("statistics", "-o", "x.npz"), "need a folder of images or a benchmark (--task)"),
        (("statistics", ".", "-o", "x.npz"), "holds no images"),
    ],
)
def test_what_cannot_be_measured_is_said(
    arguments: tuple[str, ...],
    said: str,
    clip: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    done = here(capsys, *asked(arguments[0], clip, *arguments[1:]))
    assert done.returncode == 2
    assert said in done.stderr


def test_unknown_networks_modes_and_distances_are_refused(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SpecError, match="no kind of feature network 'inceptoin'"):
        network_spec("inceptoin", "clean")
    with pytest.raises(SpecError, match="Which clip network"):
        network_spec("clip", "openai")
    folder = save(tmp_path / "a", count=3)
    assert "no image preprocessing" in here(capsys, *asked("distance", clip, folder, folder, mode="x")).stderr
    done = here(capsys, *asked("distance", clip, folder, folder, "--also", "kidd"))
    assert "no distance 'kidd'" in done.stderr


def test_a_benchmarks_reference_images_can_be_taken(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.tasks.image_files import world

    data = world(tmp_path / "world", captioned=6, edits=2)
    done = here(
        capsys,
        *asked("statistics", clip, "--task", "mini-coco-t2i", "--data", data, "-o", tmp_path / "w.npz"),
        "--task-option",
        "metrics=overall",
    )
    assert done.returncode == 0, done.stderr
    assert Gaussian.load(tmp_path / "w.npz").count == 6


def test_lossy_compression_is_seen_in_the_bytes(tmp_path: Path) -> None:
    def encoded(kind: str, **how: object) -> str:
        stream = io.BytesIO()
        pictures(1)[0].save(stream, kind, **how)
        (tmp_path / "one.png").write_bytes(stream.getvalue())
        return lossy(images_in(tmp_path)[0])

    assert encoded("PNG") == encoded("WEBP", lossless=True) == ""
    assert encoded("JPEG") == "JPEG"
    assert encoded("WEBP", quality=90) == "lossy WebP"
    assert encoded("WEBP", quality=90, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0") == "lossy WebP"
    shutil.rmtree(tmp_path)
