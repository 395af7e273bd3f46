"""Grades by LLM judges against the official scripts of WISE, RISEBench, KRIS-Bench, OmniContext,
DreamBench++, MMIE and OpenING."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import SampleError
from evalsuite.metrics.alignment import pooled
from evalsuite.metrics.rubric import (
    LOGICAL,
    dreambench_grade,
    kris_dual_grades,
    kris_grade,
    mmie_grade,
    omnicontext_grade,
    omnicontext_reply,
    opening_scores,
    rise_complete,
    rise_grades,
    rise_numbers,
    rise_score,
    win_rates,
    wiscore,
    wise_grades,
    wise_verdict,
)
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
WISE_NAMES = ("consistency", "realism", "aesthetic_quality")
LEGACY = {"CULTURE": 400, "TIME": 567, "SPACE": 700, "BIOLOGY": 800, "PHYSICS": 900, "CHEMISTRY": 1000}
VERIFIED = {"CULTURE": 400, "TIME": 520, "SPACE": 640, "BIOLOGY": 760, "PHYSICS": 880, "CHEMISTRY": 1000}


def _every(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(f"{name}_cases*.json*"), ids=lambda path: path.name)


def _cases(path: Path, *kinds: str) -> list[dict[str, Any]]:
    return [case for case in read_json(path)["cases"] if not kinds or case["kind"] in kinds]


@_every("wise")
def test_wise_replies_are_read_alike(path: Path, compared: Compared) -> None:
    legacy, verified = _cases(path, "legacy-parse"), _cases(path, "verified-parse")
    for case in legacy:
        assert wise_grades(case["input"]) == case["official"]
    for case in verified:
        assert wise_verdict(case["input"]) == case["official"].get("score")
    judged = _cases(path, "legacy-judgement", "verified-judgement")
    for case in judged:
        found: Any = {}
        asked = 0
        for reply in case["input"]:
            asked += 1
            if case["kind"].startswith("legacy"):
                grades = wise_grades(reply)
                found = grades if set(WISE_NAMES) <= grades.keys() else {}
            else:
                verdict = wise_verdict(reply)
                found = {} if verdict is None else {"score": verdict}
            if found:
                break
        assert (found, asked) == (case["official"]["score"], case["official"]["asked"])
    compared("WISE: replies", len(legacy) + len(verified) + len(judged))


@_every("wise")
def test_wise_scores_agree(path: Path, compared: Compared) -> None:
    cases = _cases(path, "legacy-aggregate", "verified-aggregate")
    for case in cases:
        legacy = case["kind"].startswith("legacy")
        ends = LEGACY if legacy else VERIFIED
        values: dict[str, list[float]] = {}
        for record in case["input"]["records"]:
            grades = [record.get(name) for name in (WISE_NAMES if legacy else ("score",))]
            number = record.get("prompt_id")
            if not all(isinstance(grade, int | float) for grade in grades) or not isinstance(number, int):
                continue
            if not legacy and grades[0] not in (0, 1):
                continue
            kind = next((name for name, end in ends.items() if 1 <= number <= end), None)
            if kind is not None:
                values.setdefault(kind, []).append(wiscore(*grades) if legacy else float(grades[0]))
        means = {name: sum(column) / len(column) for name, column in values.items()}
        official = case["official"]
        assert means == pytest.approx(official["category means"])
        if official["printed overall"] is not None:
            weights = dict.fromkeys(ends, 0.12) | {"CULTURE": 0.4}
            if legacy:
                weights |= {"TIME": 0.167, "SPACE": 0.133, "BIOLOGY": 0.1, "PHYSICS": 0.1, "CHEMISTRY": 0.1}
            overall = sum(weights[name] * value for name, value in means.items())
            assert f"{overall:.2f}" == official["printed overall"]
    compared("WISE: scores", len(cases))


@_every("risebench")
def test_risebench_agrees(path: Path, compared: Compared) -> None:
    replies = _cases(path, "extract")
    for case in replies:
        assert rise_numbers(case["input"]) == (case["official"] or [])
    runs = _cases(path, "run")
    for case in runs:
        items, judges = case["input"]["items"], case["input"]["judges"]
        column = any("consistency_free" in item for item in items)
        stopped = "error" in case["official"]
        wanted = {} if stopped else {row["index"]: row for row in case["official"]["rows"]}
        lost = 0
        for item in items:
            asked = judges[item["index"]]
            names = ("judge1", "judge2") if item["category"] == LOGICAL else ("judge1", "judge2", "judge3")
            try:
                grades = rise_grades(item["category"], [asked[name] for name in names])
            except SampleError:
                assert stopped
                lost += 1
                continue
            lost += grades is None
            if stopped:
                continue
            row = wanted[item["index"]]
            if grades is None:
                assert (row["match_log"], row["complete"]) == ("failed", 0)
                continue
            assert row["match_log"] == "succeed"
            assert (grades.reasoning, grades.consistency, grades.plausibility) == (
                row["Reasoning"], row["ApprConsistency"], row["VisualPlausibility"],
            )  # fmt: skip
            score = rise_score(item["category"], grades, free_column=column)
            assert score == pytest.approx(row["score"])
            assert rise_complete(grades) == row["complete"]
        if stopped:
            assert lost, "the official script stopped, and here every reply was read"
    compared("RISEBench", len(replies) + len(runs))


@_every("kris")
def test_kris_replies_are_read_alike(path: Path, compared: Compared) -> None:
    count = 0
    for name in ("consistency", "instruction", "quality"):
        for case in _cases(path, f"common.{name}"):
            count += 1
            assert kris_grade(case["input"], name) == case["official"][0]
    for case in _cases(path, "knowledge.extract_dual_scores"):
        count += 1
        official = case["official"]
        if "error" in official:
            with pytest.raises(SampleError):
                kris_dual_grades(case["input"])
        else:
            wanted = (official["instruction_score"], official["knowledge_score"])
            assert kris_dual_grades(case["input"]) == wanted
    compared("KRIS-Bench: replies", count)


KRIS = {
    "Attribute Perception": "count_change color_change size_adjustment part_completion anomaly_correction",
    "Spatial Perception": "viewpoint_change position_movement",
    "Temporal Prediction": "temporal_prediction",
    "Social Science": "humanities practical_knowledge",
    "Natural Science": "biology chemistry geography medicine mathematics physics",
    "Logical Reasoning": "abstract_reasoning rule-based_reasoning",
    "Instruction Decomposition": "multi-element_composition multi-instruction_execution",
}
WITH_KNOWLEDGE = {"Social Science", "Natural Science", "Logical Reasoning"}


@_every("kris")
def test_kris_scores_agree(path: Path, compared: Compared) -> None:
    cases = _cases(path, "summary")
    for case in cases:
        pools: list[dict[str, tuple[float, int]]] = []
        for kind, members in KRIS.items():
            names = ["consistency", "quality", "instruction"] + ["knowledge"] * (kind in WITH_KNOWLEDGE)
            for member in members.split():
                for sample in case["input"].get(member, {}).values():
                    for name in names:
                        grade = sample.get(f"{name}_score")
                        if grade is not None:
                            pools.append(
                                dict.fromkeys((kind, f"{kind} {name}", "all"), (25.0 * (grade - 1), 1))
                            )
        found = pooled(pools)
        short = {"VC": "consistency", "VQ": "quality", "IF": "instruction", "KP": "knowledge"}
        for kind, columns in case["official"]["types"].items():
            for name, value in columns.items():
                assert found[kind if name == "AVG" else f"{kind} {short[name]}"] == pytest.approx(value)
        if case["official"].get("overall"):
            assert found["all"] == pytest.approx(case["official"]["overall"]["AVG"])
    compared("KRIS-Bench: scores", len(cases))


@_every("omnicontext")
def test_omnicontext_agrees(path: Path, compared: Compared) -> None:
    count = 0
    for case in _cases(path, "parse"):
        count += 1
        if isinstance(case["official"], dict) and "error" in case["official"]:
            with pytest.raises(SampleError):
                omnicontext_reply(case["input"])
        else:
            assert omnicontext_reply(case["input"]) == case["official"]
    for case in _cases(path, "judgement"):
        count += 1
        for place, name in enumerate(("PF_scores", "SC_scores")):
            official = case["official"]["result"][name]
            replies = _last_pair(case["input"])[place]
            if isinstance(official, str) or str(official.get("reasoning", "")).startswith("guess_if_cannot"):
                with pytest.raises(SampleError):
                    omnicontext_grade(replies)
                continue
            score = official.get("score") if isinstance(official, dict) else None
            score = score[0] if isinstance(score, list) and len(score) == 1 else score
            if isinstance(score, int | float) and 0 <= score <= 10:
                assert omnicontext_grade(replies) == score
            else:
                with pytest.raises(SampleError):
                    omnicontext_grade(replies)
    for case in _cases(path, "statistics"):
        count += 1
        means: dict[str, dict[str, float]] = {"PF": {}, "SC": {}, "overall": {}}
        for kind, rows in case["input"].items():
            rows = [row for row in rows if row["instruction_language"] == "en"]
            if rows:
                pairs = [(row["PF_score"], row["SC_score"]) for row in rows]
                means["PF"][kind] = sum(a for a, _ in pairs) / len(pairs)
                means["SC"][kind] = sum(b for _, b in pairs) / len(pairs)
                means["overall"][kind] = sum(math.sqrt(a * b) for a, b in pairs) / len(pairs)
        for name, found in means.items():
            wanted = {kind: value for kind, value in case["official"][name].items() if not math.isnan(value)}
            assert found == pytest.approx(wanted)
    compared("OmniContext", count)


def _last_pair(replies: list[str]) -> tuple[list[str], list[str]]:
    """Replies to either question. The second is read only where the first of its round could be read."""
    first, second = [], []
    for one, other in zip(replies[::2], replies[1::2], strict=True):
        first.append(one)
        try:
            omnicontext_reply(one)
        except SampleError:
            continue
        second.append(other)
    return first, second


@_every("dreambenchpp")
def test_dreambench_plus_plus_agrees(path: Path, compared: Compared) -> None:
    parses, scores = _cases(path, "parse"), _cases(path, "score")
    for case in parses:
        assert dreambench_grade(case["input"]) == case["official"]
    places = {"photorealistic": range(4), "style_transfer": range(4, 7), "imaginative": range(7, 9)}
    for case in scores:
        for name, official in case["official"].items():
            grades = [
                grade
                for key, grade in case["input"].items()
                if name == "None" or name in key or int(key.split("-")[-1]) in places.get(name, ())
            ]
            if isinstance(official, dict):
                assert not grades
            else:
                assert sum(grades) / len(grades) / 4 == pytest.approx(official)
    compared("DreamBench++", len(parses) + len(scores))


@_every("mmie")
def test_mmie_agrees(path: Path, compared: Compared) -> None:
    parses, summaries = _cases(path, "parse"), _cases(path, "summary")
    for case in parses:
        assert mmie_grade(case["input"]) == case["official"]
    for case in summaries:
        grades: dict[str, list[int]] = {"avg": [], "SA": [], "PBL": [], "MSR": []}
        for row in case["input"]:
            grade = mmie_grade(row["gpt_feedback"])
            if grade is not None and 0 <= grade <= 6:
                grades["avg"].append(grade)
                grades[row["id"].split("-")[0]].append(grade)
        assert len(grades["avg"]) == case["official"]["n"]
        for name, column in grades.items():
            mean = round(sum(column) / len(column), 3) if column else None
            assert mean == pytest.approx(case["official"][name])
    compared("MMIE", len(parses) + len(summaries))


@_every("opening")
def test_opening_agrees(path: Path, compared: Compared) -> None:
    scores, battles = _cases(path, "scores"), _cases(path, "win rates")
    for case in scores:
        entries: dict[str, list[dict[str, Any]]] = {}
        for entry in case["input"]:
            graded = {
                name: one["Score"]
                for name, one in (entry.get("score") or {}).items()
                if isinstance(one, dict) and "Score" in one
            }
            entries.setdefault(entry["model"]["name"], []).append(graded)
        for model, official in case["official"].items():
            wanted = {name: value for name, value in official.items() if name != "Rank" and value is not None}
            assert opening_scores(entries[model]) == pytest.approx(wanted)
    for case in battles:
        rows = [(row["model_A"]["name"], row["model_B"]["name"], row["winner"]) for row in case["input"]]
        names = {"tie2ABdiv": "divided", "without_tie": "left-out", "with_tie": "lost"}
        for official, ties in names.items():
            found = win_rates(rows, ties)  # type: ignore[arg-type]
            shown = {f"{model}: {rate:.2%}" for model, rate in found.items()}
            assert shown == set(case["official"][official])
    compared("OpenING", len(scores) + len(battles))
