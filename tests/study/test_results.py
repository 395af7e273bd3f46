"""Votes: what counts, what is left out and told, shares with intervals, agreement."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import DataError
from evalsuite.metrics.agreement import krippendorff_alpha
from evalsuite.stats import clopper_pearson
from evalsuite.study import Key, analyse, read_key, read_votes
from evalsuite.study.describing import as_json, markdown
from evalsuite.study.key import Item, Source


def key(mode: str = "rate", documents: int = 12, sources: tuple[str, ...] = ("one", "two")) -> Key:
    items = []
    for k in range(documents):
        topic = "tea" if k % 3 else "bread"
        groups = [(name,) for name in sources] if mode == "rate" else [sources if k % 2 else sources[::-1]]
        items += [
            Item(id=f"{k}-{g}", sample=f"s{k}", topic=topic, sources=group) for g, group in enumerate(groups)
        ]
    return Key(
        study="abc", created="", mode=mode, question="Good?",  # type: ignore[arg-type]
        answers=("yes", "no") if mode == "rate" else ("left", "right", "tie"), task="documents",
        protocol="p", label="topic", seed=0, sources=tuple(Source(name=name) for name in sources),
        items=tuple(items),
    )  # fmt: skip


def ballot(folder: Path, rater: str, votes: dict[str, str], name: str = "", **more: Any) -> Path:
    path = folder / (name or f"votes-{rater}.json")
    rows = [{"item": item, "answer": answer, "at": "2026-01-01T00:00:00Z"} for item, answer in votes.items()]
    path.write_text(json.dumps({"study": "abc", "rater": rater, "votes": rows} | more))
    return path


def test_one_vote_per_document_gives_the_exact_interval(tmp_path: Path) -> None:
    study = key(documents=20)
    votes = {
        item.id: "yes" if k < 14 else "no" for k, item in enumerate(study.items) if item.sources == ("one",)
    }
    for_it = sum(answer == "yes" for answer in votes.values())
    results = analyse(study, read_votes(study, [ballot(tmp_path, "ann", votes)]))
    (overall,) = [share for share in results.shares if not share.topic]
    assert overall.value == pytest.approx(for_it / 20)
    assert (overall.low, overall.high) == pytest.approx(clopper_pearson(for_it, 20))
    assert (overall.votes, overall.items, overall.for_it, overall.against) == (20, 20, for_it, 20 - for_it)
    assert {share.topic for share in results.shares} == {"", "tea", "bread"}
    assert math.isnan(results.agreement.fleiss)
    assert results.notes == ("ann answered 20 of 40 items",)


def test_several_votes_on_a_document_are_resampled_together(tmp_path: Path) -> None:
    study = key(documents=30, sources=("one",))
    random = np.random.default_rng(0)
    good = random.random(30) < 0.5
    files = []
    for rater in "abcde":
        votes = {
            item.id: "yes" if good[k] != (random.random() < 0.05) else "no"
            for k, item in enumerate(study.items)
        }
        files.append(ballot(tmp_path, rater, votes))
    ballots = read_votes(study, files)
    results = analyse(study, ballots)
    overall = results.shares[0]
    assert overall.votes == 150
    assert "30 clusters" in overall.method
    # Five raters who agree are no five times as many documents.
    independent = clopper_pearson(overall.for_it, 150)
    assert overall.high - overall.low > 1.5 * (independent[1] - independent[0])
    units = [ballots.of(item.id) for item in study.items]
    assert results.agreement.alpha == krippendorff_alpha(units) > 0.6
    assert results.agreement.complete == results.agreement.shared == 30
    assert results.agreement.fleiss == pytest.approx(results.agreement.alpha, abs=0.01)


def test_preference_counts_whatever_the_side_and_halves_no_preference(tmp_path: Path) -> None:
    study = key("compare", documents=10)

    def prefers(name: str, item: Item) -> str:
        return "left" if item.sources[0] == name else "right"

    votes = {
        item.id: prefers("one", item) if k < 6 else "tie" if k < 8 else prefers("two", item)
        for k, item in enumerate(study.items)
    }
    results = analyse(study, read_votes(study, [ballot(tmp_path, "ann", votes)]))
    overall = results.shares[0]
    assert (overall.source, overall.other) == ("one", "two")
    assert (overall.for_it, overall.against, overall.neither) == (6, 2, 2)
    assert overall.value == pytest.approx(0.7)
    assert overall.low < 0.7 < overall.high
    assert "one / two" in markdown(results)


def test_what_does_not_fit_is_left_out_and_told(tmp_path: Path) -> None:
    study = key(documents=3)
    first = ballot(tmp_path, "ann", {"0-0": "yes", "0-1": "no", "nothing": "yes", "1-0": "maybe"})
    later = tmp_path / "again.json"
    rows = [
        {"item": "0-0", "answer": "no", "at": "2026-01-02T00:00:00Z"},
        {"item": "0-1", "answer": "no", "at": "2026-01-02T00:00:00Z"},
        {"item": "2-0", "answer": "yes"},
    ]
    later.write_text(json.dumps({"study": "abc", "rater": " ann ", "votes": rows}))
    for files in ([first, later], [later, first]):
        ballots = read_votes(study, files)
        assert ballots.votes == {"ann": {"0-0": "no", "0-1": "no", "2-0": "yes"}}
        assert set(ballots.notes) == {
            "1 votes on unknown items left out (votes-ann.json)",
            "1 votes with unknown answers left out (votes-ann.json)",
            "1 votes given twice by ann, the later one counts",
            "1 votes given twice by ann, the same",
            "ann answered 3 of 6 items",
        }


def test_of_votes_without_a_time_the_later_in_the_file_counts(tmp_path: Path) -> None:
    rows = [{"item": "0-0", "answer": "yes"}, {"item": "0-0", "answer": "no"}]
    path = tmp_path / "votes.json"
    path.write_text(json.dumps({"study": "abc", "rater": "ann", "votes": rows}))
    ballots = read_votes(key(documents=1), [path])
    assert ballots.votes == {"ann": {"0-0": "no"}}
    assert "1 votes given twice by ann, the later one counts" in ballots.notes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nonsense", "not valid JSON"),
        ("[]", "no field 'study'"),
        ('{"study": "xyz", "rater": "a", "votes": []}', "belongs to the study xyz"),
        ('{"study": "abc", "rater": " ", "votes": []}', "names no rater"),
        ('{"study": "abc", "rater": "a", "votes": {}}', "field 'votes' is dict"),
        ('{"study": "abc", "rater": "a", "votes": [{"item": "0-0"}]}', "vote 1 has no field 'answer'"),
        ('{"study": "abc", "rater": "a", "votes": []}', "no vote"),
    ],
)
def test_files_that_are_no_votes_are_refused_by_name(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "votes.json"
    path.write_text(content)
    with pytest.raises(DataError, match=said):
        read_votes(key(), [path])


def test_a_missing_or_malformed_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"key\.json cannot be read"):
        read_key(tmp_path)
    (tmp_path / "key.json").write_text('{"study": 1}')
    with pytest.raises(DataError, match="is not a key of a study"):
        read_key(tmp_path)


def test_the_bar_is_passed_missed_or_not_decided(tmp_path: Path) -> None:
    study = key(documents=40, sources=("good", "poor", "open"))
    rates = {"good": 0.8, "poor": 0.05, "open": 0.3}
    votes: dict[Any, Any] = {}
    for name, rate in rates.items():
        items = [item for item in study.items if item.sources == (name,)]
        votes |= {item.id: "yes" if k < rate * 40 else "no" for k, item in enumerate(items)}
    results = analyse(study, read_votes(study, [ballot(tmp_path, "ann", votes)]))
    passed = {share.source: share.passes(0.3) for share in results.shares if not share.topic}
    assert passed == {"good": True, "poor": False, "open": None}
    text = markdown(results, 0.3)
    assert "above 30 %" in text
    assert "| good | 80.0 % (64.4–90.9) | 40 | 40 | yes |" in text
    assert "not decided" in text
    assert "above" not in markdown(results)


def test_json_holds_the_design_and_no_nan(tmp_path: Path) -> None:
    study = key(documents=4)
    results = analyse(study, read_votes(study, [ballot(tmp_path, "ann", {"0-0": "yes"})]))
    value = json.loads(as_json(results), parse_constant=pytest.fail)
    assert value["study"]["question"] == "Good?"
    assert value["agreement"]["fleiss"] is None
    assert value["shares"][0]["source"] == "one"
