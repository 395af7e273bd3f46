"""The pivot: what shares a column, who ranks where, what is marked."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.errors import SpecError
from evalsuite.leaderboards import table
from tests.leaderboards.frames import frame, number


def test_a_row_per_model_and_a_column_per_headline() -> None:
    found = table(
        frame(
            number(model="a"),
            number(model="b", value=0.7),
            number(model="b", task="t2i", metric="FID"),
            number(model="a", metric="other", headline=False),
        )
    )
    assert [(c.task, c.metric) for c in found.columns] == [("vqa", "accuracy"), ("t2i", "FID")]
    assert {row.name: [c is not None for c in row.cells] for row in found.rows} == {
        "a": [True, False],
        "b": [True, True],
    }
    assert len(table(frame(number(), number(metric="other", headline=False)), all_metrics=True).columns) == 2


@pytest.mark.parametrize(
    ("part", "other", "name"),
    [
        ("protocol", "dreamllm", "protocol dreamllm"),
        ("rules", "lmms-eval", "rules lmms-eval"),
        ("version", "2", "version 2"),
        ("data", "e" * 64, "data eeeeeeee"),
        ("split", "test", "split test"),
    ],
)
def test_what_is_measured_differently_never_shares_a_column(part: str, other: str, name: str) -> None:
    found = table(frame(number(model="a"), number(model="b", **{part: other}), number(model="b", task="x")))
    assert len(found.columns) == 3
    assert name in [column.variant for column in found.columns]
    assert all(column.variant for column in found.columns if column.task == "vqa")
    assert [column.title for column in found.columns if column.task == "x"] == ["x"]
    assert not any(cell.best for row in found.rows for cell in row.cells if cell)


def test_two_judges_or_weights_of_a_metrics_network_never_share_a_column_but_none_of_them_does_no_harm() -> (
    None
):
    a, b = number(model="a", scorer="judge x"), number(model="b", scorer="judge y")
    found = [column.variant for column in table(frame(a, b, number(model="c"))).columns]
    assert found == ["scorer judge x", "scorer judge y", ""]
    assert [column.variant for column in table(frame(a, number(model="c"))).columns] == [""]


def test_data_whose_fingerprints_begin_alike_are_two_columns() -> None:
    found = table(frame(number(model="a", data="revision-1"), number(model="b", data="revision-2")))
    assert [column.variant for column in found.columns] == ["data revision-1", "data revision-2"]


def _ranks(*rows: dict[str, Any]) -> dict[str, int | None]:
    return {row.name: row.cells[0].rank for row in table(frame(*rows)).rows if row.cells[0]}


def test_ranks_tie_where_intervals_overlap() -> None:
    assert _ranks(
        number(model="first", value=0.9, low=0.85, high=0.95),
        number(model="near", value=0.86, low=0.8, high=0.9),
        number(model="third", value=0.5, low=0.4, high=0.6),
        number(model="bare", value=0.3),
    ) == {"first": 1, "near": 1, "third": 3, "bare": 4}


def test_lower_is_better_turns_ranks_best_and_second_around() -> None:
    rows = [
        number(model=name, metric="FID", value=value, low=value - 1, high=value + 1, higher_is_better=False)
        for name, value in (("worst", 30.0), ("best", 10.0), ("second", 20.0))
    ]
    found = {row.name: row.cells[0] for row in table(frame(*rows)).rows}
    assert list(found) == ["best", "second", "worst"]
    assert [(c.rank, c.best, c.second) for c in found.values() if c] == [
        (1, True, False),
        (2, False, True),
        (3, False, False),
    ]


def test_a_subset_is_marked_and_not_ranked_among_whole_runs() -> None:
    found = table(frame(number(model="whole"), number(model="part", value=0.99, limit=10, total=10)))
    cells = {row.name: row.cells[0] for row in found.rows}
    assert cells["part"] is not None
    assert cells["whole"] is not None
    assert (cells["part"].marks, cells["part"].rank, cells["part"].best) == ("†", None, False)
    assert (cells["whole"].marks, cells["whole"].rank) == ("", 1)
    assert found.notes == ("† a subset of the benchmark (--limit 10)",)


def test_equal_subsets_are_ranked_among_themselves() -> None:
    assert _ranks(
        number(model="a", value=0.9, limit=10),
        number(model="b", value=0.5, limit=10),
        number(model="c", value=0.7, limit=10, seed=1),
    ) == {"a": 1, "b": 2, "c": None}


def test_failed_and_unfinished_samples_are_told_with_their_counts() -> None:
    found = table(frame(number(failures=3, missing=7)))
    assert found.rows[0].cells[0] is not None
    assert found.rows[0].cells[0].marks == "‡§"
    assert found.notes == (
        "‡ failed samples, not in the score: m on vqa (3 of 100)",
        "§ unfinished: m on vqa (7 of 100 missing)",
    )


def test_runs_of_one_model_share_a_row_until_they_measure_the_same() -> None:
    apart = [number(run="runs/a"), number(run="runs/b", task="other")]
    assert [row.name for row in table(frame(*apart)).rows] == ["m"]
    repeated = table(frame(*apart, number(run="runs/c", seed=1, value=0.6)))
    assert sorted(row.name for row in repeated.rows) == ["m [a]", "m [b]", "m [c]"]


def test_what_a_model_was_not_asked_moves_it_to_neither_end_and_one_without_a_number_comes_last() -> None:
    found = table(
        frame(
            number(model="failed", value=float("nan"), n=0, failures=100),
            number(model="other task only", task="x", value=0.9),
            number(model="worse", value=0.4), number(model="best", value=0.8),
            number(model="worse", task="x", value=0.4), number(model="best", task="x", value=0.8),
        )
    )  # fmt: skip
    assert [row.name for row in found.rows] == ["best", "other task only", "worse", "failed"]


def test_two_checkpoints_of_one_name_are_two_rows() -> None:
    found = table(
        frame(
            number(run="runs/a", model_fingerprint="1"),
            number(run="runs/b", task="x", model_fingerprint="2"),
        )
    )
    assert sorted(row.name for row in found.rows) == ["m [a]", "m [b]"]


def test_a_task_without_its_headline_shows_what_it_has() -> None:
    found = table(frame(number(metric="L1", headline=False)))
    assert [column.metric for column in found.columns] == ["L1"]


def test_tasks_are_chosen_and_ordered_and_a_wrong_name_suggests() -> None:
    rows = frame(number(), number(task="t2i"), number(task="edit"))
    assert [column.task for column in table(rows, ["edit", "vqa"]).columns] == ["edit", "vqa"]
    with pytest.raises(SpecError, match="Did you mean edit"):
        table(rows, ["edits"])


def test_groups_are_columns_of_their_own() -> None:
    rows = frame(number(), number(group="answer_type=number", value=0.2))
    assert len(table(rows).columns) == 1
    assert [column.label for column in table(rows, groups=True).columns] == [
        "accuracy ↑",
        "accuracy answer_type=number ↑",
    ]
