"""Declared aggregations: equal to plain pandas in any order of rows, and honest about what they lack."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evalsuite.errors import SpecError
from evalsuite.stats import Clusters, estimate
from evalsuite.stats.resampling import bootstrap_at_once, bootstrap_function
from evalsuite.task import MetricSpec, SampleScore, Scores, aggregate, check_aggregates, values_within
from evalsuite.task.aggregating import Aggregated, joined

ACCURACY = {"name": "accuracy", "headline": True}


def specs(*declared: dict[str, Any]) -> list[MetricSpec]:
    return [MetricSpec.model_validate(one) for one in declared]


def row(i: int, value: float | None, cluster: str = "", failure: str = "", **labels: str) -> SampleScore:
    return SampleScore(str(i), {} if value is None else {"accuracy": value}, cluster, labels, failure=failure)


def values(found: Aggregated) -> dict[str, float]:
    scores = Scores(found.rows, found.statistics)
    return {f"{e.metric.name} {e.group}".strip(): e.value for e in estimate(scores, resamples=4)}


def value_of(rows: Sequence[SampleScore], **declared: Any) -> float:
    return values(aggregate(specs({"name": "x", **declared}), rows))["x"]


_ROWS = st.lists(
    st.builds(
        lambda value, kind, part, image: (value, kind, part, image),
        st.sampled_from([0.0, 0.25, 1.0]),
        st.sampled_from("abc"),
        st.sampled_from("pq"),
        st.sampled_from("1234"),
    ),
    min_size=1,
    max_size=40,
)


def made(cells: Sequence[tuple[float, str, str, str]]) -> tuple[list[SampleScore], pd.DataFrame]:
    rows = [row(i, v, kind=k, part=p, image=m) for i, (v, k, p, m) in enumerate(cells)]
    return rows, pd.DataFrame(cells, columns=["accuracy", "kind", "part", "image"])


@pytest.mark.slow
@given(_ROWS)
def test_every_verb_equals_a_plain_computation(cells: list[tuple[float, str, str, str]]) -> None:
    rows, frame = made(cells)
    assert value_of(rows, of="accuracy") == pytest.approx(frame["accuracy"].mean())
    right = (frame["accuracy"] == 1).groupby([frame["kind"], frame["image"]]).all()
    assert value_of(rows, all_of="accuracy", by=["kind", "image"]) == pytest.approx(right.mean())
    of_kind = frame.groupby("kind")["accuracy"].mean()
    assert value_of(rows, mean_over="kind", of="accuracy") == pytest.approx(of_kind.mean())
    assert value_of(rows, sum_over="kind", of="accuracy") == pytest.approx(of_kind.sum())
    both = of_kind + right.groupby("kind").mean()
    pair = ["accuracy", {"all_of": "accuracy", "by": ["kind", "image"]}]
    assert value_of(rows, sum_over="kind", of=pair) == pytest.approx(both.sum())
    assert value_of(rows, mean_over="kind", of=pair) == pytest.approx((both / 2).mean())


@pytest.mark.slow
@given(_ROWS)
def test_nesting_goes_inside_out(cells: list[tuple[float, str, str, str]]) -> None:
    rows, frame = made(cells)
    parts = frame.groupby(["kind", "part"])["accuracy"].mean()
    nested = {"mean_over": "part", "of": "accuracy"}
    assert value_of(rows, mean_over="kind", of=nested) == pytest.approx(parts.groupby("kind").mean().mean())
    assert value_of(rows, sum_over="kind", of=nested) == pytest.approx(parts.groupby("kind").mean().sum())
    rounded = parts.map(lambda value: round(value, 1)).groupby("kind").mean()  # as Python rounds
    coarse = {"mean_over": "part", "of": {"of": "accuracy", "round": 1}}
    assert value_of(rows, mean_over="kind", of=coarse) == pytest.approx(rounded.mean())


_NESTED: tuple[dict[str, Any], ...] = (
    {"mean_over": "kind", "of": "accuracy"},
    {"sum_over": "kind", "of": "accuracy"},
    {"mean_over": "part", "of": {"mean_over": "kind", "of": "accuracy", "round": 1}, "round": 2},
    {"mean_over": "part", "of": {"sum_over": "kind", "of": "accuracy"}},
    {"of": "accuracy", "where": {"kind": ["a", "b"]}, "round": 2},
    {"mean_over": "kind", "of": {"of": "accuracy", "where_not": {"part": ["p"]}}},
    {"of": [{"mean_over": "kind", "of": "accuracy"}, {"mean_over": "image", "of": "accuracy"}]},
    {"all_of": "accuracy", "by": ["image"]},
    {"mean_over": "kind", "of": {"all_of": "accuracy", "by": ["image", "kind"]}},
)


@pytest.mark.slow
@given(_ROWS, st.sampled_from(_NESTED), st.integers(0, 9))
def test_many_resamples_at_once_are_the_same_as_one_after_the_other(
    cells: list[tuple[float, str, str, str]], declared: dict[str, Any], seed: int
) -> None:
    rows = [row(i, v, m, kind=k, part=p, image=m) for i, (v, k, p, m) in enumerate(cells)]
    found = aggregate(specs({"name": "x", **declared}), rows)
    for one in found.statistics:
        if one.function is None or one.resampled is None or not one.rows:
            continue
        clusters = Clusters.of([found.rows[i].cluster for i in one.rows])
        slow = bootstrap_function(one.function, clusters, 12, np.random.default_rng(seed))
        fast = bootstrap_at_once(one.resampled, clusters, 12, np.random.default_rng(seed))
        np.testing.assert_allclose(fast, slow, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@given(_ROWS, st.sampled_from("abc"))
def test_where_keeps_what_matches_and_where_not_drops_it(
    cells: list[tuple[float, str, str, str]], kind: str
) -> None:
    rows, frame = made(cells)
    for name, kept in (("where", frame["kind"] == kind), ("where_not", frame["kind"] != kind)):
        chosen = frame[kept]
        mean = value_of(rows, of="accuracy", **{name: {"kind": kind}})
        total = value_of(rows, mean_over="part", of="accuracy", **{name: {"kind": [kind]}})
        if chosen.empty:
            assert math.isnan(mean)
            assert math.isnan(total)
            continue
        assert mean == pytest.approx(chosen["accuracy"].mean())
        assert total == pytest.approx(chosen.groupby("part")["accuracy"].mean().mean())


@pytest.mark.slow
@given(_ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_value_and_no_cluster(
    cells: list[tuple[float, str, str, str]], random: Any
) -> None:
    rows, _ = made(cells)
    shuffled = list(rows)
    random.shuffle(shuffled)
    declared = specs(
        ACCURACY,
        {"name": "pairs", "all_of": "accuracy", "by": ["kind", "image"]},
        {"name": "total", "sum_over": "kind", "of": ["accuracy", "pairs"]},
    )
    one, other = (aggregate(declared, found, by=["kind"]) for found in (rows, shuffled))
    assert values(one) == pytest.approx(values(other))
    assert _partition(one.rows) == _partition(other.rows)


def _partition(rows: Sequence[SampleScore]) -> set[frozenset[str]]:
    clusters = Clusters.of([one.cluster for one in rows])
    ends = [*clusters.starts[1:], len(rows)]
    return {
        frozenset(rows[i].id for i in clusters.members[a:b])
        for a, b in zip(clusters.starts, ends, strict=True)
    }


@given(_ROWS)
def test_groups_and_old_clusters_are_never_torn_apart(cells: list[tuple[float, str, str, str]]) -> None:
    rows = [row(i, v, cluster=p, kind=k, image=m) for i, (v, k, p, m) in enumerate(cells)]
    found = aggregate(specs({"name": "x", "all_of": "accuracy", "by": ["kind", "image"]}), rows).rows
    cluster = {one.id: one.cluster for one in found}
    for a in rows:
        for b in rows:
            if a.cluster == b.cluster or a.labels == b.labels:
                assert cluster[a.id] == cluster[b.id]


def test_a_cluster_that_no_group_changes_keeps_its_name() -> None:
    assert joined(["x", "y", "", "y"], [[[0], [1, 3]]]) == ["x", "y", "", "y"]
    assert joined(["x", "y", ""], [[[1, 2]]]) == ["x", "y", "y"]


def test_pairs_have_an_exact_interval_over_groups() -> None:
    rows = [row(i, float(i != 3), image=str(i // 2)) for i in range(20)]
    found = aggregate(specs({"name": "pairs", "all_of": "accuracy", "by": "image"}), rows)
    (number,) = estimate(Scores(found.rows, found.statistics))
    assert (number.value, number.n, number.method) == (0.9, 10, "Clopper-Pearson")


def test_a_sum_has_the_interval_of_resampled_groups() -> None:
    rows = [row(i, float(i % 5 > 0), image=str(i // 2), kind="ab"[i // 2 % 2]) for i in range(80)]
    declared = specs(
        {"name": "pairs", "all_of": "accuracy", "by": ["kind", "image"]},
        {"name": "total", "sum_over": "kind", "of": ["accuracy", "pairs"], "exceeds_one": True},
    )
    found = aggregate(declared, rows)
    pairs, total = estimate(Scores(found.rows, found.statistics))
    assert total.value == pytest.approx(1.6 + 2 * pairs.value)
    assert total.low < total.value < total.high
    assert "over 40 clusters" in total.method


def test_a_failed_row_counts_nowhere_and_its_group_is_left_out_and_noted() -> None:
    rows = [row(0, 1.0, image="1"), row(1, 1.0, image="1"), row(2, 1.0, image="2")]
    rows.append(row(3, None, failure="broken", image="2"))
    found = aggregate(specs(ACCURACY, {"name": "pairs", "all_of": "accuracy", "by": "image"}), rows)
    assert values(found) == {"accuracy": 1.0, "pairs": 1.0}
    assert found.notes == {"pairs": "1 of 2 groups lack members and are left out (image=2)"}


def _population(*cells: tuple[str, str]) -> Any:
    return lambda: [(str(i), {"image": image, "kind": kind}) for i, (image, kind) in enumerate(cells)]


def test_an_unfinished_run_says_which_groups_and_parts_it_lacks() -> None:
    everybody = _population(("1", "a"), ("1", "a"), ("2", "a"), ("2", "a"), ("3", "b"), ("3", "b"))
    rows = [
        row(0, 1.0, image="1", kind="a"),
        row(1, 1.0, image="1", kind="a"),
        row(2, 0.0, image="2", kind="a"),
    ]
    declared = specs(
        {"name": "pairs", "all_of": "accuracy", "by": "image"},
        {"name": "total", "sum_over": "kind", "of": "accuracy"},
    )
    found = aggregate(declared, rows, population=everybody, total=6)
    assert values(found) == {"pairs": 1.0, "total": pytest.approx(2 / 3)}
    assert found.notes["pairs"] == (
        "1 of 2 groups lack members and are left out (image=2); 1 of 3 groups have no scored sample"
    )
    assert found.notes["total"] == "no scored sample with kind b"
    whole = [row(i, 1.0, image=str(i // 2), kind="ab"[i // 4]) for i in range(6)]
    assert not aggregate(declared, whole, population=lambda: 1 / 0, total=6).notes  # type: ignore[arg-type, return-value]


def test_where_every_group_lacks_a_member_there_is_no_number() -> None:
    declared = specs(ACCURACY, {"name": "pairs", "all_of": "accuracy", "by": "image", "size": 2})
    declared += specs({"name": "total", "sum_over": "kind", "of": ["accuracy", "pairs"]})
    rows = [row(0, 1.0, image="1", kind="a"), row(1, 1.0, image="2", kind="a")]
    found = aggregate(declared, rows)
    assert values(found) == {"accuracy": 1.0}
    reason = "none of its 2 groups is complete"
    assert found.missing == {"pairs": reason, "total": reason}


def test_a_group_with_too_many_members_is_no_number() -> None:
    rows = [row(i, 1.0, image="1") for i in range(3)]
    found = aggregate(specs({"name": "pairs", "all_of": "accuracy", "by": "image", "size": 2}), rows)
    assert found.missing == {"pairs": "the group image=1 has 3 samples instead of 2"}


def test_a_label_that_no_row_has_is_an_error_and_one_that_some_lack_is_named() -> None:
    rows = [row(0, 1.0, image="1"), SampleScore("7", {"accuracy": 1.0})]
    for declared in (
        {"all_of": "accuracy", "by": "imgae"},
        {"sum_over": "imgae", "of": "accuracy"},
        {"of": "accuracy", "where": {"imgae": "1"}},
    ):
        with pytest.raises(SpecError, match=r"label 'imgae', which no sample has\. Did you mean image"):
            aggregate(specs({"name": "x", **declared}), rows)
    found = aggregate(specs(ACCURACY, {"name": "x", "mean_over": "image", "of": "accuracy"}), rows)
    assert found.missing == {"x": "1 samples have no label 'image' (7)"}
    assert values(found) == {"accuracy": 1.0}


def test_an_answer_that_the_scorer_drops_is_in_no_mean_but_spoils_its_group() -> None:
    rows = [
        row(0, 1.0, image="1"),
        SampleScore("1", {}, "", {"image": "1"}, unread=True),
        row(2, 1.0, image="2"),
        row(3, 1.0, image="2"),
    ]
    found = aggregate(specs(ACCURACY, {"name": "pairs", "all_of": "accuracy", "by": "image"}), rows)
    assert values(found) == {"accuracy": 1.0, "pairs": 0.5}
    assert not found.notes


def test_a_breakdown_of_groups_needs_a_label_that_is_constant_in_them() -> None:
    rows = [row(i, 1.0, image=str(i // 2), kind="ab"[i // 2 % 2], side=str(i % 2)) for i in range(8)]
    declared = specs({"name": "pairs", "all_of": "accuracy", "by": "image"})
    assert list(values(aggregate(declared, rows, by=["kind", "side"]))) == [
        "pairs",
        "pairs kind=a",
        "pairs kind=b",
    ]


def test_values_of_the_parts_of_one_sample() -> None:
    declared = specs(
        {"name": "circular", "all_of": "accuracy", "by": "sample"},
        {"name": "vanilla", "of": "accuracy", "where": {"rotation": 1}},
    )
    parts = [SampleScore("q", {"accuracy": v}, labels={"rotation": str(n)}) for n, v in ((1, 1.0), (2, 0.0))]
    assert values_within(declared, parts) == {"circular": 0.0, "vanilla": 1.0}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"all_of": "accuracy"}, "all_of and by belong together"),
        ({"by": "image"}, "all_of and by belong together"),
        ({"all_of": "a", "by": "b", "sum_over": "c", "of": "a"}, "cannot stand together"),
        ({"all_of": "a", "by": "b", "of": "a"}, "names its column itself"),
        ({"sum_over": "kind"}, "sum_over needs `of`"),
        ({"of": "a", "size": 2}, "size is that of a group"),
        ({"mean over": "kind", "of": "a"}, "Extra inputs"),
    ],
)
def test_malformed_declarations_are_refused(declared: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MetricSpec.model_validate({"name": "x", **declared})


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ([{"name": "acc"}], "nothing computes the metric 'acc'. Did you mean accuracy"),
        ([{"name": "x", "of": "acuracy"}], "'x' aggregates 'acuracy'.*Did you mean accuracy"),
        ([{"name": "x", "of": "y"}, {"name": "y", "of": "x"}], "refers to itself"),
        ([{"name": "x", "of": "x"}], "refers to itself"),
        (
            [
                {"name": "x", "all_of": "t", "by": "image"},
                {"name": "t", "sum_over": "kind", "of": "accuracy"},
            ],
            "needs scores of samples",
        ),
        ([{"name": "x", "sum_over": "kind", "of": [{"where": {"kind": "a"}}]}], "does not say `of` what"),
    ],
)
def test_what_refers_to_nothing_is_refused_before_anything_runs(
    declared: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(SpecError, match=f"little: .*{message}"):
        check_aggregates("little", specs(*declared), ["accuracy"])


def test_a_metric_may_restrict_the_column_of_its_own_name() -> None:
    declared = specs({"name": "accuracy", "of": "accuracy", "where": {"kind": "a"}})
    check_aggregates("little", declared, ["accuracy"])
    rows = [row(0, 1.0, kind="a"), row(1, 0.0, kind="b")]
    assert values(aggregate(declared, rows)) == {"accuracy": 1.0}


def test_yaml_s_bare_yes_is_the_label_yes() -> None:
    (spec,) = specs({"name": "x", "of": "accuracy", "where": {"label": True, "turn": 1}})
    assert spec.where == {"label": ("yes",), "turn": ("1",)}
