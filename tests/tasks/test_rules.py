"""Scoring rules by name: built in, beside a file, in a plugin's list, as an entry point; and bad ones."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import SampleError, SpecError
from evalsuite.task import UNREAD, GroundTruth, Rule, RuleSet, Task, Verdict, entries, rule
from evalsuite.task.entry import BrokenEntry, TaskOptions
from evalsuite.task.rules import KINDS, built_in, find_rule, installed
from tests.data.image_files import encoded
from tests.tasks.asking import answer, write_table

OPTIONS = {"A": "cat", "B": "dog", "C": "cow", "D": "hen"}


def open_truth(*references: str, **labels: str) -> GroundTruth:
    return GroundTruth(references, labels=labels)


@rule()
def starts_alike(said: str, truth: GroundTruth) -> float:
    """The first letters are equal."""
    return float(any(said[:1] == reference[:1] for reference in truth.references))


def test_every_rule_has_a_name_of_its_own_in_its_kind_and_says_what_it_does() -> None:
    known = [(one.kind, one.name) for one in built_in()]
    assert len(set(known)) == len(known)
    assert {kind for kind, _ in known} == set(KINDS)
    assert not [one.name for one in built_in() if not one.title]


@pytest.mark.parametrize(
    ("name", "said", "right", "value"),
    [
        ("exact", " Red. ", "red", 1.0),
        ("exact", "red..", "red", 0.0),
        ("exact-lmms", "red..", "red", 1.0),
        ("verbatim", "Red", "red", 0.0),
        ("anls", "nets", "net", 0.75),
        ("relaxed", "14.5", "14", 1.0),
        ("relaxed", " yes", "yes", 0.0),
        ("relaxed-strip", " yes", "yes", 1.0),
        ("contains", "The sign says STOP!", "stop", 1.0),
        ("contains-squeezed", "x^2", "x ^ 2", 1.0),
        ("contains-squeezed", "X^2", "x ^ 2", 0.0),
        ("contains-lmms", "ＳＴＯＰ", "stop", 1.0),
        ("mmmu-open", "So the total is $1,200.", "1200", 1.0),
    ],
)
def test_open_rules(name: str, said: str, right: str, value: float) -> None:
    assert find_rule(name, ["open"])(said, open_truth(right)).value == value


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [("letters", "equal", "none of these"), ("letters", "mmstar", ""), ("yes-no", "lmms-eval", "maybe")],
)
def test_an_answer_that_a_rule_cannot_read_is_unread_and_not_simply_wrong(
    kind: Any, name: str, said: str
) -> None:
    found = find_rule(name, [kind])
    assert found(said, GroundTruth(("A", "yes"), OPTIONS)) == UNREAD
    wrong = found("B" if kind == "letters" else "no", GroundTruth(("A", "yes"), OPTIONS))
    assert (wrong.value, wrong.unread) == (0.0, False)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda said, truth: 1 / 0, r"fails on this answer \(ZeroDivisionError"),
        (lambda said, truth: math.nan, r"gives nan, outside its range \[0, 1\]"),
        (lambda said, truth: 1.5, r"gives 1.5, outside its range \[0, 1\]"),
        (lambda said, truth: "right", "gives 'right', which is neither a number nor a Verdict"),
        (lambda said, truth: None, "gives None"),
        (lambda said, truth: Verdict(None), "gives None"),
        (lambda said, truth: Verdict(1.0, more={"extra": 1.0}), r"fills the columns \['extra'\]"),
    ],
)
def test_a_rule_that_breaks_its_contract_is_the_samples_failure(
    function: Callable[..., Any], message: str
) -> None:
    with pytest.raises(SampleError, match=f"The rule 'odd' {message}"):
        Rule("odd", function)("x", open_truth("y"))


def test_a_rule_may_have_another_range_and_further_columns() -> None:
    @rule("grade", high=10, also=["length"])
    def grade(said: str, truth: GroundTruth) -> Verdict:
        return Verdict(7.0, said, more={"length": float(len(said))})

    assert grade("four", open_truth("x")) == Verdict(7.0, "four", more={"length": 4.0})
    assert RuleSet("little", "grade", ["open"], own=[grade]).columns == ("accuracy", "length")


def test_a_rule_depends_on_a_label() -> None:
    choice = {"by": "source", "HME100k": "contains-squeezed", "*": "contains"}
    found = RuleSet("little", choice, ["open"])
    formula = open_truth("x ^ 2", source="HME100k")
    assert found.verdict("x^2", formula, "open").value == 1.0
    assert found.verdict("x^2", open_truth("x ^ 2", source="COCO"), "open").value == 0.0
    with pytest.raises(SampleError, match="depend on the label 'source', which this sample lacks"):
        found.verdict("x^2", open_truth("x ^ 2", dataset="HME100k"), "open")


def test_without_by_any_label_may_hold_the_value() -> None:
    found = RuleSet("little", {"a": "verbatim", "b": "exact"}, ["open"])
    assert found.verdict("Red.", open_truth("red", kind="b"), "open").value == 1.0
    with pytest.raises(SampleError, match="Several rules apply to this sample: verbatim, exact"):
        found.verdict("x", open_truth("y", kind="a", part="b"), "open")
    with pytest.raises(SampleError, match="No rule is named for a sample with the labels"):
        found.verdict("x", open_truth("y", kind="c"), "open")


def test_open_and_lettered_questions_have_rules_of_their_own() -> None:
    found = RuleSet(
        "little", {"letters": "equal", "open": {"x": "verbatim", "*": "exact"}}, ["letters", "open"]
    )
    assert found.verdict("B", GroundTruth(("B",), OPTIONS), "letters") == Verdict(1.0, "B")
    assert found.verdict("Red.", open_truth("red"), "open").value == 1.0
    assert found.verdict("Red.", open_truth("red", kind="x"), "open").value == 0.0


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("relaxd", "no rule 'relaxd' for letters or open questions. Did you mean relaxed"),
        ({"letters": "relaxed"}, "no rule 'relaxed' for letters questions"),
        ({"yes-no": "mme"}, "its family asks no 'yes-no' questions"),
        ({"letters": "equal", "HME100k": "exact"}, "its family asks no 'HME100k' questions"),
        ({"by": "dataset"}, "no rule is named"),
        ({"open": {}}, "no rule is named"),
        ({"a": {"b": "exact"}}, "'a' is not a kind of question"),
        ({"a": "anls", "*": "exact"}, r"its rules fill different columns \(ANLS, accuracy\)"),
    ],
)
def test_a_choice_of_rules_that_cannot_be_is_refused(choice: Any, message: str) -> None:
    with pytest.raises(SpecError, match=f"^little: .*{message}"):
        RuleSet("little", choice, ["letters", "open"])


def test_a_question_of_a_kind_without_a_rule_is_a_failure() -> None:
    found = RuleSet("little", "equal", ["letters", "open"])
    with pytest.raises(SampleError, match="the rules are for letters questions"):
        found.verdict("red", open_truth("red"), "open")


LITTLE = """
name: little
title: Little
family: vqa
version: 1
split: all
licence: none
home: here
capability: text
metrics: [{name: accuracy, headline: true}]
rules: {official: RULE}
settings: {answers: null}
sources:
  - reader: vqa-table
    files: {table: t.parquet}
    columns: {id: id, image: image, question: question, answers: answers}
protocols: {plain: {template: "{image}{question}", decoding: {max_new_tokens: 8}}}
"""


def little(folder: Path, named: str, **options: Any) -> Task:
    (folder / "little.yaml").write_text(LITTLE.replace("RULE", named))
    image = {"bytes": encoded("PNG"), "path": "0.png"}
    questions = [
        {"id": i, "image": image, "question": "?", "answers": [said]}
        for i, said in enumerate(("red", "blue"))
    ]
    write_table(folder / "t.parquet", questions)
    (entry,) = entries(folder, **options)
    assert not isinstance(entry, BrokenEntry), entry.reason
    return entry.build(TaskOptions(data=folder))


def scored(task: Task, *said: str) -> list[tuple[dict[str, float], str]]:
    rows = task.score([answer(s, text) for s, text in zip(task.samples(), said, strict=True)]).rows
    return [(dict(one.values), one.failure) for one in rows]


BESIDE = '''
from evalsuite.task import rule


@rule()
def first_letter(answer, truth):
    """Three lines are enough."""
    return any(answer[:1] == reference[:1] for reference in truth.references)


@rule()
def breaks(answer, truth):
    """Fails on one answer."""
    return 1.0 / len(answer)
'''


def test_a_rule_in_rules_py_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(BESIDE)
    task = little(tmp_path, "first-letter")
    assert scored(task, "rose", "green") == [({"accuracy": 1.0}, ""), ({"accuracy": 0.0}, "")]


def test_a_rule_in_the_plugins_list(tmp_path: Path) -> None:
    task = little(tmp_path, "starts-alike", rules=[starts_alike])
    assert scored(task, "rose", "green") == [({"accuracy": 1.0}, ""), ({"accuracy": 0.0}, "")]


def test_a_rule_that_fails_on_one_answer_loses_that_answer_alone(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(BESIDE)
    task = little(tmp_path, "breaks")
    lost, kept = scored(task, "", "x")
    assert kept == ({"accuracy": 1.0}, "")
    assert lost[0] == {}
    assert "The rule 'breaks' fails on this answer (ZeroDivisionError" in lost[1]


def test_rules_py_that_cannot_be_imported_and_a_taken_name_are_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "rules.py").write_text("1 / 0")
    with pytest.raises(SpecError, match=r"little: The rules .*rules\.py fails to import.*ZeroDivisionError"):
        little(tmp_path / "a", "first-letter")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "rules.py").write_text(
        BESIDE.replace("@rule()\ndef breaks", "@rule('exact')\ndef breaks")
    )
    with pytest.raises(SpecError, match=r"There are 2 rules 'exact' for open questions\. Rename one"):
        little(tmp_path / "b", "exact")
    (tmp_path / "c").mkdir()
    with pytest.raises(SpecError, match=r"is a function, not a rule\. Put @rule"):
        little(tmp_path / "c", "exact", rules=[lambda said, truth: 1.0])


class _Point:
    """An installed plugin's entry point."""

    def __init__(self, name: str, load: Callable[[], Any]) -> None:
        self.name, self.value, self.load = name, f"somewhere:{name}", load

    def __lt__(self, other: _Point) -> bool:
        return self.name < other.name


def _broken() -> Any:
    raise ImportError("no module named deep_thought")


def test_rules_of_installed_plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    points = [
        _Point("starts-alike", lambda: starts_alike),
        _Point("deep", _broken),
        _Point("odd", lambda: 42),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == "evalsuite.rules" else [])
    found, broken = installed()
    assert found == [starts_alike]
    assert broken["deep"] == "ImportError: no module named deep_thought"
    assert "is a int, not a rule" in broken["odd"]
    assert find_rule("starts-alike", ["open"]) is starts_alike
    with pytest.raises(SpecError, match="The rule 'deep' cannot be used: ImportError"):
        find_rule("deep", ["open"])


def test_rules_go_to_other_processes_by_name(tmp_path: Path) -> None:
    for one in (*built_in(), starts_alike):
        assert pickle.loads(pickle.dumps(one)).function is one.function
    (tmp_path / "rules.py").write_text(BESIDE)
    task: Any = little(tmp_path, "first-letter")
    (found,) = task._rules.rules
    stored = pickle.dumps(found)
    for name in [name for name in sys.modules if name.startswith("evalsuite_beside_")]:
        del sys.modules[name]
    assert pickle.loads(stored)("rose", open_truth("red")).value == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"kind": "numbers"}, "no kind of rule 'numbers'"), ({"low": 1, "high": 1}, "is empty")],
)
def test_a_rule_that_cannot_be_declared(settings: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        rule("x", **settings)
