"""MMBench's other files: test splits without answers, Chinese, v1.1, the file of July 2023."""

from __future__ import annotations

import base64
import csv
import io
from pathlib import Path

import pytest

from tests.data.image_files import encoded
from tests.tasks.asking import answer, asked, build, values, wording, write_table

PHOTO = encoded("JPEG", size=(24, 16))
COLUMNS = [
    "index",
    "question",
    "hint",
    "A",
    "B",
    "C",
    "D",
    "answer",
    "category",
    "image",
    "l2-category",
    "split",
]


def tsv(root: Path, name: str, *, public: bool = True, chinese: bool = False) -> Path:
    columns = [column for column in COLUMNS if public or column != "answer"]
    question = "图中是什么颜色？" if chinese else "What colour is it?"
    first = dict.fromkeys(COLUMNS, "") | {
        "index": "7",
        "question": question,
        "hint": "",
        "A": "red",
        "B": "blue",
        "answer": "B",
        "category": "image_style",
        "l2-category": "coarse_perception",
        "split": "dev",
        "image": base64.b64encode(PHOTO).decode(),
    }
    turned = first | {"index": "1000007", "A": "blue", "B": "red", "answer": "A", "image": "7"}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows([first, turned])
    (root / f"{name}.tsv").write_text(stream.getvalue(), encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("task_name", "file"),
    [
        ("mmbench-dev-cn", "MMBench_DEV_CN"),
        ("mmbench-dev-en-v1.1", "MMBench_DEV_EN_V11"),
        ("mmbench-dev-cn-v1.1", "MMBench_DEV_CN_V11"),
        ("mmbench-dev-20230712", "mmbench_dev_20230712"),
    ],
)
def test_dev_files_are_scored_in_every_rotation(task_name: str, file: str, tmp_path: Path) -> None:
    task = build(task_name, tsv(tmp_path, file, chinese="cn" in task_name))
    (sample,) = task.samples()
    first = asked(task, sample)
    assert wording(first).endswith(
        "Options:\nA. red\nB. blue\nPlease select the correct answer from the options above. \n"
    )
    assert "A. blue\nB. red" in wording(asked(task, sample, "B"))
    right, half = values(task, answer(sample, "B", "A"), answer(sample, "B", "B"))
    assert right == {"circular": 1.0, "vanilla": 1.0}
    assert half == {"circular": 0.0, "vanilla": 1.0}


@pytest.mark.parametrize(
    ("task_name", "file"),
    [
        ("mmbench-test-en", "MMBench_TEST_EN"),
        ("mmbench-test-cn", "MMBench_TEST_CN"),
        ("mmbench-test-en-v1.1", "MMBench_TEST_EN_V11"),
        ("mmbench-test-cn-v1.1", "MMBench_TEST_CN_V11"),
    ],
)
def test_test_files_have_no_column_of_answers_and_are_asked_all_the_same(
    task_name: str, file: str, tmp_path: Path
) -> None:
    task = build(task_name, tsv(tmp_path, file, public=False))
    (sample,) = task.samples()
    assert wording(asked(task, sample)).startswith("<image>Question: What colour is it?")
    (row,) = task.score([answer(sample, "B", "A")]).rows
    assert row.failure == "the right answers of this split are not public"


def test_the_chinese_files_are_asked_for_a_letter_in_chinese(tmp_path: Path) -> None:
    task = build("mmbench-dev-cn", tsv(tmp_path, "MMBench_DEV_CN", chinese=True), protocol="llava-1.5")
    assert wording(asked(task, next(task.samples()))) == (
        "<image>\n图中是什么颜色？\nA. red\nB. blue\n请直接回答选项字母。"
    )


def test_hub_columns_of_another_language_ask_the_same(tmp_path: Path) -> None:
    official = build("mmbench-dev-cn", tsv(tmp_path, "MMBench_DEV_CN"))
    rows = [
        {
            "index": index,
            "question": "What colour is it?",
            "hint": "nan",
            "A": a,
            "B": b,
            "C": "nan",
            "D": "nan",
            "answer": right,
            "category": "image_style",
            "image": {"bytes": PHOTO, "path": None},
            "source": "x",
            "L2-category": "coarse_perception",
            "comment": "nan",
            "split": "dev",
        }
        for index, a, b, right in [(7, "red", "blue", "B"), (1000007, "blue", "red", "A")]
    ]
    write_table(tmp_path / "hub" / "cn" / "dev-00000-of-00001.parquet", rows)
    mirror = build("mmbench-dev-cn", tmp_path / "hub")
    (ours,), (theirs,) = official.samples(), mirror.samples()
    assert official.target(ours) == mirror.target(theirs) == ["B", "A"]
    for earlier in ((), ("B",)):
        assert wording(asked(official, ours, *earlier)) == wording(asked(mirror, theirs, *earlier))


def test_dreamllm_is_asked_on_the_file_it_was_measured_with(tmp_path: Path) -> None:
    data = tsv(tmp_path, "mmbench_dev_20230712")
    task = build("mmbench-dev-20230712", data, protocol="dreamllm-upstream-quirks")
    (sample,) = task.samples()
    assert wording(asked(task, sample)) == (
        "<image>Hint:nanQuestion:What colour is it?Is the answer can be known?"
    )
    assert "Options: (0). red (0). blue Please provide" in wording(asked(task, sample, "No."))
    plain = build("mmbench-dev-20230712", data, protocol="dreamllm")
    assert "<image>Question:What colour is it?Options: A. red B. blue Please" in wording(asked(plain, sample))
