"""NoCaps, Flickr30k and image paragraphs: official files and hub columns, wording, scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError
from evalsuite.metrics.captions import score_captions
from tests.data.image_files import encoded
from tests.tasks.asking import answer, asked, build, shown_images, wording, write_json, write_table

PHOTO = encoded("JPEG")
NOCAPS = [
    (0, "in-domain", ["a baby crawls on a bed", "a baby on a mat", "the baby is crawling"]),
    (1, "near-domain", ["a red fox in snow", "a fox stands on white snow"]),
    (2, "out-domain", ["an otter eats a clam", "the otter holds a shell"]),
    (3, "in-domain", ["two dogs play", "dogs run on grass"]),
]


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PHOTO)


def nocaps(root: Path) -> Path:
    images = [
        {"id": n, "file_name": f"{n:016x}.jpg", "width": 8, "height": 8, "domain": domain}
        for n, domain, _ in NOCAPS
    ]
    texts = [(n, text) for n, _, captions in NOCAPS for text in captions]
    annotations = [{"id": k, "image_id": n, "caption": text} for k, (n, text) in enumerate(texts)]
    write_json(root / "nocaps_val_4500_captions.json", {"images": images, "annotations": annotations})
    for image in images:
        picture(root / "images" / str(image["file_name"]))
    return root


def nocaps_hub(root: Path) -> Path:
    write_table(
        root / "data" / "validation-00000-of-00001.parquet",
        [
            {"image_id": n, "image": {"bytes": PHOTO, "path": "x.jpg"}, "annotations_captions": captions}
            for n, _, captions in NOCAPS
        ],
    )
    return root


def paragraphs(root: Path, **changes: Any) -> Path:
    rows = [
        {"url": "", "image_id": 2356347, "paragraph": "A large building with bars on the windows."},
        {"url": "", "image_id": 2317429, "paragraph": "A white bird flies."},
        {"url": "", "image_id": 2356347, "paragraph": "The same image again."},
    ]
    write_json(root / "paragraphs_v1.json", changes.get("rows", rows))
    write_json(root / "test_split.json", changes.get("split", [2356347]))
    picture(root / "VG_100K" / "2356347.jpg")
    return root


def test_nocaps_official_file_and_hub_columns_ask_the_same(tmp_path: Path) -> None:
    one, other = build("nocaps-val", nocaps(tmp_path / "a")), build("nocaps-val", nocaps_hub(tmp_path / "b"))
    for ours, theirs in zip(one.samples(), other.samples(), strict=True):
        assert (ours.id, one.target(ours)) == (theirs.id, other.target(theirs))
        assert wording(asked(one, ours)) == wording(asked(other, theirs)) == "<image>"
        assert shown_images(asked(one, ours)) == shown_images(asked(other, theirs)) == [PHOTO]


@pytest.mark.parametrize("name", ["coco-caption-2014-val", "coco-caption-2017-val"])
def test_cocos_captions_are_read_from_hub_columns(name: str, tmp_path: Path) -> None:
    row = {
        "question_id": "COCO_val2014_000000000042.jpg", "question": "", "id": 42,
        "image": {"bytes": PHOTO, "path": "x.jpg"}, "answer": ["a dog", "the dog"],
    }  # fmt: skip
    write_table(tmp_path / "data" / "val-00000-of-00001.parquet", [row])
    task = build(name, tmp_path)
    (sample,) = task.samples()
    assert (sample.id, task.target(sample)) == ("42", ["a dog", "the dog"])
    assert shown_images(asked(task, sample)) == [PHOTO]


@pytest.mark.parametrize(("name", "ids"), [("in", ["0", "3"]), ("near", ["1"]), ("out", ["2"])])
def test_each_domain_of_nocaps_is_a_set_of_its_own(name: str, ids: list[str], tmp_path: Path) -> None:
    task = build(f"nocaps-val-{name}", nocaps(tmp_path))
    samples = list(task.samples())
    assert [sample.id for sample in samples] == ids
    given = [answer(sample, "A baby on a bed.") for sample in samples]
    rows = task.score(given).rows
    expected = score_captions(["A baby on a bed."] * len(ids), [sample.record.captions for sample in samples])
    assert [row.values["CIDEr"] for row in rows] == pytest.approx(list(expected.cider), abs=1e-12)
    assert [row.values["ROUGE-L"] for row in rows] == pytest.approx(list(expected.rouge), abs=1e-12)


def test_a_file_without_domains_is_refused_for_a_domain(tmp_path: Path) -> None:
    write_json(
        tmp_path / "nocaps_val_4500_captions.json",
        {
            "images": [{"id": 1, "file_name": "a.jpg"}],
            "annotations": [{"id": 1, "image_id": 1, "caption": "x"}],
        },
    )
    with pytest.raises(DataError, match="has no image of the domain 'near-domain'"):
        list(build("nocaps-val-near", tmp_path).samples())


def test_dreamllms_captions_have_its_instruction_inside_the_users_turn(tmp_path: Path) -> None:
    task = build("image-paragraphs", paragraphs(tmp_path), protocol="dreamllm")
    (sample,) = task.samples()
    request = asked(task, sample)
    assert [message.role for message in request.messages] == ["user"]
    assert wording(request) == (
        "Based on the image, please describe the image in detail.<image>Please describe the image in detail."
    )
    assert request.prefill == "The image depicts"
    nocap = build("nocaps-val", nocaps(tmp_path), protocol="dreamllm")
    request = asked(nocap, next(nocap.samples()))
    assert wording(request) == "<image>Please summarize object briefly in one sentence within 5 words."
    assert request.prefill == ""


def test_of_several_paragraphs_of_an_image_the_first_counts(tmp_path: Path) -> None:
    task = build("image-paragraphs", paragraphs(tmp_path))
    (sample,) = task.samples()
    assert (sample.id, task.target(sample)) == ("2356347", ["A large building with bars on the windows."])
    assert shown_images(asked(task, sample)) == [PHOTO]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": [2356347, 5]}, r"no paragraph for image id 5 of .*test_split.json \(1 such\)"),
        ({"split": {}}, "test_split.json must be a list"),
        ({"rows": [{"image_id": "1"}]}, "'image_id' is str '1', not int"),
        ({"rows": [{"image_id": 2356347}]}, "has no field 'paragraph'"),
    ],
)
def test_malformed_paragraph_files_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(build("image-paragraphs", paragraphs(tmp_path, **changes)).samples())


def test_flickr30k_reads_karpathys_file(tmp_path: Path) -> None:
    rows = [
        {
            "filename": f"{n}.jpg",
            "imgid": n,
            "split": split,
            "sentences": [{"raw": f"Dog {n}."}, {"raw": "A dog."}],
        }
        for n, split in enumerate(["train", "test", "val"])
    ]
    write_json(tmp_path / "dataset_flickr30k.json", {"images": rows})
    picture(tmp_path / "flickr30k-images" / "1.jpg")
    task = build("flickr30k-test", tmp_path, protocol="lmms-eval")
    (sample,) = task.samples()
    assert task.target(sample) == ["Dog 1.", "A dog."]
    request = asked(task, sample)
    assert wording(request) == "<image>Provide a one-sentence caption for the provided image."
    assert shown_images(request) == [PHOTO]
