"""Published numbers beside runs: where they share a column, and how they are marked."""

from __future__ import annotations

import math
from typing import Any

import pytest

from evalsuite.errors import SpecError
from evalsuite.leaderboards import render, table, with_published
from evalsuite.published import Publication
from tests.leaderboards.frames import frame, number


def _paper(**column: Any) -> Publication:
    made = {"task": "vqa", "metric": "accuracy", "protocol": "official", **column}
    rows = [
        {"model": "A", "confidence": "printed", "cells": {"c": 61.5}},
        {"model": "B", "confidence": "recalled-low", "cells": {"c": "unknown"}},
    ]
    return Publication.model_validate({
        "name": "paper", "title": "", "source": "",
        "tables": {"t": {"title": "", "columns": {"c": made}, "rows": rows}},
    })  # fmt: skip


def test_a_published_number_of_the_same_protocol_shares_the_column_without_rank_or_interval() -> None:
    runs = frame(number(model="m", low=0.4, high=0.6), number(model="n", value=0.7, low=0.6, high=0.8))
    found = table(with_published(runs, [_paper()]))
    assert len(found.columns) == 1
    cells = {row.name: row.cells[0] for row in found.rows}
    published = cells["A (paper)"]
    assert published is not None
    shown: tuple[object, ...] = (published.value, published.marks, published.rank, published.best)
    assert shown == (
        pytest.approx(0.615), "¶", None, False,
    )  # fmt: skip
    assert math.isnan(published.low)
    assert cells["n"] is not None
    assert cells["n"].best
    assert "¶ as published, not measured here (paper/t, printed)" in found.notes
    assert "61.5¶" in render(runs, found, "md").decode()
    assert r"\P{}" in render(runs, found, "latex").decode()


@pytest.mark.parametrize(
    "column", [{"protocol": "dreamllm"}, {"rules": "m4c"}, {"options": {"shots": "4"}}], ids=str
)
def test_a_number_that_was_measured_otherwise_has_a_column_of_its_own(column: dict[str, Any]) -> None:
    found = table(with_published(frame(number()), [_paper(**column)]))
    # which version and data it was, papers leave open: no "version , data "
    assert not [c for c in found.columns if f"{c.variant},".count(" ,")]
    assert len(found.columns) == 2
    assert all(sum(cell is not None for cell in row.cells) == 1 for row in found.rows)


def test_a_subset_of_a_run_keeps_its_rank_beside_a_published_number() -> None:
    runs = frame(number(model="m", limit=10), number(model="n", limit=10, value=0.2))
    found = table(with_published(runs, [_paper()]))
    ranks = {row.name: row.cells[0].rank for row in found.rows if row.cells[0]}
    assert ranks == {"m": 1, "n": 2, "A (paper)": None}


def test_numbers_about_other_tasks_are_left_out_and_none_at_all_is_an_error() -> None:
    with pytest.raises(SpecError, match="paper has no number of gqa"):
        with_published(frame(number(task="gqa")), [_paper()])
