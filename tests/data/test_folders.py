"""Folders of images: links, hidden names, suffixes that say nothing, and what is told of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalsuite.data.folders import images_in
from evalsuite.errors import DataError
from tests.data.image_files import encoded

PNG = encoded("PNG")


def put(path: Path, data: bytes = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def names(folder: Path) -> list[str]:
    return [image.label for image in images_in(folder)]


def test_linked_folders_are_read_and_links_that_lead_back_make_no_loop(tmp_path: Path) -> None:
    put(tmp_path / "set" / "a" / "0.png")
    put(tmp_path / "store" / "1.png")
    put(tmp_path / "store" / "deep" / "2.png")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "store")
    (tmp_path / "set" / "c.png").symlink_to(tmp_path / "store" / "1.png")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "store" / "deep" / "again").symlink_to(tmp_path / "store")
    found = images_in(tmp_path / "set")
    assert [image.label for image in found] == ["a/0.png", "b/1.png", "b/deep/2.png", "c.png"]
    assert found.linked == 2
    assert found.skipped == {"folders that were read under another name": 2}
    assert all(image.read() == PNG for image in found)


def test_a_real_folder_is_read_under_its_own_name_and_counts_once(tmp_path: Path) -> None:
    put(tmp_path / "zebra" / "0.png")
    (tmp_path / "alias").symlink_to(tmp_path / "zebra")
    assert names(tmp_path) == ["zebra/0.png"]


@pytest.mark.parametrize(
    "hidden", [".ipynb_checkpoints/0-checkpoint.png", "._0.png", "a/.cache/1.png", ".0.jpg"]
)
def test_hidden_files_and_folders_are_skipped_and_counted(hidden: str, tmp_path: Path) -> None:
    put(tmp_path / "a" / "0.png")
    put(tmp_path / hidden)
    found = images_in(tmp_path)
    assert [image.label for image in found] == ["a/0.png"]
    assert found.summary() == f"{tmp_path}: 1 images; skipped 1 hidden (the name begins with a dot)"
    assert images_in(tmp_path / "a").images[0].label == "0.png"
    inside = put(tmp_path / ".runs" / "drawn" / "0.png").parent
    assert names(inside) == ["0.png"]  # only names in the folder count, not those above it


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("0.jfif", "JPEG"), ("0.gif", "GIF"), ("0.webp", "WEBP"), ("0.JPG", "JPEG"), ("0.TIFF", "TIFF"),
        ("0", "PNG"), ("0.0", "JPEG"), ("image.orig", "WEBP"), ("bmp", "BMP"), ("ppm", "PPM"),
        ("tiff", "TIFF"),
        ("gif", "GIF"),
    ],
)  # fmt: skip
def test_every_encoding_is_read_whatever_the_suffix(name: str, kind: str, tmp_path: Path) -> None:
    put(tmp_path / name, encoded(kind))
    put(tmp_path / "notes.txt", b"no image")
    put(tmp_path / "LICENSE", b"no image either")
    found = images_in(tmp_path)
    assert [image.label for image in found] == [name]
    assert found.record() == {
        "folder": str(tmp_path),
        "images": 1,
        "linked": 0,
        "skipped": {".txt files": 1, "files that are no images": 1},
    }


def test_avif_is_recognised_by_its_brand(tmp_path: Path) -> None:
    put(tmp_path / "0", b"\0\0\0\x1cftypavif" + bytes(40))
    put(tmp_path / "1.avif", b"")
    put(tmp_path / "2", b"\0\0\0\x1cftypmp42" + bytes(40))
    assert names(tmp_path) == ["0", "1.avif"]


def test_what_is_gone_stays_in_the_set_and_what_is_no_file_does_not(tmp_path: Path) -> None:
    put(tmp_path / "0.png")
    (tmp_path / "1.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "2").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "3.png")
    found = images_in(tmp_path)
    assert [image.label for image in found] == ["0.png", "1.png"]
    assert found.skipped == {"broken links": 1, "no plain files": 1}
    with pytest.raises(DataError, match=r"1\.png cannot be read"):
        found[1].read()


def test_a_folder_without_images_is_refused_with_its_side(tmp_path: Path) -> None:
    put(tmp_path / "a.txt")
    put(tmp_path / ".hidden.png")
    with pytest.raises(
        DataError, match=r"The generated folder .* holds no images \(skipped 1 hidden .*1 \.txt files"
    ):
        images_in(tmp_path, "generated")
    with pytest.raises(DataError, match="There is no reference folder"):
        images_in(tmp_path / "absent", "reference")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_subfolder_that_may_not_be_read_is_an_error_not_a_smaller_set(tmp_path: Path) -> None:
    put(tmp_path / "0.png")
    closed = put(tmp_path / "closed" / "1.png").parent
    closed.chmod(0)
    try:
        with pytest.raises(DataError, match=r"closed in the folder cannot be read"):
            images_in(tmp_path)
    finally:
        closed.chmod(0o755)


def test_the_old_names_of_a_summary_still_work(tmp_path: Path) -> None:
    from evalsuite.data import folders

    put(tmp_path / "0.png")
    found = images_in(tmp_path)
    with pytest.warns(DeprecationWarning, match=r"summary"):
        assert found.told() == found.summary()
    with pytest.warns(DeprecationWarning, match=r"summary_of"):
        assert folders.told_record(found.record()) == found.summary()
