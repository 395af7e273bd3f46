"""Language tasks: prompts, continuations and scores of lm-evaluation-harness, and its run on real data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.metrics.likelihood import choose
from evalsuite.request import ChoiceResponse
from evalsuite.task import Answered
from tests.goldens import case_files, find_support, read_json, read_text
from tests.tasks.asking import build, wording
from tests.tasks.test_language import choices, requests, written

Compared = Callable[[str, int], None]
FILES = case_files("*llm_cases*.json*")
TASKS = [(path, name) for path in FILES for name in dict.fromkeys(row[0] for row in read_json(path)["rows"])]


@pytest.mark.parametrize(("path", "name"), TASKS, ids=[name for _, name in TASKS])
def test_prompts_continuations_and_scores_are_the_harnesss(
    path: Path, name: str, tmp_path: Path, compared: Compared
) -> None:
    golden = [row for row in read_json(path)["rows"] if row[0] == name]
    protocol = "lm-eval-zero-shot" if name == "mmlu" else "lm-eval"
    task = build(name, written(name, [row[1] for row in golden], tmp_path), protocol=protocol)
    answered = []
    for sample, (_, _, context, continuations, gold, given, _) in zip(task.samples(), golden, strict=True):
        made = requests(task, sample)
        head = "The following are multiple choice questions (with answers) about us foreign policy.\n\n"
        expected = [head + context] if name == "mmlu" else context if isinstance(context, list) else [context]
        assert [wording(request) for request in made] == expected
        assert choices(made[0]) == tuple([continuations] if isinstance(continuations, str) else continuations)
        assert task.target(sample) == gold
        sums = [float("-inf") if value is None else value for value in given]
        per_request = [(value,) for value in sums] if len(made) > 1 else [tuple(sums)]
        answered.append(Answered(sample, tuple(ChoiceResponse(values) for values in per_request)))
    rows = task.score(answered).rows
    for row, case in zip(rows, golden, strict=True):
        assert row.values["accuracy"] == case[6]["acc"]
        if "normalised accuracy" in row.values:
            assert row.values["normalised accuracy"] == case[6]["acc_norm"]
    compared(f"language, {name}: prompts and scores", len(rows))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_log_likelihoods_decide_as_in_the_harness(path: Path, compared: Compared) -> None:
    rows = read_json(path)["rows"]
    for _, document, _, continuations, gold, sums, metrics in rows:
        if isinstance(continuations, str):  # one continuation after two contexts
            texts = [document["option1"], document["option2"]]
        else:
            texts = [continuation.removeprefix(" ") for continuation in continuations]
        chosen = choose([float("-inf") if value is None else value for value in sums], texts)
        ours = {"acc": chosen.plain, "acc_norm": chosen.per_character, "acc_bytes": chosen.per_byte}
        assert metrics == {name: float(ours[name] == gold) for name in metrics}
    compared("language, log-likelihood rules", len(rows))


@pytest.mark.parametrize("path", case_files("piqa*lmeval*.json*"), ids=lambda path: path.name)
def test_the_harnesss_run_on_real_piqa_is_scored_as_it_was_there(
    path: Path, tmp_path: Path, compared: Compared
) -> None:
    for name in ("valid.jsonl", "valid-labels.lst"):
        source = find_support("language", f"piqa_{name}")
        if source is None:
            pytest.skip("PIQA's validation files are not here")
        (tmp_path / name).write_text(read_text(source))
    run = read_json(path)
    task = build("piqa", tmp_path)
    samples = list(task.samples())
    given = [Answered(samples[row[0]], (ChoiceResponse(tuple(row[2])),)) for row in run["rows"]]
    rows = task.score(given).rows
    assert [(r.values["accuracy"], r.values["normalised accuracy"]) for r in rows] == [
        (row[3], row[4]) for row in run["rows"]
    ]
    mean = sum(r.values["normalised accuracy"] for r in rows) / len(rows)
    assert mean == pytest.approx(run["results"]["acc_norm,none"])
    compared("language, the harness's run on PIQA", len(rows))
