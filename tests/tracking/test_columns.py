"""Scores that runs share, read once; equal tables and tables in another order give the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.stats import Clusters
from evalsuite.tracking import track
from evalsuite.tracking.best import Draws, best_of_means
from evalsuite.tracking.columns import Scored, on_shared

from .trained import checkpoint_run, right

_tables = st.lists(
    st.dictionaries(st.text(max_size=2), st.floats(allow_nan=False), min_size=1, max_size=8),
    min_size=1, max_size=4,
)  # fmt: skip


def scored(table: dict[str, float]) -> Scored:
    return Scored(np.array(list(table), dtype=object), np.array(list(table.values())))


@given(_tables)
def test_shared_scores_are_those_of_the_names_that_all_have(tables: list[dict[str, float]]) -> None:
    shared, scores = on_shared([scored(one) for one in tables])
    assert shared == sorted(set.intersection(*(set(one) for one in tables)))
    for table, found in zip(tables, scores, strict=True):
        assert found.tolist() == [table[name] for name in shared]


def test_tables_in_the_same_order_and_in_another_give_the_same() -> None:
    one = {"b": 1.0, "a": 2.0, "c": 3.0}
    other = {"b": 4.0, "a": 5.0, "c": 6.0}
    turned = dict(reversed(other.items()))
    alike, different = (on_shared([scored(one), scored(two)]) for two in (other, turned))
    assert alike[0] == different[0] == ["a", "b", "c"]
    assert [x.tolist() for x in alike[1]] == [x.tolist() for x in different[1]] == [[2, 1, 3], [5, 4, 6]]


def test_draws_that_are_kept_give_the_numbers_of_fresh_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    curves = [[rng.random((1, 50)) for _ in range(3)] for _ in range(2)]
    clusters = Clusters.of([""] * 50)
    fresh = [best_of_means([1, 2, 3], scores, clusters) for scores in curves]
    draws = Draws()
    first = best_of_means([1, 2, 3], curves[0], clusters, draws=draws)
    kept = draws._weights
    second = best_of_means([1, 2, 3], curves[1], clusters, draws=draws)
    assert [first, second] == fresh
    assert draws._weights is kept  # drawn once for both
    other = best_of_means([1, 2], curves[0][:2], clusters, draws=draws)
    assert draws._weights is not kept
    assert other == best_of_means([1, 2], curves[0][:2], clusters)


def test_means_are_tracked_without_reading_whole_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.store import RunReader, results
    from evalsuite.tracking import columns

    for step in (1, 2, 3):
        checkpoint_run(tmp_path / f"step-{step}", right(step / 4), step)
    asked: list[str] = []
    read = results.score_columns

    def counted(root: Path, *names: str) -> object:
        asked.append(root.name)
        return read(root, *names)

    monkeypatch.setattr(columns, "score_columns", counted)
    monkeypatch.setattr(RunReader, "scores", lambda *_: pytest.fail("a whole table was read"))
    (curve,) = track(tmp_path, tasks=["numbers"]).curves
    assert sorted(asked) == ["step-1", "step-2", "step-3"]  # each once, though clusters are asked for, too
    assert curve.best is not None
    assert curve.best.step == 3
    assert curve.change is not None
    assert curve.change.difference.value == pytest.approx(0.25)
