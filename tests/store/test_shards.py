"""Images in tar shards: the same answers as with files, readable by tar, whole after a kill at any moment."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import signal
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import AdapterError, DataError, StoreError
from evalsuite.request import ImageResponse
from evalsuite.store import Record, RunReader, RunWriter, database, shards, verify
from evalsuite.store import image_sink as sink
from evalsuite.store.images import reference_of
from tests.engine.support import run_sums, sums_spec


def encoded(seed: int, side: int = 8) -> bytes:
    stream = io.BytesIO()
    values = random.Random(seed).randbytes(3 * side * side)
    pil.frombytes("RGB", (side, side), values).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A run directory without a run: its database and its images."""
    (tmp_path / "images").mkdir()
    return tmp_path


def put(root: Path, *images: bytes, per_shard: int = 3) -> None:
    """One commit of images, by a writer of its own."""
    connection = database.connect_for_writing(root)
    images_ = sink.ImageSink(root, connection, per_shard)
    for image in images:
        images_.put(Image(image))
    with images_.commit() as places:
        database.insert(connection, root, [], places)
    images_.close()
    connection.close()


def places(root: Path) -> list[shards.Place]:
    connection = database.connect_for_reading(root)
    rows = connection.execute("SELECT sha256 FROM image_places ORDER BY shard, offset").fetchall()
    found = [shards.place_of(connection, digest) for (digest,) in rows]
    connection.close()
    return [place for place in found if place is not None]


def run_sharded(out: Path, count: int = 10, per_shard: int = 4) -> None:
    run_sums(sums_spec("sum-images", count=count), out, image_shards=per_shard)


def drawn(out: Path) -> dict[str, bytes]:
    with RunReader(out) as run:
        return {
            record.sample: record.response.images[0].read()
            for record in run.records("sum-images")
            if isinstance(record.response, ImageResponse)
        }


def test_a_sharded_run_gives_the_same_images_and_scores_as_one_with_files(tmp_path: Path) -> None:
    run_sums(sums_spec("sum-images", count=10), tmp_path / "files", image_shards=0)
    run_sharded(tmp_path / "shards")
    assert drawn(tmp_path / "files") == drawn(tmp_path / "shards")
    numbers = [RunReader(tmp_path / name).metrics()[0].estimates for name in ("files", "shards")]
    assert numbers[0] == numbers[1]
    assert not list((tmp_path / "shards/images").glob("??/*"))
    assert len(list((tmp_path / "shards/images").glob("shard-*.tar"))) == 3
    found = verify(tmp_path / "shards")
    assert (found.problems, found.records, found.images, found.stray_images) == ((), 10, 10, 0)


def test_shards_are_plain_archives_whose_members_are_named_by_content(tmp_path: Path) -> None:
    run_sharded(tmp_path / "run")
    by_name = {}
    for file in (tmp_path / "run/images").glob("*.tar"):
        with tarfile.open(file) as archive:
            for member in archive:
                extracted = archive.extractfile(member)
                assert extracted is not None
                by_name[member.name] = extracted.read()
        assert file.stat().st_size % 512 == 0
    assert sorted(by_name.values()) == sorted(set(drawn(tmp_path / "run").values()))
    assert all(name == Image(data).sha256() + ".png" for name, data in by_name.items())


def test_an_image_is_kept_once_and_a_full_shard_is_followed_by_another(store: Path) -> None:
    images = [encoded(i) for i in range(7)]
    put(store, *images[:2], images[0])
    put(store, *images)
    found = places(store)
    assert [place.shard for place in found] == [0, 0, 0, 1, 1, 1, 2]
    assert [shards.image_at(store, place).read() for place in found] == images


@pytest.mark.parametrize("per_shard", [0, 3])
def test_an_image_that_was_digested_ahead_is_not_digested_again(
    store: Path, per_shard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    digested: list[bytes] = []

    def counted(data: bytes) -> Any:
        digested.append(data)
        return reference_of(data)

    monkeypatch.setattr("evalsuite.store.images.reference_of", counted)
    connection = database.connect_for_writing(store)
    images_ = sink.ImageSink(store, connection, per_shard)
    image, twin, none = Image(encoded(0)), Image(encoded(0)), Image(b"no image")
    for one in (image, none):
        images_.prepare(one)
    with pytest.raises(AdapterError, match="not PNG"):
        images_.put(none)
    digested.clear()
    assert images_.put(image) == reference_of(encoded(0))
    assert not digested
    assert images_.put(twin) == images_.put(image) == reference_of(encoded(0))
    assert len(digested) == 2, "what was known ahead is forgotten when it is put"
    images_.close()
    connection.close()


def test_every_shard_keeps_the_end_that_tar_wants_also_where_a_run_went_on(store: Path) -> None:
    put(store, *[encoded(i) for i in range(3)])
    put(store, *[encoded(i) for i in range(5)])
    put(store, encoded(4))
    for number in range(2):
        assert shards.shard_file(store, number).read_bytes().endswith(bytes(1024)), number


def test_what_a_kill_left_behind_the_last_commit_is_cut_off(store: Path) -> None:
    put(store, encoded(0), encoded(1))
    connection = database.connect_for_writing(store)
    writer = shards.ShardWriter(store, connection, 3)
    for seed in range(2, 6):
        writer.put(encoded(seed))
    writer.sync()  # killed here: synced, not committed
    connection.close()
    connection = database.connect_for_reading(store)
    assert shards.strays(store, connection) == 4
    connection.close()
    assert shards.shard_file(store, 1).exists()
    put(store, encoded(9))
    assert not shards.shard_file(store, 1).exists()
    found = places(store)
    assert [shards.check(store, place) for place in found] == [""] * 3
    with tarfile.open(shards.shard_file(store, 0)) as archive:
        assert len(archive.getnames()) == 3


def test_a_failed_commit_leaves_no_place_behind_and_the_image_can_be_put_again(store: Path) -> None:
    connection = database.connect_for_writing(store)
    images = sink.ImageSink(store, connection, 3)
    reference = images.put(Image(encoded(1)))
    with pytest.raises(RuntimeError, match="disk on fire"), images.commit():
        raise RuntimeError("disk on fire")
    assert shards.place_of(connection, reference.sha256) is None
    assert images.put(Image(encoded(1))) == reference
    with images.commit() as found:
        database.insert(connection, store, [], found)
    images.close()
    place = shards.place_of(connection, reference.sha256)
    assert place is not None
    assert shards.check(store, place) == ""


def test_verify_names_missing_and_changed_images_of_shards(tmp_path: Path) -> None:
    run_sharded(tmp_path / "run")
    first, second, _ = sorted((tmp_path / "run/images").glob("*.tar"))
    first.unlink()
    content = bytearray(second.read_bytes())
    content[600] ^= 0xFF
    second.write_bytes(content)
    problems = "\n".join(verify(tmp_path / "run").problems)
    assert f"{first} is missing" in problems
    assert f"{second} has changed" in problems


def test_a_shard_that_lost_its_end_is_said_to_be_too_short(tmp_path: Path) -> None:
    run_sharded(tmp_path / "run", count=3)
    (file,) = (tmp_path / "run/images").glob("*.tar")
    os.truncate(file, 700)
    with RunReader(tmp_path / "run") as run:
        *_, last = run.records("sum-images")
    assert isinstance(last.response, ImageResponse)
    with pytest.raises(DataError, match=r"shard-00000\.tar.*too short"):
        decode(last.response.images[0])
    with pytest.raises(StoreError, match="shorter than the images"):
        put(tmp_path / "run", encoded(77))


def test_a_run_with_files_goes_on_with_shards_and_back(tmp_path: Path) -> None:
    out = tmp_path / "run"
    spec = sums_spec("sum-images", count=12)
    task = run_sums(spec, tmp_path / "whole", image_shards=0)
    assert task.exit_code == 0
    with RunReader(tmp_path / "whole") as whole:
        records = list(whole.records("sum-images"))
        manifest = whole.manifest
    session = manifest.sessions[0].execution
    for number, per_shard in enumerate((0, 2, 0)):
        options = session.model_copy(update={"image_shards": per_shard})
        with RunWriter.open(out, manifest.spec, manifest.tasks, options) as writer:
            part: list[Record] = records[number * 4 : number * 4 + 4]
            writer.save(part)
    assert drawn(out) == drawn(tmp_path / "whole")
    assert verify(out).sound
    assert len(list((out / "images").glob("??/*"))) == 8
    assert len(list((out / "images").glob("*.tar"))) == 2


def test_shards_begin_by_themselves_where_files_become_many(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "AUTOMATIC_AFTER", 3)
    connection = database.connect_for_writing(store)
    images = sink.ImageSink(store, connection, None)
    for seed in range(5):
        images.put(Image(encoded(seed)))
    with images.commit() as found:
        database.insert(connection, store, [], found)
    images.close()
    assert len(list((store / "images").glob("??/*"))) == 3
    assert len(places(store)) == 2


def test_a_run_of_an_earlier_version_without_the_table_is_read(tmp_path: Path) -> None:
    run_sums(sums_spec("sum-images", count=4), tmp_path / "run")
    expected = drawn(tmp_path / "run")
    connection = database.connect_for_writing(tmp_path / "run")
    connection.execute("DROP TABLE image_places")
    connection.close()
    assert drawn(tmp_path / "run") == expected
    assert verify(tmp_path / "run").sound


def size(out: Path) -> int:
    """Bytes of all shards."""
    return sum(file.stat().st_size for file in (out / "images").glob("*.tar"))


def _child(out: Path) -> None:
    run_sums(
        sums_spec("sum-images", count=200, delay=0.004), out, batch_size=4, self_check=False, image_shards=7
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_sharded_run_killed_at_random_moments_loses_nothing_that_counts(tmp_path: Path) -> None:
    out = tmp_path / "run"
    fork = multiprocessing.get_context("fork")
    rng = random.Random(3)
    killed = 0
    for _ in range(8):
        child = fork.Process(target=_child, args=(out,))
        before = size(out)
        child.start()
        while child.is_alive() and size(out) == before:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.06))
        if child.is_alive():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            killed += 1
        child.join()
        assert verify(out).problems == ()
    assert killed >= 3
    run_sums(sums_spec("sum-images", count=200), tmp_path / "quiet", image_shards=0)
    _child(out)
    assert drawn(out) == drawn(tmp_path / "quiet")
    assert verify(out).sound
