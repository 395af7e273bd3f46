"""A run as lm-evaluation-harness and lmms-eval would have written it: results JSON, sample logs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from evalsuite.engine.hashing import describe
from evalsuite.errors import StoreError
from evalsuite.notebook.sample import SampleView, views
from evalsuite.registry import Registry
from evalsuite.request import ChoiceResponse
from evalsuite.store import RunReader, TaskResult

_FILTER = "none"
"""Name of the filter that the harness puts behind a metric when it has none."""
_BLOCK = 20_000
"""Samples that are looked up together: each block walks through the benchmark's data once."""


def results_json(run: RunReader, tasks: Sequence[str]) -> dict[str, Any]:
    """The results file of lm-evaluation-harness, with its keys.

    Numbers are in natural units, as it writes them; a standard error is half the interval's width over the
    normal quantile, "N/A" where there is no interval. What it knows and a run does not (`upper_git_hash`,
    few-shot counts of our protocols) is left out or 0.

    Raises:
        StoreError: no task is scored.
    """
    found = [result for result in _own(run) if result.task in tasks]
    if not found:
        raise StoreError(f"{run.path} is not scored.", f"Finish it, or `evalsuite score {run.path}`.")
    spec, model = run.spec, run.manifest.model
    name = run.model_name
    session = run.manifest.sessions[-1] if run.manifest.sessions else None
    arguments = {"pretrained": spec.model.name.partition(":")[2] or spec.model.name, **spec.model.options}
    told: dict[str, Any] = {
        "results": {result.task: _numbers(result) for result in found},
        "group_subtasks": {result.task: [] for result in found},
        "configs": {result.task: _config(result) for result in found},
        "versions": {result.task: _version(result.info.version) for result in found},
        "n-shot": {result.task: 0 for result in found},
        "higher_is_better": {
            result.task: {metric.name: metric.higher_is_better for metric in result.info.metrics}
            for result in found
        },
        "n-samples": {
            result.task: {"original": run.manifest.task(result.task).available, "effective": result.n}
            for result in found
        },
        "config": {
            "model": spec.model.name.partition(":")[0],
            "model_args": ",".join(f"{key}={value}" for key, value in arguments.items()),
            "model_num_parameters": model.parameters if model else None,
            "model_dtype": spec.model.dtype,
            "model_sha": model.fingerprint if model else "",
            "batch_size": str(session.execution.batch_size) if session else "",
            "device": spec.model.device,
            "limit": spec.limit,
            "random_seed": spec.seed,
            "numpy_seed": spec.seed,
            "torch_seed": spec.seed,
            "fewshot_seed": spec.seed,
            "gen_kwargs": None,
        },
        "git_hash": session.environment.git_commit if session else "",
        "date": datetime.fromisoformat(session.started).timestamp() if session else 0.0,
        "task_hashes": {result.task: result.data_fingerprint for result in found},
        "model_source": spec.model.name.partition(":")[0],
        "model_name": name,
        "model_name_sanitized": re.sub(r"[\"<>:/\\|?*\[\]]+", "__", name),
        "system_instruction": None,
        "chat_template": None,
        "total_evaluation_time_seconds": str(sum(result.cost.seconds for result in found)),
        "evalsuite": {"version": run.manifest.evalsuite, "run": run.path.name},
    }
    return told


def _own(run: RunReader) -> list[TaskResult]:
    own = {(record.key, record.info.rules) for record in run.manifest.tasks}
    return [result for result in run.metrics() if (result.task, result.rules) in own]


def _numbers(result: TaskResult) -> dict[str, Any]:
    from scipy.special import ndtri

    told: dict[str, Any] = {"alias": result.task}
    for one in result.estimates:
        name = " ".join(filter(None, (one.metric.name, one.group)))
        told[f"{name},{_FILTER}"] = one.value if math.isfinite(one.value) else None
        width = one.high - one.low
        error = width / (2 * float(ndtri((1 + one.level) / 2)))
        told[f"{name}_stderr,{_FILTER}"] = error if math.isfinite(width) else "N/A"
    return told


def _config(result: TaskResult) -> dict[str, Any]:
    info = result.info
    return {
        "task": result.task,
        "dataset_path": info.source or info.name,
        "test_split": info.split,
        "output_type": {"choices": "multiple_choice"}.get(info.capability, "generate_until"),
        "num_fewshot": 0,
        "metric_list": [
            {"metric": metric.name, "aggregation": "mean", "higher_is_better": metric.higher_is_better}
            for metric in info.metrics
        ],
        "metadata": {
            "version": info.version, "protocol": info.protocol, "rules": info.rules, "judge": info.judge,
        },
    }  # fmt: skip


def _version(text: str) -> Any:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def sample_lines(run: RunReader, task: str, registry: Registry | None) -> Iterator[dict[str, Any]]:
    """The sample log of lmms-eval (`--log_samples`), a line per sample, in the order of the ids.

    `resps` are the answers as they were said, `filtered_resps` what the scorer understood; scores stand under
    the metrics' names. Prompts and targets are empty where the benchmark's data are not here.
    """
    requests = {one.sample: one.request_hash for one in run.records(task)}
    ids = sorted(requests)
    for start in range(0, len(ids), _BLOCK):
        for number, view in enumerate(views(run, task, ids[start : start + _BLOCK], registry), start):
            yield _line(number, view, requests[view.id])


def _line(number: int, view: SampleView, digest: str) -> dict[str, Any]:
    responses = [turn.answered for turn in view.turns if turn.response is not None]
    likelihoods = [
        list(turn.response.log_likelihoods)
        for turn in view.turns
        if isinstance(turn.response, ChoiceResponse)
    ]
    line: dict[str, Any] = {
        "doc_id": number,
        "question_id": view.id,
        "input": view.prompt,
        "target": describe(view.reference) if view.reference is not None else "",
        "resps": [responses] if responses else [],
        "filtered_resps": [view.parsed or responses[-1]] if responses else [],
        "doc_hash": digest,
        **view.scores,
    }
    if likelihoods:
        line["log_likelihoods"] = likelihoods[-1]
    if view.failure or any(turn.error for turn in view.turns):
        line["failure"] = view.failure or next(turn.error for turn in view.turns if turn.error)
    if view.labels:
        line["labels"] = dict(view.labels)
    return line


def write_lines(path: Path, lines: Iterator[dict[str, Any]]) -> int:
    """Writes them as JSON Lines; how many there are."""
    from evalsuite.durable import writing

    count = 0
    with writing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
            count += 1
    return count
