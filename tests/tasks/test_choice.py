"""MMBench: one sample per question, its rotations asked in turn, scored as the official tool scores."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import evalsuite_tasks
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.content import Text
from evalsuite.data.images import decode
from evalsuite.errors import DataError, SampleError
from evalsuite.request import ChoiceResponse, Request, Response, ScoreChoices, TextResponse
from evalsuite.task import Answered, Sample, Task
from evalsuite.task.entry import TaskOptions
from tests.data.image_files import encoded
from tests.goldens import load_json

Q1, Q2, HINT = "what is it?", "is it red?", "look closely"
ENTRIES = {entry.name: entry for entry in evalsuite_tasks.tasks()}
HEADER = [
    "index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image", "source", "l2-category",
    "split",
]  # fmt: skip


def build(name: str, **options: Any) -> Task:
    return ENTRIES[name].build(TaskOptions(**options))


def packed(seed: int = 0) -> str:
    return base64.b64encode(encoded(seed=seed)).decode()


def rows(**changes: dict[str, str]) -> list[list[str]]:
    """Two questions: one with a hint and three options, one with two; `r1000001={"A": …}` changes a row."""
    made = {
        "1": ["1", Q1, HINT, "cat", "dog", "bird", "", "B", "l3a", packed(1), "s", "l2a", "dev"],
        "1000001": ["1000001", Q1, HINT, "dog", "bird", "cat", "", "A", "l3a", "1", "s", "l2a", "dev"],
        "2000001": ["2000001", Q1, HINT, "bird", "cat", "dog", "", "C", "l3a", "1", "s", "l2a", "dev"],
        "2": ["2", Q2, "", "yes", "no", "", "", "A", "l3b", packed(2), "s", "l2b", "dev"],
        "1000002": ["1000002", Q2, "", "no", "yes", "", "", "B", "l3b", packed(2), "s", "l2b", "dev"],
    }  # fmt: skip
    for name, change in changes.items():
        for column, value in change.items():
            made[name[1:]][HEADER.index(column)] = value
    return list(made.values())


def written(folder: Path, table: list[list[str]]) -> Path:
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows([HEADER, *table])
    (folder / "MMBench_DEV_EN.tsv").write_text(out.getvalue(), encoding="utf-8")
    return folder


def mirrored(folder: Path, table: list[list[str]]) -> Path:
    """The same rows in the hub's columns: int64 indices, null for empty, every row with its own image."""
    columns = {name: [row[i] for row in table] for i, name in enumerate(HEADER)}
    pictures = {row[0]: row[HEADER.index("image")] for row in table}
    data: dict[str, Any] = {name: [cell or None for cell in cells] for name, cells in columns.items()}
    data["index"] = [int(cell) for cell in columns["index"]]
    data["L2-category"] = data.pop("l2-category")
    data["image"] = [
        {"bytes": base64.b64decode(pictures.get(cell, cell)), "path": None} for cell in columns["image"]
    ]
    (folder / "en").mkdir(parents=True)
    pq.write_table(pa.table(data), folder / "en" / "dev-00000-of-00001.parquet")
    return folder


def asked(task: Task, sample: Sample, answer: Callable[[Request], Response]) -> Answered:
    """A whole conversation with the task, as the engine leads it."""
    responses: list[Response] = []
    while (request := task.request(sample, tuple(responses))) is not None:
        responses.append(answer(request))
    return Answered(sample, tuple(responses))


def texts(*answers: str) -> Callable[[Request], Response]:
    left = iter(answers)
    return lambda request: TextResponse(next(left))


def test_a_question_is_one_sample_and_its_rotations_are_asked_in_turn(tmp_path: Path) -> None:
    task = build("mmbench-dev-en", data=written(tmp_path, rows()))
    first, second = task.samples()
    assert (first.id, second.id) == ("1", "2")
    assert first.labels == {"L2": "l2a", "L3": "l3a", "split": "dev"}
    assert task.target(first) == ["B", "A", "C"]
    prompts: list[str] = []

    def answer(request: Request) -> Response:
        assert request.images[0].data == encoded(seed=1)
        prompts.append(request.messages[-1].text)
        return TextResponse("B")

    assert len(asked(task, first, answer).responses) == 3
    assert prompts[0] == (
        "Hint: look closely\nQuestion: what is it?\nOptions:\nA. cat\nB. dog\nC. bird\n"
        "Please select the correct answer from the options above. \n"
    )
    assert "A. dog\nB. bird\nC. cat\n" in prompts[1]
    request = task.request(second)
    assert request is not None
    assert "Hint" not in request.messages[-1].text


def test_rows_in_any_order_make_the_same_questions(tmp_path: Path) -> None:
    one, other = (
        list(build("mmbench-dev-en", data=written(tmp_path, table)).samples())
        for table in (rows(), [*rows()[3:], *rows()[:3]])
    )
    assert {sample.id: sample.record for sample in one} == {sample.id: sample.record for sample in other}


def test_tsv_and_hub_columns_ask_the_same(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    one = build("mmbench-dev-en", data=written(tmp_path / "a", rows()))
    other = build("mmbench-dev-en", data=mirrored(tmp_path / "b", rows()))
    for ours, theirs in zip(one.samples(), other.samples(), strict=True):
        assert (ours.id, ours.labels) == (theirs.id, theirs.labels)
        assert ours.record.rotations == theirs.record.rotations
        assert ours.record.image.data == theirs.record.image.data
        assert one.request(ours).messages[-1].text == other.request(theirs).messages[-1].text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("answers", "circular", "vanilla", "parsed"),
    [
        (("B", "A", "C"), 1.0, 1.0, "B A C"),
        (("dog", "It is A.", "(C)"), 1.0, 1.0, "B A C"),
        (("B", "B", "B"), 0.0, 1.0, "B B B"),
        (("A", "A", "C"), 0.0, 0.0, "A A C"),
        (("B", "no idea", "C"), 0.0, 1.0, "B ? C"),
        (("", "", ""), 0.0, 0.0, "? ? ?"),
    ],
)
def test_circular_wants_every_rotation_and_vanilla_the_first(
    tmp_path: Path, answers: tuple[str, ...], circular: float, vanilla: float, parsed: str
) -> None:
    task = build("mmbench-dev-en", data=written(tmp_path, rows()))
    (row,) = task.score([asked(task, next(task.samples()), texts(*answers))]).rows
    assert row.values == {"circular": circular, "vanilla": vanilla}
    assert row.parsed == parsed


def test_the_official_table_of_300_questions_comes_out_equal(tmp_path: Path) -> None:
    case = load_json("oracles", "mmbench_cases.json.gz")["circular"]
    table = [
        [str(row.get(name, "") if row.get(name, "") is not None else "") for name in HEADER]
        for row in case["table"]
    ]
    for row, source in zip(table, case["table"], strict=True):
        index = source["index"] % 1_000_000
        row[HEADER.index("image")] = packed() if source["index"] == index else str(index)
    predictions = {row["index"]: row["prediction"] for row in case["table"]}
    task = build("mmbench-dev-en", data=written(tmp_path, table))
    samples = list(task.samples())
    assert len(samples) == 300
    answered = []
    for sample in samples:
        turns = range(len(task.target(sample)))
        answered.append(
            asked(task, sample, texts(*(predictions[int(sample.id) + k * 1_000_000] for k in turns)))
        )
    scores = task.score(answered)
    assert {row.id: row.values["circular"] for row in scores.rows} == {
        k: float(v) for k, v in case["hit"].items()
    }
    for name, expected in case["report_acc"].items():
        of_split = [row.values["circular"] for row in scores.rows if row.labels["split"] == name]
        assert sum(of_split) / len(of_split) == pytest.approx(expected["Overall"], abs=1e-12)


def test_break_downs_are_by_ability(tmp_path: Path) -> None:
    task = build("mmbench-dev-en", data=written(tmp_path, rows()))
    first, second = task.samples()
    scores = task.score([asked(task, first, texts("B", "A", "C")), asked(task, second, texts("no", "no"))])
    groups = {(s.metric.name, s.group): list(s.rows) for s in scores.statistics}
    assert groups["circular", ""] == [0, 1]
    assert groups["circular", "L2=l2a"] == groups["circular", "L3=l3a"] == [0]
    assert groups["vanilla", "L2=l2b"] == [1]


def test_hidden_answers_are_a_failure_not_a_zero(tmp_path: Path) -> None:
    hidden = {f"r{k}00000{n}".replace("r000000", "r"): {"answer": ""} for n, k in ((2, 0), (2, 1))}
    task = build("mmbench-dev-en", data=written(tmp_path, rows(**hidden)))
    _, sample = task.samples()
    (row,) = task.score([asked(task, sample, texts("A", "B"))]).rows
    assert row.failure == "the right answers of this split are not public"


def test_dreamllm_asks_once_with_lettered_options(tmp_path: Path) -> None:
    task = build("mmbench-dev-en", data=written(tmp_path, rows()), protocol="dreamllm")
    _, sample = task.samples()
    request = task.request(sample)
    assert request is not None
    assert [part.text for part in request.messages[0].parts if isinstance(part, Text)] == [
        "This is an exam, please answer according to the image, hint and question.",
        "Question:is it red?Options: A. yes B. no Please provide an accurate and detailed answer.",
    ]
    (row,) = task.score([asked(task, sample, texts("A", "B"))]).rows
    assert row.values == {"circular": 1.0, "vanilla": 1.0}


def test_dreamllms_script_shows_the_options_only_to_a_model_that_says_no(tmp_path: Path) -> None:
    task = build("mmbench-dev-en", data=written(tmp_path, rows()), protocol="dreamllm-upstream-quirks")
    _, sample = task.samples()
    prompts: list[Request] = []

    def answer(request: Request) -> Response:
        prompts.append(request)
        return TextResponse({0: "No.", 1: "A", 2: "yes it can", 3: "B"}[len(prompts) - 1])

    answered = asked(task, sample, answer)
    system = "This is an exam, please answer according to the image, hint and question."
    wanted = "Please provide an accurate and detailed answer."
    first, second, third, fourth = (
        [p.text for p in r.messages[0].parts if isinstance(p, Text)] for r in prompts
    )
    assert first == ["Hint:nanQuestion:is it red?Is the answer can be known?"] == third
    assert second == [system, f"Hint:nanQuestion:is it red?Options: (0). yes (0). no {wanted}"]
    assert fourth == [system, f"Hint:nanQuestion:is it red?{wanted}"]
    (row,) = task.score([answered]).rows
    assert row.values == {"circular": 1.0, "vanilla": 1.0}


def test_likelihood_picks_the_likeliest_letter() -> None:
    task = build("mini-mmbench-likelihood")
    sample = next(task.samples())
    right = iter(task.target(sample))

    def answer(request: Request) -> Response:
        assert isinstance(request.output, ScoreChoices)
        letter = next(right).lower()
        return ChoiceResponse(tuple(0.0 if choice == letter else -1.0 for choice in request.output.choices))

    (row,) = task.score([asked(task, sample, answer)]).rows
    assert row.values == {"circular": 1.0, "vanilla": 1.0}


def test_the_miniature_asks_in_one_line_of_its_own_words() -> None:
    from evalsuite.mini.language import VOCABULARY, words

    task = build("mini-mmbench")
    samples = list(task.samples())
    assert len(samples) == 120
    known = set(VOCABULARY)
    for sample in samples:
        for turn in range(len(task.target(sample))):
            request = task.request(sample, (TextResponse("a"),) * turn)
            assert request is not None
            _, text = request.messages[0].parts
            assert isinstance(text, Text)
            assert text.text.endswith(" answer with the letter")
            assert "\n" not in text.text
            assert set(words(text.text)) <= known
    assert decode(samples[0].record.image).size == (64, 64)
    lower = [
        asked(task, sample, texts(*(letter.lower() for letter in task.target(sample)))) for sample in samples
    ]
    assert all(row.values["circular"] == 1.0 for row in task.score(lower).rows)


def test_a_damaged_image_fails_its_question_alone(tmp_path: Path) -> None:
    task = build("mmbench-dev-en", data=written(tmp_path, rows(r2={"image": packed(2)[:101]})))
    first, second = task.samples()
    assert task.request(first) is not None
    with pytest.raises(SampleError, match=r"Question 2 cannot be asked: .*index 2 \(line 5\): .*base64"):
        task.request(second)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"r1000001": {"question": "who?"}},
            "line 3|index 1000001 is a rotated copy, but its question is another",
        ),
        ({"r1": {"answer": "D"}}, "index 1: the answer 'D' is none of the options A, B, C"),
        ({"r2": {"B": ""}}, "index 2 has 1 options"),
        (
            {"r1": {"index": "one"}, "r1000001": {"image": "one"}, "r2000001": {"image": "one"}},
            "'one', not a number",
        ),
        (
            {"r1": {"index": "5"}, "r1000001": {"image": "5"}, "r2000001": {"image": "5"}},
            "original row is missing",
        ),
        ({"r1000002": {"image": packed(9)}}, "index 1000002 is a rotated copy, but its image is another"),
    ],
)
def test_malformed_tables_are_refused(
    tmp_path: Path, changes: dict[str, dict[str, str]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        list(build("mmbench-dev-en", data=written(tmp_path, rows(**changes))).samples())


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "MMBench_DEV_EN.tsv"
    written(tmp_path, rows())
    path.write_text(path.read_text().replace("\tanswer\t", "\tanser\t", 1))
    with pytest.raises(DataError, match="no column 'answer'"):
        list(build("mmbench-dev-en", data=tmp_path).samples())
