"""COCO captions and Karpathy's split: real photographs, and all the ways in which the files can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data.coco import Captioned, find_image, read_captions, read_karpathy
from evalsuite.data.images import decode
from evalsuite.errors import DataError
from tests.data.image_files import encoded

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco-mini"
CAPTIONS: dict[str, list[dict[str, Any]]] = {
    "images": [
        {"id": 7, "file_name": "b.jpg", "width": 24, "height": 16},
        {"id": 3, "file_name": "a.jpg", "domain": "near-domain"},
    ],
    "annotations": [
        {"id": 1, "image_id": 3, "caption": "a cat"},
        {"id": 2, "image_id": 7, "caption": "two dogs"},
        {"id": 3, "image_id": 3, "caption": "a cat sits"},
    ],
}
KARPATHY = {
    "dataset": "coco",
    "images": [
        {"filename": "COCO_val2014_1.jpg", "filepath": "val2014", "cocoid": 1, "imgid": 0, "split": "test",
         "sentences": [{"raw": "A cat."}, {"raw": "One cat."}]},
        {"filename": "COCO_val2014_2.jpg", "filepath": "val2014", "cocoid": 2, "imgid": 1, "split": "val",
         "sentences": [{"raw": "A dog."}]},
    ],
}  # fmt: skip


def write(folder: Path, value: Any) -> Path:
    path = folder / "file.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_real_photographs_load_with_their_five_captions() -> None:
    if not REAL.is_dir():
        pytest.skip("the real COCO photographs are not here (shared/data/coco-mini)")
    found = list(read_captions(REAL / "captions.json", REAL / "images"))
    assert len(found) == 76
    for one in found:
        picture = decode(one.image)
        assert (picture.mode, picture.size) == ("RGB", (one.width, one.height))
        assert len(one.captions) >= 5


def test_images_keep_the_order_of_the_file(tmp_path: Path) -> None:
    found = list(read_captions(write(tmp_path, CAPTIONS), tmp_path))
    assert [one.id for one in found] == ["7", "3"]
    assert found[1].captions == ("a cat", "a cat sits")
    assert found[1].labels == (("domain", "near-domain"),)
    assert (found[0].width, found[0].height) == (24, 16)


def test_an_image_with_another_suffix_is_found_and_a_missing_one_is_named_when_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    found: dict[str, Captioned] = {one.id: one for one in read_captions(write(tmp_path, CAPTIONS), tmp_path)}
    assert found["3"].image.path == tmp_path / "a.png"
    with pytest.raises(DataError, match=r"b\.jpg cannot be read"):
        decode(found["7"].image)


def test_several_folders_are_searched(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "x.jpg").touch()
    assert find_image((tmp_path / "train", tmp_path / "val"), "x.jpg").path == tmp_path / "val" / "x.jpg"


def test_file_names_may_not_leave_the_folder(tmp_path: Path) -> None:
    bad = json.loads(json.dumps(CAPTIONS).replace("b.jpg", "../../etc/passwd"))
    with pytest.raises(DataError, match="would leave the data folder"):
        list(read_captions(write(tmp_path, bad), tmp_path / "images"))


def spoiled(change: Any) -> Any:
    made = json.loads(json.dumps(CAPTIONS))
    change(made)
    return made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(images=[]), "holds no images"),
        (lambda d: d.pop("annotations"), "has no field 'annotations'"),
        (lambda d: d["images"][1].update(id=7), "image id 7 occurs twice"),
        (lambda d: d["annotations"][1].update(id=1), "annotation id 1 occurs twice"),
        (lambda d: d["annotations"].pop(1), "image id 7 has no caption"),
        (lambda d: d["annotations"][0].update(image_id=99), "annotation 0 is about image 99, which is not"),
        (lambda d: d["annotations"][0].update(caption=None), "'caption' is NoneType None, not str"),
        (lambda d: d["images"][0].pop("file_name"), "image id 7 has no field 'file_name'"),
    ],
)
def test_malformed_caption_files_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_captions(write(tmp_path, spoiled(change)), tmp_path))


def test_karpathy_gives_one_split_with_images_by_folder(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    (tmp_path / "val2014" / "COCO_val2014_1.png").write_bytes(encoded())
    (found,) = read_karpathy(write(tmp_path, KARPATHY), tmp_path)
    assert (found.id, found.captions) == ("1", ("A cat.", "One cat."))
    assert decode(found.image).size == (24, 16)
    assert [one.id for one in read_karpathy(tmp_path / "file.json", tmp_path, "val")] == ["2"]


def test_karpathy_without_the_split_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images of the split 'dev' \(it has: test, val\)"):
        list(read_karpathy(write(tmp_path, KARPATHY), tmp_path, "dev"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"sentences": [{"raw": "A cat."}, {"raw": "One cat."}]',
            '"sentences": []',
            "image 0 has no caption",
        ),
        ('"filepath": "val2014", "cocoid": 1', '"filepath": "../..", "cocoid": 1', "would leave"),
        ('"cocoid": 1, "imgid": 0', '"x": 1', "neither a `cocoid` nor an `imgid`"),
        ('"split": "val"', '"split": 3', "'split' is int 3"),
    ],
)
def test_malformed_karpathy_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = json.dumps(KARPATHY)
    assert old in text
    (tmp_path / "file.json").write_text(text.replace(old, new))
    with pytest.raises(DataError, match=message):
        list(read_karpathy(tmp_path / "file.json", tmp_path))
