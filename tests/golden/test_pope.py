"""POPE: answers read under three rules, aggregates, degenerate sets, and real models' answers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.pope import PopeReport, pope_report, yes_or_no
from tests.golden.published import agrees, expected_of
from tests.goldens import case_files, find_support, read_json, read_lines, read_text

Compared = Callable[[str, int], None]
EVERY_FILE = pytest.mark.parametrize("path", case_files("*pope_cases*.json*"), ids=lambda path: path.name)
COLUMNS = {"official": 2, "lmms-eval": 3, "vlmevalkit": 4}
MEANING = {1: True, 0: False, "yes": True, "no": False, None: None}
PRINTED = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1 score"}
DEGENERATE = {
    "all_no": ([True, False], [False, False]),
    "all_yes": ([True, False], [True, True]),
    "no_positive_label": ([False, False], [True, False]),
}
"""Labels and answers of the sets that the case file names."""


def _table(printed: str) -> tuple[list[int], dict[str, str]]:
    """The counts and the named values of what the official script prints for one set."""
    counts = re.search(r"^(\d+)\t(\d+)\t(\d+)\t(\d+)", printed, re.MULTILINE)
    assert counts is not None, printed
    return [int(count) for count in counts.groups()], dict(re.findall(r"([A-Z][\w ]+): ([\d.]+)", printed))


def _equals_printed(report: PopeReport, printed: str) -> None:
    counts, values = _table(printed)
    assert counts == [
        report.true_positive, report.false_positive, report.true_negative, report.false_negative,
    ]  # fmt: skip
    for name, label in [*PRINTED.items(), ("yes_ratio", "Yes ratio")]:
        if label in values:
            assert str(getattr(report, name)) == values[label], label


@pytest.mark.parametrize("rule", COLUMNS)
@EVERY_FILE
def test_answers_are_read_as_the_named_code_reads_them(path: Path, rule: str, compared: Compared) -> None:
    rows = read_json(path)["rows"]
    for row in rows:
        assert yes_or_no(row[0], rule) is MEANING[row[COLUMNS[rule]]], row
    compared(f"POPE answers, {rule}", len(rows))


@EVERY_FILE
def test_aggregates_are_equal(path: Path, compared: Compared) -> None:
    oracle = read_json(path)
    rows, aggregate = oracle["rows"], oracle.get("aggregate")
    if not aggregate or sum(_table(aggregate["official_stdout"])[0]) != len(rows):
        pytest.skip(f"{path.name} has no aggregate over its rows")
    labels = [row[1] == "yes" for row in rows]
    _equals_printed(pope_report(labels, [yes_or_no(row[0]) for row in rows]), aggregate["official_stdout"])
    ours = pope_report(labels, [yes_or_no(row[0], "lmms-eval") for row in rows], "lmms-eval")
    expected = dict(aggregate["lmms"])
    ratio = next(value for name, value in expected.items() if name.startswith("yes_ratio"))
    assert ours.yes_ratio == ratio
    assert {name: getattr(ours, name) for name in PRINTED} == {name: expected[name] for name in PRINTED}
    compared("POPE aggregates, answers", len(rows))


@EVERY_FILE
def test_degenerate_sets_have_no_value_where_the_official_script_stops(
    path: Path, compared: Compared
) -> None:
    sets = read_json(path).get("degenerate", {})
    for name, printed in sets.items():
        report = pope_report(*DEGENERATE[name])
        _equals_printed(report, printed)
        if "F1 score" not in printed:  # it divided by zero
            assert math.isnan(report.f1), name
    compared("POPE degenerate sets", len(sets))


def _sections(log: Path) -> Iterator[tuple[str, int, str]]:
    """(category, number of answers, printed table) of LLaVA's `eval_pope.py` log, in its order."""
    for part in re.split(r"^=+\n", read_text(log), flags=re.MULTILINE):
        found = re.search(r"Category: (\w+), # samples: (\d+)", part)
        if found and int(found[2]):
            yield found[1], int(found[2]), part


def _labels(category: str, count: int) -> list[bool] | None:
    """The labels of a split. LLaVA asked the older `random` file of 2,910 questions, in another order than
    the official one; answers to a part of a split are the first ones."""
    names = case_files(f"pope/*{category}*.json*")
    older = [path for path in names if "official" not in path.name and "answers" not in path.name]
    official = find_support("pope", f"official_coco_pope_{category}.json")
    labels = [[row["label"] == "yes" for row in read_lines(path)] for path in older]
    if official is not None:
        whole = [row["label"] == "yes" for row in read_lines(official)]
        labels += [whole] if len(whole) == count else []
    return next((found[:count] for found in labels if len(found) >= count), None)


BLOCK, ORDER = 10_000_000, ("adversarial", "random", "popular")
"""In LLaVA's question file every split has a block of ids."""


def _by_category(answers: list[dict[str, Any]]) -> dict[str, list[bool | None]]:
    found: dict[str, list[bool | None]] = {}
    for answer in answers:
        category = answer.get("category") or ORDER[int(answer["question_id"]) // BLOCK]
        found.setdefault(category, []).append(yes_or_no(answer.get("text", answer.get("answer", ""))))
    return found


@pytest.mark.parametrize(
    "path", case_files("pope/answers*.jsonl*", "*pope*answers*.jsonl*"), ids=lambda path: path.name
)
def test_real_answers_give_the_logged_and_the_published_tables(path: Path, compared: Compared) -> None:
    picks = _by_category(read_lines(path))
    count = 0
    size = re.search(r"\d+b", path.name)
    logs = [log for log in case_files("pope/*.txt*") if size and size[0] in log.name]
    for log in logs:
        for category, number, printed in _sections(log):
            labels = _labels(category, number)
            if labels is None:  # the questions of that split are not here
                continue
            assert len(picks[category]) == number
            _equals_printed(pope_report(labels, picks[category]), printed)
            count += number
    for category, values in expected_of("pope", path).items():
        labels = _labels(category, len(picks.get(category, [])))
        if labels is None or len(labels) not in (2910, 3000):  # not the whole split
            continue
        report = pope_report(labels, picks[category])
        for name, value in values.items():
            assert agrees(getattr(report, name.lower()), value), (category, name)
        count += 0 if logs else len(labels)
    compared("POPE real answers", count)
