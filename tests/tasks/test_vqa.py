"""VQA benchmarks: official files and hub columns give the same task; scores are the named scorer's."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import evalsuite_tasks
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.content import Text
from evalsuite.data.images import decode
from evalsuite.errors import DataError
from evalsuite.metrics.vqa import vqa_accuracy
from evalsuite.request import ImageResponse, TextResponse
from evalsuite.task import Answered, Sample, Task
from evalsuite.task.entry import TaskOptions
from tests.data.image_files import encoded
from tests.goldens import golden_dir, load_json

ENTRIES = {entry.name: entry for entry in evalsuite_tasks.tasks()}


def build(name: str, **options: Any) -> Task:
    return ENTRIES[name].build(TaskOptions(**options))


def official(folder: Path) -> Path:
    """The real fragment under the official names, with its photograph (or noise of its size) as val2014's."""
    source = golden_dir("vqa")
    (folder / "val2014").mkdir(parents=True)
    for kind, name in (
        ("questions", "v2_OpenEnded_mscoco_val2014_questions.json"),
        ("annotations", "v2_mscoco_val2014_annotations.json"),
    ):
        shutil.copyfile(source / f"v2_train2014_fragment_{kind}.json", folder / name)
    photo = (
        source / "COCO_train2014_000000458752.jpg"
    )  # not in the repository: its licence is the photographer's
    data = photo.read_bytes() if photo.exists() else encoded("JPEG", width=640, height=480)
    (folder / "val2014" / "COCO_val2014_000000458752.jpg").write_bytes(data)
    return folder


def mirrored(folder: Path, drop: str = "") -> Path:
    """The same questions in the columns of the hub's copy."""
    source = official(folder / "official")
    questions = json.loads((source / "v2_OpenEnded_mscoco_val2014_questions.json").read_text())["questions"]
    annotations = {
        row["question_id"]: row
        for row in json.loads((source / "v2_mscoco_val2014_annotations.json").read_text())["annotations"]
    }
    photo = (source / "val2014" / "COCO_val2014_000000458752.jpg").read_bytes()
    rows = [
        {
            "question_type": "none of the above",
            "multiple_choice_answer": "",
            "answers": annotations[row["question_id"]]["answers"],
            "image_id": row["image_id"],
            "answer_type": "other",
            "question_id": row["question_id"],
            "question": row["question"],
            "image": {"bytes": photo, "path": "COCO_val2014_000000458752.jpg"},
        }
        for row in questions
    ]
    table = pa.Table.from_pylist(rows)
    (folder / "hub" / "data").mkdir(parents=True)
    path = folder / "hub" / "data" / "validation-00000-of-00001.parquet"
    pq.write_table(table.drop_columns([drop]) if drop else table, path)
    return folder / "hub"


def answered(sample: Sample, text: str) -> Answered:
    return Answered(sample, (TextResponse(text),))


def test_official_files_and_hub_columns_ask_the_same(tmp_path: Path) -> None:
    one = build("vqav2", data=official(tmp_path / "a"), protocol="dreamllm")
    other = build("vqav2", data=mirrored(tmp_path / "b"), protocol="dreamllm")
    pairs = list(zip(one.samples(), other.samples(), strict=True))
    assert len(pairs) == 3
    for ours, theirs in pairs:
        assert ours.id == theirs.id
        assert ours.cluster == theirs.cluster == "458752"
        assert one.target(ours) == other.target(theirs)
        assert one.request(ours).fingerprint() == other.request(theirs).fingerprint()  # type: ignore[union-attr]
    assert one.fingerprint() != other.fingerprint()


def test_the_real_questions_carry_their_photograph(tmp_path: Path) -> None:
    task = build("vqav2", data=official(tmp_path))
    for sample in task.samples():
        request = task.request(sample)
        assert request is not None
        assert decode(request.images[0]).size == (640, 480)
        assert task.request(sample, (TextResponse("net"),)) is None


def test_the_dreamllm_protocol_glues_its_parts_as_the_original_did(tmp_path: Path) -> None:
    task = build("vqav2", data=official(tmp_path), protocol="dreamllm")
    request = task.request(next(task.samples()))
    assert request is not None
    before, _, after = request.messages[-1].parts
    assert before == Text("Based on the image, please answer the question.")
    assert after == Text(
        "What is this photo taken looking through?Please provide an accurate answer within one word."
    )
    assert request.prefill == "The short answer (one word) is:"
    assert request.output.num_beams == 5  # type: ignore[union-attr]
    assert request.output.length_normalization == "prompt+generated"  # type: ignore[union-attr]


def test_scores_are_the_official_scorers_on_real_answers(tmp_path: Path) -> None:
    task = build("vqav2", data=official(tmp_path))
    samples = list(task.samples())
    scores = task.score([answered(sample, "Net.") for sample in samples])
    for row, sample in zip(scores.rows, samples, strict=True):
        assert row.values["accuracy"] == vqa_accuracy("Net.", sample.record.answers)
        assert (row.cluster, row.parsed) == ("458752", "net")
    assert scores.rows[0].values["accuracy"] == 1.0
    assert scores.rows[2].values["accuracy"] == 0.0


@pytest.mark.parametrize(
    ("rules", "column"),
    [("official", "off"), ("m4c", "m4c"), ("lmms-eval", "lmms_vqav2"), ("vlmevalkit", "vlmevalkit")],
)
def test_each_named_rule_gives_its_scorers_numbers(rules: str, column: str, tmp_path: Path) -> None:
    cases = load_json("oracles", "vqa_cases.json.gz")
    task = build("vqav2", data=official(tmp_path), rules=rules)
    (sample, *_) = task.samples()
    asked: list[Answered] = []
    expected: list[float] = []
    for row in cases["rows"][:500]:
        case = dict(zip(cases["columns"], row, strict=True))
        references = tuple(text for text, count in case["gt"] for _ in range(count))
        if len(references) == 10 and case[column] is not None:
            record = replace(sample.record, answers=references)
            asked.append(answered(replace(sample, record=record), case["pred"]))
            expected.append(case[column])
    assert len(asked) > 300
    assert [round(100 * row.values["accuracy"], 2) for row in task.score(asked).rows] == expected


def test_the_dreamllm_protocol_clips_answers_before_scoring(tmp_path: Path) -> None:
    task = build("vqav2", data=official(tmp_path), protocol="dreamllm")
    sample = next(task.samples())
    (row,) = task.score([answered(sample, ' "Net", like in a baseball field.')]).rows
    assert row.values["accuracy"] == 1.0


def test_a_missing_column_names_those_there_are(tmp_path: Path) -> None:
    task = build("vqav2", data=mirrored(tmp_path, drop="answers"))
    with pytest.raises(DataError, match="no column 'answers'"):
        list(task.samples())


def test_an_answer_that_is_no_text_is_a_failure_not_a_zero(tmp_path: Path) -> None:
    task = build("vqav2", data=official(tmp_path))
    sample = next(task.samples())
    scores = task.score([Answered(sample, (ImageResponse(()),))])
    assert scores.rows[0].failure == "the answer is a ImageResponse, not text"
    assert not scores.rows[0].values
    assert list(scores.statistics[0].rows) == []


def test_a_question_twice_in_a_table_is_refused(tmp_path: Path) -> None:
    folder = mirrored(tmp_path)
    path = folder / "data" / "validation-00000-of-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), path)
    with pytest.raises(DataError, match="the id '458752000' occurs twice"):
        list(build("vqav2", data=folder).samples())


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    folder = mirrored(tmp_path)
    path = folder / "data" / "validation-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(DataError, match=r"vqav2: .* holds no samples"):
        list(build("vqav2", data=folder).samples())


def test_vqav2_is_broken_down_by_both_official_types(tmp_path: Path) -> None:
    task = build("vqav2", data=mirrored(tmp_path))
    statistics = task.score([answered(sample, "net") for sample in task.samples()]).statistics
    assert {statistic.group for statistic in statistics} == {
        "",
        "answer_type=other",
        "question_type=none of the above",
    }


def test_easy_vqa_has_its_official_test_questions_and_images() -> None:
    task = build("easy-vqa")
    samples = list(task.samples())
    assert len(samples) == 9673
    assert sum(sample.labels["answer_type"] == "yes/no" for sample in samples) == 7136
    assert len({sample.cluster for sample in samples}) == 1000
    assert len({sample.record.answers for sample in samples}) == 13
    request = task.request(samples[0])
    assert request is not None
    assert request.messages[0].parts[1] == Text("what is the red shape?")
    assert decode(request.images[0]).size == (64, 64)


def test_easy_vqa_is_exact_match() -> None:
    task = build("easy-vqa", options={"subset": "50"})
    samples = list(task.samples())
    right = task.score([answered(sample, f" {sample.record.answers[0].capitalize()}.") for sample in samples])
    assert [row.values["accuracy"] for row in right.rows] == [1.0] * 50
    wrong = task.score([answered(sample, f"not {sample.record.answers[0]}") for sample in samples])
    assert [row.values["accuracy"] for row in wrong.rows] == [0.0] * 50
    assert {statistic.group for statistic in right.statistics} == {
        "",
        "answer_type=other",
        "answer_type=yes/no",
    }


def test_the_mini_suites_subset_of_easy_vqa_is_the_same_everywhere() -> None:
    task = build("easy-vqa", options={"subset": "600"})
    names = [sample.id for sample in task.samples()]
    assert len(names) == 600
    assert names[:5] == ["10", "16", "31", "46", "87"]
    assert names == sorted(names, key=int)
    assert task.info.split == "test, 600 of 9,673 drawn with seed 0"


def test_easy_vqas_file_is_checked(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    path = tmp_path / "test" / "questions.json"
    for text, message in (
        ("{}", "must be a list"),
        ('[["q", "a"]]', r"row 0 is \['q', 'a'\]"),
        ('[["q", 3, 1]]', "row 0 is"),
        ("[]", "holds no samples"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            list(build("easy-vqa", data=tmp_path).samples())


def test_the_miniatures_files_are_read_by_the_same_code() -> None:
    task = build("mini-vqav2")
    samples = list(task.samples())
    assert len(samples) == 1000
    assert {sample.labels["answer_type"] for sample in samples} == {"yes/no", "number", "other"}
    for sample in samples[:3]:
        request = task.request(sample)
        assert request is not None
        assert decode(request.images[0]).size == (64, 64)
        assert len(task.target(sample)) == 10
    majority = [answered(s, max(set(s.record.answers), key=s.record.answers.count)) for s in samples]
    scores = task.score(majority)
    assert sum(row.values["accuracy"] for row in scores.rows) / 1000 > 0.99
