"""AI2D, MMStar, BLINK, RealWorldQA, ChartQA, OCRBench and MME on tables as the hub has them."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from evalsuite.task import Sample, Task
from tests.tasks.asking import answer, asked, build, shown_images, values, wording
from tests.tasks.tables import (
    PHOTOS,
    base64_of,
    by_datasets,
    cell,
    delimited,
    image_files,
    json_file,
    parquet,
)


def only(task: Task) -> Sample:
    (sample,) = task.samples()
    return sample


def said(task: Task, sample: Sample, *answers: str) -> list[float]:
    return [row["accuracy"] for row in values(task, *(answer(sample, text) for text in answers))]


def statistics(task: Task, answers: Sequence[str]) -> dict[str, float]:
    """The benchmark's whole-set numbers where its samples are answered like this, in order."""
    import numpy as np

    given = [answer(sample, text) for sample, text in zip(task.samples(), answers, strict=True)]
    scores = task.score(given)
    found: dict[str, float] = {}
    for one in scores.statistics:
        if not one.group:
            rows = [scores.rows[place].values[one.metric.name] for place in one.rows if not one.function]
            at = np.arange(len(one.rows))
            value = one.function(at) if one.function else sum(rows) / len(rows)
            found[one.metric.name] = float(value) * one.metric.scale
    return found


def ai2d_hub(folder: Path, **changes: Any) -> Path:
    row = {"question": "Which eats b?", "options": ["a", "b", "c", "none"], "answer": "2", "image": cell(0)}
    by_datasets(folder / "data" / "test-00000-of-00001.parquet", [{**row, **changes}])
    return folder


def test_ai2d_from_the_hub_and_from_vlmevalkits_table(tmp_path: Path) -> None:
    row = {
        "index": 0, "question": "Which eats b?", "A": "a", "B": "b", "C": "c", "D": "none", "answer": "C",
        "image": base64_of(0),
    }  # fmt: skip
    delimited(tmp_path / "tsv" / "AI2D_TEST.tsv", [row])
    one, other = build("ai2d", ai2d_hub(tmp_path / "hub")), build("ai2d", tmp_path / "tsv")
    ours, theirs = only(one), only(other)
    assert one.target(ours) == other.target(theirs) == ["C"]
    assert (
        wording(asked(one, ours))
        == wording(asked(other, theirs))
        == (
            "<image>Which eats b?\nA. a\nB. b\nC. c\nD. none\n"
            "Answer with the option's letter from the given choices directly."
        )
    )
    assert shown_images(asked(one, ours)) == shown_images(asked(other, theirs)) == [PHOTOS[0]]
    assert said(one, ours, "C", "C. c", "c.", "The answer is C") == [1, 1, 1, 0]
    vlmevalkit = build("ai2d", tmp_path / "hub", rules="vlmevalkit")
    assert said(vlmevalkit, ours, "The answer is C", "D") == [1, 0]


@pytest.mark.slow
def test_a_row_without_its_image_is_one_failed_sample_of_a_run(tmp_path: Path) -> None:
    row = {"question": "Which eats b?", "options": ["a", "b"], "answer": "1"}
    images = [cell(0), None, {"bytes": b"", "path": "/home/somebody/1.png"}, cell(1)]
    table = [{**row, "image": image} for image in images]
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", table)
    spec = RunSpec(model=ModelSpec(name="oracle"), tasks=(TaskSpec(name="ai2d", data=tmp_path),))
    outcome = run(spec, tmp_path / "run", ExecutionOptions(max_failures=1.0))
    assert (outcome.failed, outcome.missing, outcome.scoring_errors) == (2, 0, {})
    with RunReader(tmp_path / "run") as stored:
        failures = {record.sample: record.error for record in stored.failures()}
        (result,) = stored.metrics()
    assert set(failures) == {"1", "2"}
    assert "row 1 (id 1) has no image." in failures["1"]
    assert "row 2 (id 2), image holds only the path" in failures["2"]
    assert [(e.value, e.n) for e in result.numbers() if not e.group] == [(1.0, 2)]


def test_an_ai2d_table_whose_answers_are_no_positions_is_refused(tmp_path: Path) -> None:
    task = build("ai2d", ai2d_hub(tmp_path, answer="C"))
    with pytest.raises(DataError, match=r"row 0 \(id 0\): the answer 'C' is none of the options A, B, C, D"):
        [*task.samples()]


def test_mmstar_asks_with_the_options_where_they_stand(tmp_path: Path) -> None:
    question = " Which is it?\nOptions: A: red, B: blue, C: green, D: black "
    row = {
        "index": 7, "question": question, "answer": "B", "category": "math", "l2_category": "geometry",
        "image": cell(1), "meta_info": {"source": "x"},
    }  # fmt: skip
    by_datasets(tmp_path / "mmstar.parquet", [row])
    task, lmms = build("mmstar", tmp_path), build("mmstar", tmp_path, protocol="lmms-eval")
    sample = only(task)
    assert sample.id == "7"
    assert sample.labels == {"category": "math", "l2_category": "geometry"}
    assert wording(asked(task, sample)) == f"<image>{question}\nAnswer the question directly."
    assert wording(asked(lmms, only(lmms))) == (
        f"<image>{question.strip()}\nAnswer with the option's letter from the given choices directly"
    )
    assert said(task, sample, "B", "(b) blue", "the answer is B", "blue", "C") == [1, 1, 1, 1, 0]


def blink(folder: Path) -> Path:
    for task, answers in {"Art_Style": ["(A)", "(B)"], "Counting": ["(D)"]}.items():
        rows = [
            {
                "idx": f"val_{task}_{k + 1}", "sub_task": task, "question": "Which?", "image_1": cell(0),
                "image_2": cell(1) if task == "Art_Style" else None, "image_3": None, "image_4": None,
                "choices": ["one", "two"] if task == "Art_Style" else ["1", "2", "3", "4"], "answer": right,
                "prompt": f"{task}: which?\n(A) … (B) …", "explanation": None,
            }
            for k, right in enumerate(answers)
        ]  # fmt: skip
        images = ("image_1", "image_2", "image_3", "image_4")
        by_datasets(folder / task / "val-00000-of-00001.parquet", rows, images)
    return folder


def test_blink_shows_all_images_and_takes_the_mean_of_its_tasks(tmp_path: Path) -> None:
    task, lmms = build("blink-val", blink(tmp_path)), build("blink-val", tmp_path, protocol="lmms-eval")
    first, _, last = task.samples()
    assert (first.id, first.labels) == ("val_Art_Style_1", {"sub_task": "Art_Style"})
    assert task.target(first) == ["A"]
    assert shown_images(asked(task, first)) == PHOTOS[:2]
    assert shown_images(asked(task, last)) == PHOTOS[:1]
    assert wording(asked(task, last)) == "<image>Counting: which?\n(A) … (B) …"
    assert wording(asked(task, first)).startswith("<image><image>Disclaimer: This is not to make unfair")
    assert wording(asked(task, first)).endswith("gave you.\n\nArt_Style: which?\n(A) … (B) …")
    assert wording(asked(lmms, last)) == (
        "<image>Note: You only need to respond with A, B, C, D without providing any additional "
        "information.\nCounting: which?\n(A) … (B) …"
    )
    numbers = statistics(task, ["(A)", "I say (A)", "D"])
    assert numbers == {"Total": pytest.approx(75), "accuracy": pytest.approx(200 / 3)}


def test_realworldqa_has_lettered_and_open_questions(tmp_path: Path) -> None:
    rows = [
        {"question": "Left or right?\n\nA. Left\nB. Right\nPlease answer …", "answer": "B", "image": cell(0)},
        {"question": " How many cars? ", "answer": "3", "image": cell(1)},
    ]
    by_datasets(tmp_path / "data" / "test-00000-of-00002.parquet", rows[:1])
    by_datasets(tmp_path / "data" / "test-00001-of-00002.parquet", rows[1:])
    task, lmms = build("realworldqa", tmp_path), build("realworldqa", tmp_path, protocol="lmms-eval")
    lettered, counted = task.samples()
    assert (lettered.id, counted.id) == ("0", "1")
    assert wording(asked(task, counted)) == "<image> How many cars? "
    assert wording(asked(lmms, counted)) == "<image>How many cars?"
    assert said(task, lettered, "B", "The answer is B.", "A") == [1, 1, 0]
    assert said(task, counted, "3", " 3. ", "three") == [1, 1, 0]


CHARTQA: dict[str, dict[str, Any]] = {
    "lmms-lab/ChartQA": {"type": "human_test", "question": "How many?", "answer": "40"},
    "HuggingFaceM4/ChartQA": {"query": "How many?", "label": ["40"], "human_or_machine": 0},
    "ahmed-masry/ChartQA": {"imgname": "1.png", "query": "How many?", "label": "40", "type": "human"},
}


@pytest.mark.parametrize("repository", CHARTQA)
def test_chartqa_in_three_layouts(tmp_path: Path, repository: str) -> None:
    image = PHOTOS[0] if repository.startswith("ahmed") else cell(0)
    row = {**CHARTQA[repository], "image": image}
    images = () if isinstance(image, bytes) else ("image",)
    by_datasets(tmp_path / "data" / "test-00000-of-00001.parquet", [row], images)
    task = build("chartqa", tmp_path, options={"source": repository})
    sample = only(task)
    assert sample.labels == {"origin": "human"}
    assert wording(asked(task, sample)) == "<image>How many?\nAnswer the question with a single word."
    assert shown_images(asked(task, sample)) == [PHOTOS[0]]
    assert said(task, sample, "40", "41.9", "42.1", "forty") == [1, 1, 0, 0]


def test_ocrbench_from_the_hub_and_from_the_official_file(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"dataset": "IIIT5K", "question": "what is written?", "question_type": "Regular Text Recognition",
         "answer": ["CENTRE"], "image": cell(0)},
        {"dataset": "HME100k", "question": "formula?", "question_type": "Handwritten", "answer": ["a = B"],
         "image": cell(1)},
    ]  # fmt: skip
    by_datasets(tmp_path / "hub" / "data" / "test-00000-of-00001.parquet", rows)
    official = [
        {"dataset_name": row["dataset"], "type": row["question_type"], "question": row["question"],
         "answers": row["answer"] if k else row["answer"][0], "image_path": f"{row['dataset']}/{k}.png",
         "id": k}
        for k, row in enumerate(rows)
    ]  # fmt: skip
    json_file(tmp_path / "files" / "OCRBench.json", official)
    image_files(tmp_path / "files" / "OCRBench_Images", "IIIT5K/0.png", "HME100k/1.png")
    for folder in ("hub", "files"):
        task = build("ocrbench", tmp_path / folder)
        word, formula = task.samples()
        assert word.labels == {"dataset": "IIIT5K", "question_type": "Regular Text Recognition"}
        assert wording(asked(task, word)) == "<image>what is written?"
        assert [shown_images(asked(task, one)) for one in (word, formula)] == [[PHOTOS[0]], [PHOTOS[1]]]
        assert said(task, word, "It says Centre.", "center") == [1, 0]
        assert said(task, formula, "a=B", "A=b") == [1, 0]


QUESTIONS = [f"Is {k} there? Please answer yes or no." for k in range(6)]
MME = [
    ("existence", "1.jpg", "Yes"), ("existence", "1.jpg", "No"), ("existence", "2.jpg", "Yes"),
    ("existence", "2.jpg", "No"), ("code_reasoning", "1.jpg", "Yes"), ("code_reasoning", "1.jpg", "No"),
]  # fmt: skip


def mme_hub(folder: Path) -> Path:
    rows = [
        {"question_id": f"{kind}/{image}", "image": cell(k % 4), "question": QUESTIONS[k], "answer": right,
         "category": kind}
        for k, (kind, image, right) in enumerate(MME)
    ]  # fmt: skip
    by_datasets(folder / "data" / "test-00000-of-00001.parquet", rows)
    return folder


def mme_official(folder: Path) -> Path:
    image_files(folder, "existence/1.jpg", "existence/2.jpg", "code_reasoning/images/1.jpg")
    (folder / "Your_Results").mkdir()
    for k, (kind, image, right) in enumerate(MME):
        with (folder / "Your_Results" / f"{kind}.txt").open("a") as stream:
            stream.write(f"{image}\t{QUESTIONS[k]}\t{right}\n")
    return folder


def test_mme_pairs_its_questions_and_sums_its_tasks(tmp_path: Path) -> None:
    task = build("mme", mme_hub(tmp_path))
    samples = [*task.samples()]
    ids = [sample.id for sample in samples[:3]]
    assert ids == ["existence/1.jpg#1", "existence/1.jpg#2", "existence/2.jpg#1"]
    assert samples[0].cluster == "existence/1.jpg"
    assert wording(asked(task, samples[0])) == "<image>Is 0 there? Please answer yes or no."
    lmms = build("mme", tmp_path, protocol="lmms-eval")
    assert wording(asked(lmms, samples[0])) == (
        "<image>Is 0 there?\nAnswer the question using a single word or phrase."
    )
    # existence: 3 of 4 right and 1 of 2 images; code_reasoning: all wrong.
    numbers = statistics(task, ["Yes", "No", "Yes", "yes", "No", "Yes"])
    assert numbers["MME-P"] == pytest.approx(125)
    assert numbers["MME-C"] == pytest.approx(0)
    assert numbers["accuracy+"] == pytest.approx(100 / 3)


def test_mme_in_the_authors_folders(tmp_path: Path) -> None:
    task = build("mme", mme_official(tmp_path))
    samples = {sample.id: sample for sample in task.samples()}
    hub = {sample.id for sample in build("mme", mme_hub(tmp_path / "hub")).samples()}
    assert set(samples) == hub
    assert shown_images(asked(task, samples["code_reasoning/1.jpg#2"])) == [PHOTOS[2]]
    ordered = ["No", "Yes", "Yes", "No", "Yes", "No"]  # code_reasoning.txt comes first
    assert statistics(task, ordered)["MME-P"] == pytest.approx(200)


@pytest.mark.parametrize("name", ["ai2d", "blink-val", "mme"])
def test_a_task_on_tables_arrives_whole_in_another_process(tmp_path: Path, name: str) -> None:
    task = build(name, {"ai2d": ai2d_hub, "blink-val": blink, "mme": mme_hub}[name](tmp_path))
    again = pickle.loads(pickle.dumps(task))
    assert [sample.id for sample in again.samples()] == [sample.id for sample in task.samples()]
    assert again.fingerprint() == task.fingerprint()
