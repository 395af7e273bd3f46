"""A suite's average as a column: published rows are met, and what is incomplete has no number."""

from __future__ import annotations

import math
from pathlib import Path

import evalsuite_tasks
import pytest
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.errors import SpecError
from evalsuite.leaderboards import render, table, with_average
from evalsuite.spec import TaskSpec
from evalsuite.task import AveragePart, SuiteAverage, SuiteEntry, suite_entries
from tests.leaderboards.frames import frame, number

OPENCOMPASS = next(suite for suite in evalsuite_tasks.suites() if suite.name == "opencompass-8")
RULES = {task.name: task.rules or "official" for task in OPENCOMPASS.tasks}
ROWS = {
    "GPT-4o": (75.4, (86, 70.2, 72.9, 71.6, 57, 86.3, 82.2, 76.9)),
    "InternVL2.5-2B": (59.9, (70.9, 54.3, 43.2, 51.1, 42.3, 74.9, 80.2, 62.6)),
    "Qwen2.5-VL-3B": (64.5, (76.8, 56.3, 51.2, 61.2, 46.6, 81.4, 82.8, 60)),
    "Ovis2-2B": (65.2, (76.9, 56.7, 45.6, 64.1, 50.2, 82.7, 87.3, 58.3)),
    "Ristretto-3B": (67.7, (80.2, 62.8, 51.3, 67.6, 50.2, 84.2, 84.7, 60.7)),
    "Ovis-U1": (69.6, (77.8, 61.3, 51.1, 69.4, 56.3, 85.6, 88.3, 66.7)),
}
"""Rows of the table in AIDC-AI/Ovis-U1's README, in the suite's order of tasks."""
TWO = SuiteEntry(
    "two",
    "Two",
    (TaskSpec(name="a"), TaskSpec(name="b", rules="official")),
    average=SuiteAverage("average of 2", (AveragePart("a"), AveragePart("b", "MME-P", 2000))),
)


def _numbers(model: str, values: tuple[float, ...]) -> list[dict[str, object]]:
    names = [part.task for part in OPENCOMPASS.average.of] if OPENCOMPASS.average else []
    return [
        number(model=model, task=name, value=value / 100, rules=RULES[name])
        for name, value in zip(names, values, strict=True)
    ]


def test_published_rows_have_their_published_average() -> None:
    rows = [row for model, (_, values) in ROWS.items() for row in _numbers(model, values)]
    found = table(with_average(frame(*rows), OPENCOMPASS))
    assert found.columns[-1].metric == "average of 8"
    averages = {row.name: row.cells[-1] for row in found.rows}
    for model, (expected, _) in ROWS.items():
        cell = averages[model]
        assert cell is not None
        assert cell.value == pytest.approx(expected, abs=0.0501), model
    assert "69.6" in render(with_average(frame(*rows), OPENCOMPASS), found, "md").decode()


def test_a_model_that_lacks_a_part_has_no_average_and_the_table_says_which() -> None:
    rows = [*_numbers("whole", ROWS["Ovis-U1"][1]), *_numbers("part", ROWS["GPT-4o"][1])[:-1]]
    found = table(with_average(frame(*rows), OPENCOMPASS))
    cells = {row.name: row.cells[-1] for row in found.rows}
    part = cells["part"]
    assert part is not None
    assert math.isnan(part.value)
    assert part.marks == "∗"
    assert any("7 of 8 parts: without mm-vet" in note for note in found.notes)


def test_numbers_under_other_rules_than_the_suites_are_no_part() -> None:
    rows = [number(task="a"), number(task="b", metric="MME-P", value=1000, scale=1, rules="lmms-eval")]
    made = with_average(frame(*rows), TWO)
    assert "without b" in made.iloc[-1]["reason"]


def test_a_part_is_scaled_by_its_maximum_and_intervals_add_up_as_squares() -> None:
    rows = [
        number(task="a", value=0.5, low=0.47, high=0.53),
        number(task="b", metric="MME-P", value=1500, scale=1, low=1420, high=1580, headline=False),
    ]
    row = with_average(frame(*rows), TWO).iloc[-1]
    assert row["value"] == pytest.approx((50 + 75) / 2)
    assert row["low"] == pytest.approx(62.5 - math.hypot(3, 4) / 2)
    assert row["high"] == pytest.approx(62.5 + math.hypot(3, 4) / 2)


def test_marks_of_the_parts_are_marks_of_the_average() -> None:
    rows = [
        number(task="a", limit=10, failures=2),
        number(task="b", metric="MME-P", value=1000, scale=1, unread=3),
    ]
    row = with_average(frame(*rows), TWO).iloc[-1]
    assert set(row["marks"]) == set("†‡◊")


def test_two_runs_of_one_model_have_an_average_each() -> None:
    rows = [
        number(task=task, metric=metric, value=value, scale=scale, run=run)
        for run, value in (("runs/1", 0.5), ("runs/2", 0.75))
        for task, metric, scale in (("a", "accuracy", 100.0), ("b", "MME-P", 1000.0))
    ]
    found = table(with_average(frame(*rows), TWO))
    assert [row.name for row in found.rows if row.cells[-1]] == ["m [2]", "m [1]"]


def test_a_suite_without_an_average_and_a_model_of_other_tasks_change_nothing() -> None:
    rows = frame(number(task="c"))
    assert len(with_average(rows, SuiteEntry("s", "S", (TaskSpec(name="c"),)))) == 1
    assert len(with_average(rows, TWO)) == 1


def test_an_average_of_a_task_that_is_not_in_the_suite_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("name: s\ntitle: S\ntasks: [a]\naverage: {name: x, of: [b]}\n")
    with pytest.raises(SpecError, match=r"the suite has no task 'b'"):
        suite_entries(tmp_path)


def test_show_suite_says_what_the_average_is_made_of() -> None:
    result = CliRunner().invoke(app, ["show", "suite", "opencompass-8"])
    assert result.exit_code == 0, result.output
    assert "'average of 8'" in result.output
    assert "hallusionbench-image  headline, of 100" in result.output
