"""Exams by likelihood, with examples, and with chains of thought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Text
from evalsuite.errors import SampleError
from evalsuite.request import ChoiceResponse, ScoreChoices
from evalsuite.task import Answered, Task
from tests.tasks.asking import answer, asked, build, values, wording
from tests.tasks.tables import by_datasets, cell
from tests.tasks.test_exam import mmmu, scienceqa


def seed2(folder: Path, **changes: Any) -> Path:
    row = {
        "question_id": "7_1", "question": "What is it?", "answer": "B", "image": cell(0),
        "data_type": "Single Image", "question_type_id": 3,
        "choice_a": "a bowl", "choice_b": "a cup of tea", "choice_c": "a pan", "choice_d": "none",
    }  # fmt: skip
    by_datasets(folder / "data" / "test-0.parquet", [{**row, **changes}])
    return folder


def ranked(task: Task, *likelihoods: float, tokens: tuple[int, ...] = ()) -> Any:
    (sample,) = task.samples()
    return task.score([Answered(sample, (ChoiceResponse(likelihoods, tokens),))]).rows[0]


def test_seed_bench_2_ranks_the_texts_of_the_options_behind_the_bare_question(tmp_path: Path) -> None:
    task = build("seed-bench-2-likelihood", seed2(tmp_path))
    (sample,) = task.samples()
    request = asked(task, sample)
    assert wording(request) == "<image>What is it?"
    assert request.output == ScoreChoices(("a bowl", "a cup of tea", "a pan", "none"))
    assert ranked(task, -3.0, -2.0, -4.0, -5.0).values["accuracy"] == 1
    assert ranked(task, -1.0, -2.0, -4.0, -5.0).parsed == "A"
    assert task.reference_answer(sample).best == 1  # type: ignore[attr-defined]


def test_likelihoods_per_token_favour_no_short_option(tmp_path: Path) -> None:
    folder = seed2(tmp_path)
    by = {
        name: build("seed-bench-2-likelihood", folder, protocol=name)
        for name in ("ranking", "ranking-per-token")
    }
    given = ((-3.0, -4.0, -9.0, -9.0), (1, 4, 1, 1))
    assert ranked(by["ranking"], *given[0], tokens=given[1]).parsed == "A"
    assert ranked(by["ranking-per-token"], *given[0], tokens=given[1]).parsed == "B"
    assert "how many tokens" in ranked(by["ranking-per-token"], *given[0]).failure


@pytest.mark.parametrize(
    ("likelihoods", "fault"),
    [((-1.0, -2.0), "2 likelihoods for 4 options"), ((-1.0, float("nan"), -3.0, -4.0), "is NaN")],
)
def test_likelihoods_that_decide_nothing_are_failures(
    likelihoods: tuple[float, ...], fault: str, tmp_path: Path
) -> None:
    assert fault in ranked(build("seed-bench-2-likelihood", seed2(tmp_path)), *likelihoods).failure


def few(folder: Path) -> Path:
    """MMMU with two examples in its dev split."""
    mmmu(folder)
    source = next(folder.glob("data/validation-*.parquet"))
    target = source.with_name(source.name.replace("validation", "dev"))
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(source).to_pylist()
    lettered = next(row for row in rows if row["question_type"] == "multiple-choice")
    shown = [{**lettered, "id": f"dev_Art_{k}", "question": f"Example {k}"} for k in range(2)]
    pq.write_table(pa.Table.from_pylist(shown, pq.read_schema(source)), target)
    return folder


def test_mmmu_shows_examples_of_its_dev_split_and_refuses_open_questions(tmp_path: Path) -> None:
    task = build("mmmu-val", few(tmp_path), options={"shots": "2"})
    for sample in task.samples():
        if not sample.record.options:
            with pytest.raises(SampleError, match="has no options, and the examples do"):
                task.request(sample)
            continue
        request = asked(task, sample)
        assert [one.role for one in request.messages] == ["user", "assistant", "user", "assistant", "user"]
        texts = ["".join(p.text for p in one.parts if isinstance(p, Text)) for one in request.messages]
        assert {text[:9] for text in texts[:4:2]} == {"Example 0", "Example 1"} or "Example" in texts[0]
        assert texts[1] in "ABCD"
        assert "2-shot from dev" in task.info.protocol
        break
    else:
        pytest.fail("the table has no question with options")


def test_without_shots_mmmu_is_asked_as_before(tmp_path: Path) -> None:
    folder = few(tmp_path)
    plain, none = build("mmmu-val", folder), build("mmmu-val", folder, options={"shots": "0"})
    assert plain.fingerprint() == none.fingerprint()
    for one, other in zip(plain.samples(), none.samples(), strict=True):
        assert asked(plain, one) == asked(none, other)


def test_mmmus_chain_of_thought_is_read_behind_its_last_line(tmp_path: Path) -> None:
    task = build("mmmu-val", mmmu(tmp_path), protocol="chain-of-thought", rules="answer-line")
    sample = next(one for one in task.samples() if one.record.options)
    assert wording(asked(task, sample)).endswith("Think step by step before answering.")
    right = sample.record.answers[0]
    wrong = next(letter for letter in sample.record.options if letter != right)
    said = f"First {wrong} seems right. It is not.\nAnswer: {right}"
    assert values(task, answer(sample, said))[0]["accuracy"] == 1


HINT = (
    "Hint: Please answer the question requiring a floating-point number with one decimal place and provide "
    "the final value, e.g., 1.2, 1.3, 1.4, at the end."
)


def mathvista(folder: Path, **changes: Any) -> Task:
    row = {
        "pid": "1", "choices": None, "precision": 1.0, "answer": "1.2", "question_type": "free_form",
        "answer_type": "float", "decoded_image": cell(0),
        "query": f"{HINT}\nQuestion: How far? (Unit: m)",
        "metadata": {"language": "english", "source": "x", "category": "x", "task": "x", "context": "x",
                     "grade": "x", "skills": ["x"]},
    }  # fmt: skip
    protocol = changes.pop("protocol")
    by_datasets(folder / "data" / "testmini-0.parquet", [{**row, **changes}], ("decoded_image",))
    return build("mathvista-testmini", folder, protocol=protocol)


def test_mathvistas_two_shots_are_solutions_before_the_query(tmp_path: Path) -> None:
    task = mathvista(tmp_path, protocol="2-shot")
    (sample,) = task.samples()
    text = wording(asked(task, sample))
    assert text.startswith("<image>Question: How much money does Ruth need")
    assert text.count("Solution: ") == 3
    assert text.endswith("How far? (Unit: m)\nSolution: ")


def test_mathvistas_reason_first_puts_its_own_hint_in_front(tmp_path: Path) -> None:
    task = mathvista(tmp_path, protocol="reason-first")
    (sample,) = task.samples()
    text = wording(asked(task, sample))
    assert text.startswith(
        "<image>First perform reasoning, then finally answer the question requiring a floating"
    )
    assert text.endswith("in the following format: Answer: xxx.\nQuestion: How far? (Unit: m)")
    assert "Hint:" not in text


def test_scienceqa_takes_examples_of_its_train_split(tmp_path: Path) -> None:
    folder = scienceqa(tmp_path)
    task = build("scienceqa-img", folder, options={"shots": "1"})
    assert "1-shot from train" in task.info.protocol
