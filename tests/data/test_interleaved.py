"""Interleaved documents: three layouts, one form; lists that do not belong together are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Image, Text
from evalsuite.data.documents import InterleavedDocument, read_mmc4, read_obelics, read_parts
from evalsuite.data.dreambooth import Subject
from evalsuite.errors import DataError


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "documents.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def shape(document: InterleavedDocument) -> list[str]:
    """Texts, and names of images in brackets."""
    return [part.text if isinstance(part, Text) else f"[{part.name}]" for part in document.parts]


PARTS = {"id": "a", "instruction": "Tell.", "topic": "tea",
         "parts": [{"text": " One. "}, {"text": "Two."}, {"image": "x.png"}, {"text": "Three."}]}  # fmt: skip
MMC4 = {
    "id": "a", "instruction": "Tell.", "topic": "tea", "text_list": ["One.", " Two. ", "Three."],
    "image_info": [{"image_name": "x.png", "matched_text_index": 1}],
}  # fmt: skip
OBELICS = {"id": "a", "instruction": "Tell.", "topic": "tea",
           "texts": ["One. Two.", None, "Three."], "images": [None, "x.png", None]}  # fmt: skip


@pytest.mark.parametrize(("read", "row"), [(read_parts, PARTS), (read_mmc4, MMC4), (read_obelics, OBELICS)])
def test_the_three_layouts_say_the_same(tmp_path: Path, read: Any, row: Any) -> None:
    (document,) = read(written(tmp_path, row), tmp_path / "pictures")
    assert shape(document) == ["One. Two.", "[x.png]", "Three."]
    assert (document.id, document.instruction, document.topic) == ("a", "Tell.", "tea")
    assert document.labels == {"topic": "tea"}
    assert document.text == "One. Two. Three."
    assert [image.path for image in document.images] == [tmp_path / "pictures/x.png"]


def test_images_stand_behind_the_sentence_they_are_matched_to_in_the_order_of_the_list(
    tmp_path: Path,
) -> None:
    info = [("c.png", 2), ("a.png", 0), ("b.png", 0)]
    row = MMC4 | {"image_info": [{"image_name": n, "matched_text_index": i} for n, i in info]}
    (document,) = read_mmc4(written(tmp_path, row), tmp_path)
    assert shape(document) == ["One.", "[a.png]", "[b.png]", "Two. Three.", "[c.png]"]
    assert [text for text, _ in document.steps()] == ["One.", "", "Two. Three."]


def test_documents_without_an_id_are_numbered_by_line(tmp_path: Path) -> None:
    rows = [{k: v for k, v in OBELICS.items() if k not in ("id", "topic", "instruction")}] * 2
    found = list(read_obelics(written(tmp_path, *rows), tmp_path))
    assert [document.id for document in found] == ["1", "2"]
    assert found[0].labels == {}


@pytest.mark.parametrize(
    ("read", "row", "said"),
    [
        (read_parts, PARTS | {"parts": [{"text": "a", "image": "b"}]}, "either text or image"),
        (read_parts, PARTS | {"parts": [{"image": "../b.png"}]}, "would leave the data folder"),
        (read_parts, PARTS | {"parts": []}, "empty document"),
        (read_parts, {"id": "a"}, "no field 'parts'"),
        (read_mmc4, MMC4 | {"image_info": [{"image_name": "x", "matched_text_index": 3}]},
         "matched to sentence 3, there are 3"),
        (read_mmc4, MMC4 | {"image_info": [{"image_name": "x", "matched_text_index": -1}]}, "sentence -1"),
        (read_mmc4, MMC4 | {"image_info": [{"matched_text_index": 0}]}, "no field 'image_name'"),
        (read_mmc4, MMC4 | {"text_list": ["a", 3]}, "not text"),
        (read_obelics, OBELICS | {"images": [None, "x.png"]}, "3 texts and 2 images"),
        (read_obelics, OBELICS | {"images": ["y.png", "x.png", None]}, "place 0 must hold either"),
        (read_obelics, OBELICS | {"texts": [None, None, "c"]}, "place 0 must hold either"),
        (read_obelics, OBELICS | {"instruction": 3}, "'instruction' is int"),
    ],
)  # fmt: skip
def test_lists_that_do_not_belong_together_are_refused_by_line(
    tmp_path: Path, read: Any, row: Any, said: str
) -> None:
    path = written(tmp_path, row)
    with pytest.raises(DataError, match=said):
        list(read(path, tmp_path))


def test_steps_are_images_with_the_text_since_the_image_before() -> None:
    x, y = Image(b"x", name="x"), Image(b"y", name="y")
    document = InterleavedDocument("a", "", (x, Text("One."), y, Text("End.")))
    assert document.steps() == (("", x), ("One.", y))


def test_the_old_name_of_a_document_s_images_still_works() -> None:
    one = InterleavedDocument("1", "", (Text("a"), Image(b"x", name="x.png")))
    with pytest.warns(DeprecationWarning, match=r"InterleavedDocument\.images"):
        assert one.pictures == one.images == (one.parts[1],)


def test_the_old_name_of_a_subject_s_images_still_works() -> None:
    one = Subject("dog", "dog", "live", (Image(b"x", name="x.png"),))
    with pytest.warns(DeprecationWarning, match=r"Subject\.images"):
        assert one.pictures == one.images
