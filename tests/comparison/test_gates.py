"""Gates: what is read, what is refused, what fails."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.comparison import Comparison, Gates, compare, load_gates
from evalsuite.comparison.checks import Compared, checks_of
from evalsuite.comparison.gates import Limits
from evalsuite.errors import SpecError
from evalsuite.stats import Difference
from evalsuite.task import Metric
from tests.comparison.runs import make_run, registry
from tests.comparison.test_compare import right_and_wrong


def gated(
    tmp_path: Path, gates: dict[str, Any], *, n: int = 200, better: int = 2, worse: int = 6
) -> Comparison:
    """50 % right in the base, and 2 points less in the candidate, unless told otherwise."""
    base, candidate = right_and_wrong(n, better, worse)
    paths = make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate)
    return compare(*paths, gates=Gates.model_validate(gates), registry=registry())


def failed(found: Comparison) -> list[str]:
    return [check.rule for check in found.failed]


def headline(**limits: Any) -> dict[str, Any]:
    return {"tasks": {"numbers": limits}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "rules"),
    [
        ({"min": 48}, []),
        ({"min": 48.1}, ["min"]),
        ({"max": 48}, []),
        ({"max": 47.9}, ["max"]),
        ({"max_drop": 2.0}, []),
        ({"max_drop": 1.9}, ["max_drop"]),
        ({"max_drop_relative": 0.041}, []),
        ({"max_drop_relative": 0.039}, ["max_drop_relative"]),
        ({"margin": 1}, []),
        ({"margin": 8, "mode": "strict"}, []),
        ({"margin": 2.5, "mode": "strict"}, ["margin"]),
        ({"margin": 2.5, "mode": "off"}, []),
    ],
)
def test_a_limit_fails_where_it_says(tmp_path: Path, limits: dict[str, Any], rules: list[str]) -> None:
    assert failed(gated(tmp_path, headline(**limits))) == rules


def test_a_number_that_is_just_the_limit_holds_it(tmp_path: Path) -> None:
    """57 of 100 are 56.99999999999999 points, and 2 less than 59 are 2.0000000000000018."""
    base, candidate = [1.0] * 59 + [0.0] * 41, [1.0] * 57 + [0.0] * 43
    paths = make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate)
    held: list[dict[str, float]] = [{"min": 57}, {"max": 57}, {"max_drop": 2}, {"max_drop_relative": 2 / 59}]
    for limits in held:
        found = compare(*paths, gates=Gates.model_validate(headline(**limits)), registry=registry())
        assert found.passed, limits


@pytest.mark.parametrize("limits", [{"max_drop": 5}, {"max_drop_relative": 0.5}, {"margin": 5}, {"min": 1}])
def test_a_candidate_without_a_number_holds_no_limit(limits: dict[str, Any]) -> None:
    none = Difference(math.nan, math.nan, math.nan, math.nan, 10, a=0.5)
    row = Compared("numbers", Metric("accuracy", scale=100.0), "", True, none, Limits(**limits))
    assert [(check.rule, check.passed) for check in checks_of(row, 0.05)] == [(*limits, False)]


@pytest.mark.parametrize("by", [0.25, 1.0])
def test_a_candidate_that_loses_alike_on_every_sample_is_shown_to_be_worse(tmp_path: Path, by: float) -> None:
    paths = [
        make_run(tmp_path / name, [value] * 60, per_cluster=2) for name, value in [("a", 1.0), ("b", 1 - by)]
    ]
    found = compare(*paths, registry=registry())
    assert math.isnan(found.rows[0].difference.high)
    assert failed(found) == ["margin"]
    forgiving = compare(*paths, gates=Gates.model_validate(headline(margin=100 * by)), registry=registry())
    assert forgiving.passed


def test_a_margin_forgives_what_is_shown_but_small(tmp_path: Path) -> None:
    """40 samples of 400 are worse, none better: shown to be worse, by 7.4 to 13.3 points."""
    for margin, passed in [(0, False), (4, False), (12, True), (20, True)]:
        found = gated(tmp_path / str(margin), headline(margin=margin), n=400, better=0, worse=40)
        assert found.passed == passed, margin
    assert found.rows[0].verdict == "equivalent"
    assert gated(tmp_path / "0", headline(), n=400, better=0, worse=40).rows[0].verdict == "worse"


def test_strict_passes_runs_whose_answers_are_the_same(tmp_path: Path) -> None:
    found = gated(tmp_path, headline(mode="strict"), better=0, worse=0)
    assert found.passed
    assert "no sample differs" in found.checks[0].message


def test_defaults_hold_for_every_headline_and_a_task_overrides_them(tmp_path: Path) -> None:
    base, candidate = right_and_wrong(200, 2, 6)
    tasks = ["numbers", "more-numbers"]
    paths = make_run(tmp_path / "a", base, tasks=tasks), make_run(tmp_path / "b", candidate, tasks=tasks)
    gates = {"defaults": {"max_drop": 1}, "tasks": {"numbers": {"max_drop": 3}}}
    found = compare(*paths, gates=Gates.model_validate(gates))
    assert [(c.task, c.rule) for c in found.failed] == [("more-numbers", "max_drop")]


def test_metrics_and_groups_are_gated_by_name(tmp_path: Path) -> None:
    metrics = {
        "mark": {"groups": {"parity=even": {"min": 99}}},
        "median": {"max_drop": 100},
        "distance": {"max": 0.2},
    }
    found = gated(tmp_path, headline(metrics=metrics), better=6, worse=7)
    assert [(c.metric, c.group, c.rule) for c in found.failed] == [
        ("mark", "parity=even", "min"),
        ("distance", "", "max"),
    ]
    assert [(row.metric.name, row.group) for row in found.rows] == [
        ("mark", ""), ("mark", "parity=even"), ("median", ""), ("distance", ""),
    ]  # fmt: skip


def test_a_worse_value_of_a_metric_where_lower_is_better_fails_by_margin(tmp_path: Path) -> None:
    base = np.linspace(0.6, 1, 100)
    paths = make_run(tmp_path / "a", base.tolist()), make_run(tmp_path / "b", (base - 0.3).tolist())
    for margin, rules in [(0.1, ["margin"]), (0.5, [])]:
        gates = headline(mode="off", metrics={"distance": {"margin": margin}})
        found = compare(*paths, gates=Gates.model_validate(gates), registry=registry())
        assert failed(found) == rules


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(
        """
        alpha = 0.01
        correction = "benjamini-hochberg"
        allow = ["seed"]
        max_failures = 0.02

        [defaults]
        max_drop_relative = 0.05

        [tasks.numbers]
        min = 40
        [tasks.numbers.metrics.median]
        margin = 1
        mode = "strict"
        [tasks.numbers.metrics.mark.groups."parity=even"]
        max_drop = 5
        """
    )
    gates = load_gates(file)
    assert (gates.alpha, gates.correction, gates.allow, gates.max_failures) == (
        0.01, "benjamini-hochberg", ("seed",), 0.02,
    )  # fmt: skip
    limits = gates.limits("numbers", "mark", headline=True)
    assert (limits.min, limits.max_drop_relative, limits.margin, limits.mode) == (40, 0.05, 0, "evidence")
    assert gates.limits("numbers", "median").model_dump(exclude_none=True) == {"margin": 1, "mode": "strict"}
    assert gates.limits("numbers", "mark", "parity=even").max_drop == 5
    base, candidate = right_and_wrong(40, 1, 2)
    found = compare(
        make_run(tmp_path / "a", base), make_run(tmp_path / "b", candidate, seed=1), gates=file,
        registry=registry(),
    )  # fmt: skip
    assert found.rows[0].difference.level == 0.99
    assert failed(found) == ["margin"]


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("alpha = ", "is not TOML", "docs/ci.md"),
        ("alpha = 2", "alpha: Input should be less than 1", ""),
        ("alpah = 0.1", "alpah: there is no such setting", "alpha"),
        ("[defaults]\nmin = 3", "defaults.min: there is no such setting", "margin"),
        ("[tasks.numbers]\nmax_dorp = 3", "max_dorp: there is no such setting", "max_drop"),
        ("[tasks.numbers.metrics.mark]\nmxa = 3", "mxa: there is no such setting", "max"),
        ("[tasks.numbers]\nmargin = -1", "tasks.numbers.margin: Input should be greater", ""),
        ("[tasks.numbers]\nmin = nan", "a limit is nan", ""),
        ("[tasks.numbers]\nmode = 'lax'", "tasks.numbers.mode: Input should be 'evidence'", ""),
        ('allow = ["sed"]', "'sed' is not a difference that can be allowed. Did you mean seed", ""),
        ('correction = "bonferroni"', "correction: Input should be 'holm'", ""),
    ],
)
def test_a_faulty_file_names_the_field(tmp_path: Path, text: str, said: str, remedy: str) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(text)
    with pytest.raises(SpecError) as error:
        load_gates(file)
    assert said in error.value.what
    assert remedy in error.value.remedy
    assert str(file) in error.value.what


def test_an_absent_or_binary_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        load_gates(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="is not TOML"):
        load_gates(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("tasks", "said", "remedy"),
    [
        ({"nubmers": {}}, "the task 'nubmers', which is not compared", "numbers"),
        ({"more-numbers": {}}, r"'more-numbers', which is not compared \(only script has it\)", ""),
        ({"numbers": {"metrics": {"mrak": {}}}}, "the metric 'mrak'", "mark"),
        ({"numbers": {"metrics": {"mark": {"groups": {"parity=eve": {}}}}}}, "'parity=eve'", "parity=even"),
    ],
)
def test_gates_that_name_the_unknown_are_refused_with_a_suggestion(
    tmp_path: Path, tasks: dict[str, Any], said: str, remedy: str
) -> None:
    base, _ = right_and_wrong(20, 0, 0)
    paths = make_run(tmp_path / "a", base, tasks=["numbers", "more-numbers"]), make_run(tmp_path / "b", base)
    with pytest.raises(SpecError, match=said) as error:
        compare(*paths, gates=Gates.model_validate({"tasks": tasks}))
    assert remedy in error.value.remedy
