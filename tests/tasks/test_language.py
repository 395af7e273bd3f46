"""Language benchmarks: prompts, continuations and scores are lm-evaluation-harness's."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from evalsuite_tasks.language.subjects import CATEGORIES

from evalsuite.errors import DataError, SpecError
from evalsuite.request import ChoiceResponse, Request, ScoreChoices
from evalsuite.task import Answered, Sample, Task, TaskEntry
from tests.goldens import golden_dir
from tests.tasks.asking import asked, build, wording, write_table

MMLU_DEV = [
    {"question": f"Q{n}?", "subject": "us_foreign_policy", "choices": ["w", "x", "y", "z"], "answer": n % 4}
    for n in range(5)
]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def written(name: str, docs: list[dict[str, Any]], root: Path) -> Path:
    """The documents in the benchmark's official file."""
    if name in ("piqa", "siqa"):
        (root / "dev-labels.lst").write_text("\n".join(str(doc["label"]) for doc in docs) + "\n")
        docs = [{key: value for key, value in doc.items() if key != "label"} for doc in docs]
    if name == "mmlu":
        write_table(
            root / "all" / "test-00000-of-00001.parquet",
            [doc | {"subject": "us_foreign_policy"} for doc in docs],
        )
        write_table(root / "all" / "dev-00000-of-00001.parquet", MMLU_DEV)
    else:
        lines(root / ("hellaswag_val.jsonl" if name == "hellaswag" else "dev.jsonl"), docs)
    return root


def requests(task: Task, sample: Sample) -> list[Request]:
    made: list[Request] = []
    replies: tuple[ChoiceResponse, ...] = ()
    while (request := task.request(sample, replies)) is not None:
        made.append(request)
        replies += (ChoiceResponse((0.0,)),)
    return made


def choices(request: Request) -> tuple[str, ...]:
    assert isinstance(request.output, ScoreChoices)
    return request.output.choices


@pytest.mark.parametrize(
    ("name", "doc", "prompt", "expected"),
    [
        (
            "piqa",
            {"goal": "How?", "sol1": "so", "sol2": "thus", "label": 0},
            ["Question: How?\nAnswer:"],
            ("so", "thus"),
        ),
        (
            "siqa",
            {
                "context": "A ran.",
                "question": "Why?",
                "answerA": "a",
                "answerB": "b",
                "answerC": "c",
                "label": 1,
            },
            [
                "Read the context. Choose A, B or C to answer the question.\n\n"
                "Context: A ran.\nQuestion: Why?\nAnswer:"
            ],
            ("a", "b", "c"),
        ),
        (
            "hellaswag",
            {
                "activity_label": "Tea",
                "ctx_a": "A man [title] pours..",
                "ctx_b": "the TEA",
                "label": 0,
                "endings": ["is [step] hot.. ", "b", "c", "d"],
            },
            ["Tea: A man. pours. The tea"],
            ("is hot.", "b", "c", "d"),
        ),
        (
            "winogrande",
            {
                "sentence": "Sarah beat Maria so _ won. ",
                "option1": "Sarah",
                "option2": "Maria",
                "answer": "1",
            },
            ["Sarah beat Maria so Sarah ", "Sarah beat Maria so Maria "],
            (" won.",),
        ),
        (
            "boolq",
            {"question": "is it so", "passage": "It is.", "answer": True},
            ["Choose yes or no to answer the question.\n\nIt is.\n\nIs it so?\nAnswer: "],
            ("No", "Yes"),
        ),
    ],
)
def test_dreamllms_wording_is_that_of_its_scripts(
    name: str, doc: dict[str, Any], prompt: list[str], expected: tuple[str, ...], tmp_path: Path
) -> None:
    task = build(name, written(name, [doc], tmp_path), protocol="dreamllm")
    made = requests(task, next(task.samples()))
    assert [wording(request) for request in made] == prompt
    assert choices(made[0]) == expected


def mmlu_csv(root: Path) -> Path:
    for role, rows in (
        ("dev", MMLU_DEV),
        ("test", [{"question": ' Is "x", y? ', "choices": list("abcd"), "answer": 2}]),
    ):
        path = root / role / f"us_foreign_policy_{role}.csv"
        path.parent.mkdir(parents=True)
        quoted = [[str(row["question"]), *row["choices"], "ABCD"[row["answer"]]] for row in rows]  # type: ignore[index,misc]
        path.write_text(
            "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in quoted)
        )
    return root


def test_mmlus_subjects_have_the_categories_of_its_authors() -> None:
    counts = Counter(CATEGORIES.values())
    assert counts == {"STEM": 18, "humanities": 13, "social sciences": 12, "other": 14}
    assert CATEGORIES["anatomy"] == "other"  # STEM for lm-evaluation-harness


def test_mmlu_shows_the_first_five_examples_of_its_subject_in_both_layouts(tmp_path: Path) -> None:
    task = build("mmlu", mmlu_csv(tmp_path / "csv"))
    (sample,) = task.samples()
    shown = "".join(f"Q{n}?\nA. w\nB. x\nC. y\nD. z\nAnswer: {'ABCD'[n % 4]}\n\n" for n in range(5))
    assert wording(asked(task, sample)) == (
        "The following are multiple choice questions (with answers) about us foreign policy.\n\n"
        f'{shown}Is "x", y?\nA. a\nB. b\nC. c\nD. d\nAnswer:'
    )
    assert sample.labels == {"category": "social sciences", "subject": "us_foreign_policy"}
    assert task.target(sample) == 2
    hub = build(
        "mmlu",
        written(
            "mmlu", [{"question": ' Is "x", y? ', "choices": list("abcd"), "answer": 2}], tmp_path / "hub"
        ),
    )
    assert wording(asked(hub, next(hub.samples()))) == wording(asked(task, sample))
    theirs = build("mmlu", tmp_path / "csv", protocol="dreamllm")
    text = wording(asked(theirs, next(theirs.samples())))
    assert text.startswith(
        "The following are multiple choice questions (with answers) about  us foreign policy.\n\nQ0?"
    )
    assert text.endswith(' Is "x", y? \nA. a\nB. b\nC. c\nD. d\nAnswer:')


def test_mmlu_without_enough_examples_is_refused_by_sample(tmp_path: Path) -> None:
    mmlu_csv(tmp_path)
    path = tmp_path / "dev" / "us_foreign_policy_dev.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:4]) + "\n")
    task = build("mmlu", tmp_path)
    with pytest.raises(Exception, match="4 examples of the subject 'us_foreign_policy' instead of 5"):
        task.request(next(task.samples()))


@pytest.mark.parametrize(("name", "count"), [("piqa", 1838), ("winogrande", 1267), ("boolq", 3270)])
def test_the_real_files_load_whole(name: str, count: int, tmp_path: Path) -> None:
    folder = golden_dir("language")
    names = {
        "piqa": {"piqa_valid.jsonl": "valid.jsonl", "piqa_valid-labels.lst": "valid-labels.lst"},
        "winogrande": {"winogrande_dev.jsonl": "dev.jsonl"},
        "boolq": {"boolq_dev.jsonl": "dev.jsonl"},
    }[name]
    for source, target in names.items():
        shutil.copy(folder / f"{source}.gz", tmp_path / f"{target}.gz")
    task = build(name, tmp_path)
    samples = list(task.samples())
    assert len(samples) == count
    assert {task.target(sample) for sample in samples} == {0, 1}


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("piqa", {"goal": "How?", "sol1": "so", "sol2": "thus", "label": 1}),
        (
            "siqa",
            {"context": "c", "question": "q", "answerA": "a", "answerB": "b", "answerC": "c", "label": "3"},
        ),
        (
            "hellaswag",
            {
                "activity_label": "T",
                "ctx_a": "a",
                "ctx_b": "b",
                "endings": ["1", "2", "3", "4"],
                "label": "2",
            },
        ),
        ("winogrande", {"sentence": "a _ b", "option1": "x", "option2": "y", "answer": "2"}),
        ("boolq", {"question": "q", "passage": "p", "label": 1}),
    ],
)
def test_official_files_and_hub_columns_ask_the_same(
    name: str, columns: dict[str, Any], tmp_path: Path
) -> None:
    config = {"winogrande": "winogrande_xl", "boolq": "boolq"}.get(name, "data")
    write_table(tmp_path / "hub" / config / "validation-00000-of-00001.parquet", [columns])
    (tmp_path / "own").mkdir()
    one, other = build(name, tmp_path / "hub"), build(name, written(name, [columns], tmp_path / "own"))
    (ours,), (theirs,) = one.samples(), other.samples()
    assert one.target(ours) == other.target(theirs)
    assert [r.fingerprint() for r in requests(one, ours)] == [
        r.fingerprint() for r in requests(other, theirs)
    ]


@pytest.mark.parametrize(
    ("name", "doc", "message"),
    [
        (
            "piqa",
            {"goal": "g", "sol1": "a", "sol2": "b", "label": 2},
            "the right choice is '2', none of the 2",
        ),
        (
            "winogrande",
            {"sentence": "no blank", "option1": "a", "option2": "b", "answer": "1"},
            "has no blank",
        ),
        ("hellaswag", {"endings": [1]}, "endings must be a list of strings"),
        ("boolq", {"question": "q", "answer": True}, "has no field 'passage'"),
        ("boolq", {"question": "q", "passage": "p", "answer": "yes"}, "the right choice is 'yes'"),
    ],
)
def test_malformed_rows_are_refused_with_file_and_line(
    name: str, doc: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        list(build(name, written(name, [doc], tmp_path)).samples())
    assert ", line 1" in str(caught.value)


def test_labels_and_items_must_belong_together(tmp_path: Path) -> None:
    doc = {"goal": "g", "sol1": "a", "sol2": "b", "label": 0}
    written("piqa", [doc, doc], tmp_path)
    for labels, message in (("0\n", "line 2 has no label"), ("0\n1\n1\n", "3 labels for 2 items")):
        (tmp_path / "dev-labels.lst").write_text(labels)
        with pytest.raises(DataError, match=message):
            list(build("piqa", tmp_path).samples())


def test_answers_of_another_number_or_kind_are_failures(tmp_path: Path) -> None:
    doc = {"sentence": "a _ b", "option1": "x", "option2": "y", "answer": "2"}
    task = build("winogrande", written("winogrande", [doc], tmp_path))
    (sample,) = task.samples()
    for responses, reason in (
        ((ChoiceResponse((0.0,)),), "1 of 2 prompts are answered"),
        ((ChoiceResponse((0.0, 1.0)), ChoiceResponse((1.0,))), "2 choices came with 3 log-likelihoods"),
        ((ChoiceResponse((float("nan"),)), ChoiceResponse((1.0,))), "NaN"),
    ):
        (row,) = task.score([Answered(sample, responses)]).rows
        assert reason in row.failure


def test_an_unknown_rule_of_reading_is_named(tmp_path: Path) -> None:
    from evalsuite_tasks.language import family

    from evalsuite.task.benchmark import entries

    source = Path(family.__file__).with_name("boolq.yaml")
    (tmp_path / "boolq.yaml").write_text(source.read_text().replace("form: boolq", "form: bool"))
    lines(tmp_path / "data" / "dev.jsonl", [])
    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    from evalsuite.task.entry import TaskOptions

    with pytest.raises(SpecError, match=r"there is no form 'bool'\. Did you mean boolq"):
        entry.build(TaskOptions(data=tmp_path / "data"))
