"""Every source of a language benchmark asks the same, request by request; where the harness' own digests
over all
requests are known, these are the ones."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from evalsuite_tasks.language.family import LanguageTask

from evalsuite.errors import SampleError
from evalsuite.task import Task
from tests.goldens import golden_dir, read_json, read_lines, read_text
from tests.tasks.asking import build, write_table
from tests.tasks.test_language import requests

CONFIG = {
    "piqa": "data",
    "siqa": "data",
    "hellaswag": "data",
    "winogrande": "winogrande_xl",
    "boolq": "boolq",
}
OFFICIAL = {
    "piqa": {"piqa_valid.jsonl": "valid.jsonl", "piqa_valid-labels.lst": "valid-labels.lst"},
    "winogrande": {"winogrande_dev.jsonl": "dev.jsonl"},
    "boolq": {"boolq_dev.jsonl": "dev.jsonl"},
}


def official(name: str, root: Path) -> Path:
    folder = golden_dir("language", *(f"{source}.gz" for source in OFFICIAL[name]))
    root.mkdir()
    for source, target in OFFICIAL[name].items():
        shutil.copy(folder / f"{source}.gz", root / f"{target}.gz")
    return root


def hub(name: str, root: Path) -> Path:
    """The columns that the hub's data set has, made of the official file."""
    folder = golden_dir("language", *(f"{source}.gz" for source in OFFICIAL[name]))
    first, *others = (folder / f"{source}.gz" for source in OFFICIAL[name])
    rows = read_lines(first)
    if others:
        rows = [
            {**row, "label": int(label)}
            for row, label in zip(rows, read_text(others[0]).split(), strict=True)
        ]
    if name == "boolq":
        rows = [
            {
                "question": row["question"],
                "passage": f"{row['title']} -- {row['passage']}",
                "idx": place,
                "label": int(row["answer"]),
            }
            for place, row in enumerate(rows)
        ]
    write_table(root / CONFIG[name] / "validation-00000-of-00001.parquet", rows)
    return root


def pairs(task: Task) -> list[list[list[str]]]:
    """Per document, what lm-evaluation-harness asks: context and continuation."""
    assert isinstance(task, LanguageTask)
    found = []
    for sample in task.samples():
        contexts, ends = task.contexts(sample.record), task.continuations(sample.record)
        found.append([[context, end] for context in contexts for end in ends])
    return found


def digest(name: str, documents: list[list[list[str]]]) -> str:
    order = list(range(len(documents)))
    random.Random(42).shuffle(order)
    asked = [pair for at in order for pair in (reversed(documents[at]) if name == "boolq" else documents[at])]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("source", [official, hub])
@pytest.mark.parametrize("name", OFFICIAL)
def test_all_requests_are_the_harness_own(name: str, source: Any, tmp_path: Path) -> None:
    known = read_json(golden_dir("language") / "lmeval_request_hashes.json")["sha256"]
    task = build(name, source(name, tmp_path / name), protocol="lm-eval")
    assert digest(name, pairs(task)) == known[name]


@pytest.mark.parametrize("protocol", ["lm-eval", "dreamllm"])
@pytest.mark.parametrize("name", OFFICIAL)
def test_every_source_asks_the_same_in_every_protocol(name: str, protocol: str, tmp_path: Path) -> None:
    ours, theirs = (
        pairs(build(name, make(name, tmp_path / make.__name__), protocol=protocol))
        for make in (official, hub)
    )
    assert ours == theirs


ODD: Mapping[str, list[dict[str, Any]]] = {
    "siqa": [
        {"context": "Ann ran. ", "question": " Why?", "answerA": "to win ",
         "answerB": "b", "answerC": "", "label": "1"},
        {"context": "é", "question": "Wie?", "answerA": "1", "answerB": "2", "answerC": "3", "label": "3"},
    ],
    "hellaswag": [
        {
            "activity_label": "Home  and Garden", "ctx_a": "[header] How [title] Wash. ", "ctx_b": "",
            "label": 3,
            "endings": [" a [step] b", "c..", "d ", "e"],
        },
        {
            "activity_label": "Roof", "ctx_a": "A man sits.", "ctx_b": "he", "label": 0,
            "endings": ["is up.", "b", "c", "d"],
        },
    ],
}  # fmt: skip


@pytest.mark.parametrize("protocol", ["lm-eval", "dreamllm"])
@pytest.mark.parametrize("name", ODD)
def test_sources_without_golden_files_ask_the_same_of_odd_rows(
    name: str, protocol: str, tmp_path: Path
) -> None:
    rows = ODD[name]
    own, columns = tmp_path / "own", tmp_path / "hub"
    own.mkdir()
    if name == "siqa":
        bare = [{key: value for key, value in row.items() if key != "label"} for row in rows]
        (own / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in bare))
        (own / "dev-labels.lst").write_text("".join(f"{row['label']}\n" for row in rows))
    else:
        (own / "hellaswag_val.jsonl").write_text(
            "".join(json.dumps({**row, "ind": 1}) + "\n" for row in rows)
        )
    write_table(
        columns / "data" / "validation-00000-of-00001.parquet",
        [{**row, "label": str(row["label"])} for row in rows],
    )
    one, other = build(name, own, protocol=protocol), build(name, columns, protocol=protocol)
    asked = [[r.fingerprint() for s in task.samples() for r in requests(task, s)] for task in (one, other)]
    assert asked[0] == asked[1]
    assert [one.target(s) for s in one.samples()] == [other.target(s) for s in other.samples()]


@pytest.mark.parametrize("protocol", ["lm-eval", "lm-eval-zero-shot", "dreamllm"])
def test_mmlus_csv_and_columns_ask_the_same_of_odd_cells(protocol: str, tmp_path: Path) -> None:
    def items(count: int) -> Iterator[tuple[str, list[str], int]]:
        yield ' He said "no", then\nleft. ', ["1,5", " two", "", "None"], 3
        for n in range(count - 1):
            yield f"Q{n}", ["a", "b ", "nan", "0.50"], n % 4

    for role, count in (("dev", 5), ("test", 3)):
        rows = [*items(count)]
        path = tmp_path / "csv" / role / f"abstract_algebra_{role}.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([q, *c, "ABCD"[right]] for q, c, right in rows)
        write_table(
            tmp_path / "hub" / "all" / f"{role}-00000-of-00001.parquet",
            [{"question": q, "subject": "abstract_algebra", "choices": c, "answer": a} for q, c, a in rows],
        )
    one, other = (build("mmlu", tmp_path / where, protocol=protocol) for where in ("csv", "hub"))
    asked = [[r.fingerprint() for s in task.samples() for r in requests(task, s)] for task in (one, other)]
    assert asked[0] == asked[1]
    assert len(asked[0]) == 3


def test_boolq_without_titles_is_refused_where_the_protocol_shows_them(tmp_path: Path) -> None:
    row = {"question": "is it so", "passage": "It -- is.", "answer": True}
    (tmp_path / "dev.jsonl").write_text(json.dumps(row) + "\n")
    task = build("boolq", tmp_path, protocol="lm-eval")
    with pytest.raises(SampleError, match="has no titled passage, which protocol 'lm-eval' of boolq shows"):
        task.request(next(task.samples()))
    (sample,) = build("boolq", tmp_path, protocol="dreamllm").samples()
    assert sample.record.fields["passage"] == "It -- is."
