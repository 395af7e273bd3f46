"""Judged tables against the official scripts: MM-Vet's real grade files, VIEScore, GEdit-Bench, ImgEdit."""

from __future__ import annotations

import csv
from ast import literal_eval

import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.judge import (
    EditGrade,
    capability_table,
    edit_table,
    imgedit_grade,
    imgedit_types,
    parse_grade,
    parse_viescore,
    viescore,
    viescore_statistics,
)
from tests.goldens import golden_dir, load_json


def _editing(name: str):
    return load_json("oracles", "editing_cases.json.gz")[name]


@pytest.mark.parametrize("judge", ["gpt-4-0613-{}-1runs", "gpt-4-{}-1runs", "gpt-4-{}-3runs"])
def test_mmvet_tables_equal_the_official_ones_to_the_printed_digit(judge):
    folder, model = golden_dir("mmvet"), "llava-v1.5-7b"
    questions = load_json("mmvet", "mm-vet.json.gz")
    grades = load_json("mmvet", f"{model}_{judge.format('grade')}.json.gz")
    table = capability_table(grades, {key: value["capability"] for key, value in questions.items()})

    def official(kind: str) -> dict[str, str]:
        with (folder / f"{model}_{judge.format(kind)}.csv").open() as stream:
            return next(row for row in csv.DictReader(stream) if row[""] == model)

    scores = official("cap-score")
    for name, value in table.capabilities.items():
        assert value == float(scores[name])
    assert (table.total, table.deviation) == (float(scores["total"]), float(scores["std"]))
    assert list(table.runs) == literal_eval(scores["runs"])
    for names, text in official("cap-int-score").items():
        if names not in ("", "total", "std", "runs"):
            assert table.integrations[frozenset(names.split("_"))] == float(text), names


def test_grades_must_be_as_many_and_known():
    with pytest.raises(SampleError, match="equally many"):
        capability_table({"a": [1.0], "b": [1.0, 0.5]}, {"a": ["ocr"], "b": ["rec"]})
    with pytest.raises(SampleError, match="'c'"):
        capability_table({"c": [1.0]}, {"a": ["ocr"]})


@pytest.mark.parametrize(
    ("answer", "grade"),
    [("0.5", 0.5), ("1.0 so", 1.0), ("\n0.3", 0.3), ("1.5", None), ("nan", None), ("0,5", None), ("", None)],
)
def test_a_grade_is_the_first_word(answer, grade):
    assert parse_grade(answer) == grade


def test_viescore_answers_parse_as_officially():
    for answer, expected, _ in _editing("viescore_parse")["rows"]:
        assert parse_viescore(answer) == (expected if isinstance(expected, dict) else None), answer


def test_viescore_takes_the_least_and_the_root_of_the_product():
    assert viescore([8, 4], [9, 9]) == (4, 9, 6)
    with pytest.raises(SampleError):
        viescore([None], [1])
    statistics = viescore_statistics([(4, 9), (0, 9)])
    assert statistics.mean == pytest.approx((0.2, 0.9, 0.3))
    assert statistics.deviation == pytest.approx((0.2, 0, 0.3))


def test_gedit_tables_equal_the_printed_ones():
    statistics = _editing("gedit_statistics")
    lines = statistics["stdout_en"].splitlines()
    half = lines.index("Intersection:")
    rows = [
        EditGrade(task, row[3], row[4], row[5])
        for task, table in statistics["tables"].items()
        for row in table
        if row[6] == "en"
    ]
    for intersection, printed in ((False, lines[:half]), (True, lines[half:])):
        table = edit_table(rows, intersection=intersection)
        for task, means in table.tasks.items():
            assert f"{task}: " + ", ".join(f"{mean:.3f}" for mean in means) in printed
        assert any(line.endswith(", ".join(f"{mean:.3f}" for mean in table.average)) for line in printed)


def test_imgedit_grades_and_types_agree():
    cases = _editing("imgedit")
    for item, answer in cases["judge_outputs"].items():
        expected = cases["per_item"][item]
        if isinstance(expected, str):
            with pytest.raises(SampleError, match="no number"):
                imgedit_grade(answer)
        else:
            assert imgedit_grade(answer) == expected, answer
    types = {item: meta["edit_type"] for item, meta in cases["meta"].items()}
    assert imgedit_types(cases["averages"], types) == cases["type_scores"]
