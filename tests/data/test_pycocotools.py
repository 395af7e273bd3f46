"""COCO's objects, result files and masks through the real library and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evalsuite.coco import (
    DetectedObject,
    captions_from_coco,
    captions_to_coco,
    decode_rle,
    detection_results,
    detections_from_results,
    encode_rle,
)
from evalsuite.data.coco import read_captions
from evalsuite.errors import DataError, SampleError
from evalsuite.metrics.geneval import Detection

coco = pytest.importorskip("pycocotools.coco", reason="the extra evalsuite[coco] is not installed")


def _file(folder: Path) -> Path:
    path = folder / "captions.json"
    pictures = [{"id": i, "file_name": f"{i}.jpg", "width": 4, "height": 3} for i in (7, 3)]
    texts = [(7, "a dog"), (3, "two cats"), (7, "the dog")]
    rows = [{"id": i, "image_id": image, "caption": text} for i, (image, text) in enumerate(texts, 1)]
    path.write_text(json.dumps({"info": {}, "images": pictures, "annotations": rows}))
    return path


def test_captions_go_through_the_library_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _file(tmp_path)
    ours = list(read_captions(path, tmp_path))
    assert list(captions_from_coco(coco.COCO(str(path)), tmp_path)) == ours
    capsys.readouterr()
    made = captions_to_coco(ours)
    assert capsys.readouterr().out == ""
    assert list(captions_from_coco(made, tmp_path)) == ours
    results = made.loadRes([{"image_id": 7, "caption": "a cat"}, {"image_id": 3, "caption": "cats"}])
    assert [row["caption"] for row in results.imgToAnns[7]] == ["a cat"]
    with pytest.raises(DataError, match="no number"):
        captions_to_coco([type(ours[0])(id="a", image=ours[0].image, captions=("x",))])


def test_detections_go_through_the_library_and_back() -> None:
    mask = np.zeros((6, 9), dtype=bool)
    mask[1:4, 2:5] = True
    found = {
        "dog": [DetectedObject(Detection((2.0, 1.0, 5.0, 4.0), 0.75, "red"), mask)],
        "cat": [DetectedObject(Detection((0.0, 0.0, 1.5, 2.0), 0.5))],
    }
    categories = {"dog": 18, "cat": 17}
    rows = json.loads(json.dumps(detection_results(4, found, categories)))
    truth = coco.COCO()
    truth.dataset = {
        "info": {}, "images": [{"id": 4, "height": 6, "width": 9}], "annotations": [],
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
    }  # fmt: skip
    truth.createIndex()
    (loaded, _) = truth.loadRes(rows).dataset["annotations"]
    assert loaded["area"] == mask.sum()
    assert (truth.annToMask({**loaded, "image_id": 4}) == mask).all()
    back = detections_from_results(rows, categories)
    assert {name: [one.detection for one in objects] for name, objects in back[4].items()} == {
        name: [one.detection for one in objects] for name, objects in found.items()
    }
    assert np.array_equal(np.asarray(back[4]["dog"][0].mask), mask)
    assert back[4]["cat"][0].mask is None


@settings(deadline=None, max_examples=40)
@given(arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.booleans()))
def test_masks_come_back_from_either_encoding(mask: np.ndarray) -> None:
    assert (decode_rle(json.loads(json.dumps(encode_rle(mask)))) == mask).all()
    columns = mask.T.ravel().astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], columns])))
    runs = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    assert (decode_rle({"size": list(mask.shape), "counts": runs}) == mask).all()


def test_what_is_none_is_refused() -> None:
    with pytest.raises(SampleError, match="shape"):
        encode_rle(np.zeros(4, dtype=bool))
    for wrong in ({}, {"size": [2, 2]}, {"size": [2, 2], "counts": [9]}, {"size": [2, 2], "counts": None}):
        with pytest.raises(DataError, match="no run-length encoding"):
            decode_rle(wrong)
    with pytest.raises(DataError, match="no category id"):
        detection_results(1, {"dog": []}, {})
    with pytest.raises(DataError, match="Detection result 0"):
        detections_from_results([{"image_id": 1, "bbox": [0, 0, 1, 1], "score": 1.0}], {"dog": 1})
