"""RefCOCO in the layouts of the field: asked in four conventions, scored by overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError, SpecError
from evalsuite.request import TextResponse
from evalsuite.task import HasReferenceAnswer, TaskEntry
from tests.data.image_files import encoded
from tests.tasks.asking import ENTRIES, answer, asked, build, wording
from tests.tasks.tables import by_datasets, json_lines

PHOTO = encoded("PNG")
NAMES = sorted(
    name for name, entry in ENTRIES.items() if isinstance(entry, TaskEntry) and entry.family == "locate"
)


def size() -> tuple[int, int]:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(PHOTO)) as opened:
        return opened.size


W, H = size()
BOX = [0.0, 0.0, W / 2, H / 2]


def lines(folder: Path, file: str = "refcoco_val.jsonl", **changes: Any) -> Path:
    row = {
        "image": "data/refcoco/train2014/COCO_1.png",
        "sent": "left bowl",
        "bbox": BOX,
        "width": W,
        "height": H,
    }
    json_lines(folder / file, [{**row, **changes}])
    (folder / "train2014").mkdir(exist_ok=True)
    (folder / "train2014" / "COCO_1.png").write_bytes(PHOTO)
    return folder


def hub(folder: Path) -> Path:
    row = {"question_id": "9", "answer": ["left bowl", "the bowl"], "bbox": [0.0, 0.0, W / 2, H / 2],
           "image": {"bytes": PHOTO, "path": "1.png"}}  # fmt: skip
    by_datasets(folder / "data" / "val-00000-of-00001.parquet", [row])
    return folder


def test_the_eight_splits_are_there() -> None:
    assert len(NAMES) == 8


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("qwen-vl", "(0,0),(499,500)"),
        ("internvl", "[[0, 0, 500, 500]]"),
        ("lmms-eval", "[0.0, 0.0, 0.5, 0.5]"),
        ("lmms-grounding", f'{{"bbox_2d": {BOX}}}'),
    ],
)
def test_each_convention_finds_the_box(tmp_path: Path, protocol: str, said: str) -> None:
    task = build("refcoco-val", lines(tmp_path), protocol=protocol)
    (sample,) = task.samples()
    assert "left bowl" in wording(asked(task, sample))
    hit, miss, unread = task.score(
        [answer(sample, said), answer(sample, "(9,9),(10,10)"), answer(sample, "?")]
    ).rows
    assert (hit.values["acc@0.5"], hit.values["center"]) == (1, 1)
    assert hit.values["IoU"] > 0.9
    assert miss.values["acc@0.5"] == unread.values["acc@0.5"] == 0
    assert unread.unread
    assert not unread.failure


def test_a_hub_row_is_one_sample_per_expression(tmp_path: Path) -> None:
    task = build("refcoco-val", hub(tmp_path))
    one, other = task.samples()
    assert [one.id, other.id] == ["9#1", "9#2"]
    assert one.cluster == other.cluster != ""
    assert task.target(other) == BOX
    assert isinstance(task, HasReferenceAnswer)
    oracle = task.reference_answer(one)
    assert isinstance(oracle, TextResponse)
    (row,) = task.score([answer(one, oracle.text)]).rows
    assert row.values["acc@0.9"] == 1


def test_the_best_of_all_boxes_where_the_rules_say_so(tmp_path: Path) -> None:
    said = f"[[0, 0, 1, 1], {BOX}]"
    for rules, expected in (("official", 0), ("best", 1)):
        task = build("refcoco-val", lines(tmp_path), protocol="lmms-grounding", rules=rules)
        (sample,) = task.samples()
        assert task.score([answer(sample, said)]).rows[0].values["acc@0.5"] == expected


@pytest.mark.parametrize(
    ("box", "fault"), [([1, 2, 3], "not four numbers"), ([5, 5, 2, 2], "is empty as xyxy"), ("x", "four")]
)
def test_a_row_without_a_box_is_refused(tmp_path: Path, box: Any, fault: str) -> None:
    task = build("refcoco-val", lines(tmp_path, bbox=box))
    with pytest.raises(DataError, match=fault):
        [*task.samples()]


def test_a_box_outside_of_its_image_fails_its_sample_alone(tmp_path: Path) -> None:
    task = build("refcoco-val", lines(tmp_path, bbox=[0, 0, 10 * W, 5]))
    (sample,) = task.samples()
    with pytest.raises(Exception, match="lies outside of the image"):
        task.request(sample)


def test_an_unknown_convention_is_refused(tmp_path: Path) -> None:
    import evalsuite_tasks

    from evalsuite.task.benchmark import build as build_from
    from evalsuite.task.entry import TaskOptions
    from evalsuite.task.schema import load

    text = (Path(evalsuite_tasks.__file__).parent / "locate" / "refcoco-val.yaml").read_text()
    (tmp_path / "x.yaml").write_text(text.replace("boxes: qwen-vl", "boxes: qwen"))
    with pytest.raises(SpecError, match="there are no boxes 'qwen'"):
        build_from(load(tmp_path / "x.yaml"), TaskOptions(data=lines(tmp_path)))
