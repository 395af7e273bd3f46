"""A judge that reads what a rule leaves open, in the exam and yes-or-no families."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Text
from evalsuite.errors import SpecError
from evalsuite.judging import Judged
from evalsuite.task import Answered, Judgement, Sample
from evalsuite.task.schema import load
from tests.tasks.asking import answer, build
from tests.tasks.tables import by_datasets, cell, image_files, json_file


def judged(sample: Sample, text: str, *runs: tuple[str, ...]) -> Answered:
    one = answer(sample, text)
    told = tuple(tuple(Judgement(reply) for reply in said) for said in runs)
    return Answered(one.sample, one.responses, told)


def mathvista(folder: Path) -> Path:
    metadata = {"language": "english", "source": "TQA", "category": "math", "task": "tqa", "context": "x",
                "grade": "college", "skills": ["a b", "c"]}  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"pid": "1", "query": "Hint: …\nQuestion: Which?", "choices": ["9", "12", "18", "18"], "answer": "18",
         "question_type": "multi_choice", "answer_type": "text", "precision": None},
        {"pid": "2", "query": "Hint: …\nQuestion: How long?", "choices": None, "answer": "1.2",
         "question_type": "free_form", "answer_type": "float", "precision": 1.0},
    ]  # fmt: skip
    rows = [{**row, "metadata": metadata, "decoded_image": cell(k)} for k, row in enumerate(rows)]
    by_datasets(folder / "data" / "testmini-00000-of-00001.parquet", rows, ("decoded_image",))
    return folder


def test_mathvista_reads_both_kinds_of_questions(tmp_path: Path) -> None:
    task = build("mathvista-testmini", mathvista(tmp_path))
    choice, free = task.samples()
    assert task.target(choice) == ["C", "D"]
    assert choice.labels["skills"] == "a b+c"
    assert free.labels["precision"] == "1"
    given = [answer(choice, "(D)"), answer(choice, "12"), answer(free, "1.23"), answer(free, "1.3")]
    assert [row.values["accuracy"] for row in task.score(given).rows] == [1, 0, 1, 0]


def test_the_judge_is_asked_about_unread_answers_alone(tmp_path: Path) -> None:
    task = build("mathvista-testmini", mathvista(tmp_path), rules="official+judge")
    assert isinstance(task, Judged)
    choice, free = task.samples()
    assert task.question(answer(free, "1.2"), ()) is None
    chat = task.question(answer(free, "It is 1.2 m."), ())
    assert chat is not None
    (part,) = chat.messages[-1].parts
    assert isinstance(part, Text)
    assert part.text.endswith("Question: How long?\n\nIt is 1.2 m.\n\nExtracted answer: ")
    assert task.question(answer(free, "It is 1.2 m."), (Judgement("1.2"),)) is None
    unjudged = task.score([answer(choice, "18"), answer(free, "It is 1.2 m.")])
    assert "evalsuite judge" in unjudged.missing["accuracy"]
    scores = task.score(
        [judged(choice, "18", ()), judged(choice, "the last", ("D",)), judged(free, "so", ("1.2",), ("2",))]
    )
    assert [row.values["accuracy"] for row in scores.rows] == [1, 1, 0.5]
    assert scores.details == {"runs of the judge": 2}


def test_what_the_judge_lacks_is_the_samples_failure(tmp_path: Path) -> None:
    task = build("mathvista-testmini", mathvista(tmp_path), rules="official+judge")
    choice, free = task.samples()
    one = answer(free, "so")
    silent = Answered(one.sample, one.responses, ((Judgement(failure="timed out"),),))
    rows = task.score([judged(choice, "the last", ("D",)), silent, judged(free, "so", ())]).rows
    assert [row.failure for row in rows] == [
        "", "the judge gave nothing: timed out", "the judge has not read this answer",
    ]  # fmt: skip


def hallusionbench(folder: Path) -> Path:
    keys = [("VS", "chart", "0", "0"), ("VS", "chart", "0", "1"), ("VD", "ocr", "1", "0")]
    rows = [
        {"category": category, "subcategory": part, "visual_input": "0" if k == 0 else "1", "set_id": one,
         "figure_id": figure, "sample_note": "x", "question_id": "0", "question": f"Is {k} so?",
         "gt_answer_details": f"{k} is so.", "gt_answer": "1",
         "filename": None if k == 0 else f"./hallusion_bench/{category}/{part}/{one}_{figure}.png"}
        for k, (category, part, one, figure) in enumerate(keys)
    ]  # fmt: skip
    json_file(folder / "HallusionBench.json", rows)
    image_files(folder / "hallusion_bench", "VS/chart/0_1.png", "VD/ocr/1_0.png")
    return folder


def test_hallusionbench_asks_with_and_without_images(tmp_path: Path) -> None:
    task = build("hallusionbench", hallusionbench(tmp_path))
    samples = [*task.samples()]
    assert [len(task.request(sample).images) for sample in samples] == [0, 1, 1]  # type: ignore[union-attr]
    images = [sample.id for sample in build("hallusionbench-image", tmp_path).samples()]
    assert images == ["VS_chart_0_1_0", "VD_ocr_1_0_0"]
    rows = task.score([answer(samples[0], "Yes, it is."), answer(samples[1], "Not sure")]).rows
    assert [(row.values["accuracy"], row.unread) for row in rows] == [(1, False), (0, True)]


def test_an_unclear_answer_counts_only_where_there_is_no_image(tmp_path: Path) -> None:
    task = build("hallusionbench", hallusionbench(tmp_path), rules="official+judge")
    assert isinstance(task, Judged)
    first, second, third = task.samples()
    chat = task.question(answer(first, "Yes"), ())
    assert chat is not None
    (part,) = chat.messages[-1].parts
    assert isinstance(part, Text)
    assert part.text.endswith("Question:Is 0 so?\nReference answer: 0 is so.\nPrediction answer:Yes\nOutput:")
    scores = task.score(
        [
            judged(first, "?", ("unclear",)),
            judged(second, "?", ("Unclear",)),
            judged(third, "!", ("correct",)),
        ]
    )
    assert [row.values["accuracy"] for row in scores.rows] == [1, 0, 1]


def test_a_judged_task_arrives_in_another_process(tmp_path: Path) -> None:
    task = build("mathvista-testmini", mathvista(tmp_path), rules="official+judge")
    again = pickle.loads(pickle.dumps(task))
    assert again.judge == "gpt-4-0613"
    assert type(again) is type(task)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("  rules: [nobody]", "there are no rules 'nobody'"),
        ("  rules: [official+judge]\n  verdicts: {right: 1}", "either `reads`"),
    ],
)
def test_a_wrong_judge_is_refused(tmp_path: Path, change: str, fault: str) -> None:
    import evalsuite_tasks

    text = (Path(evalsuite_tasks.__file__).parent / "exam" / "blink-val.yaml").read_text()
    (tmp_path / "x.yaml").write_text(text.replace("  rules: [official+judge]", change))
    with pytest.raises(SpecError, match=fault):
        load(tmp_path / "x.yaml")
