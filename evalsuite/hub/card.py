"""The numbers of a run in a model card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.errors import DataError
from evalsuite.store import RunReader, TaskResult

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard

SOURCE = "evalsuite"
"""As the source of a result: by it our own are found again in a card."""
_TYPES = {
    "text": "image-text-to-text",
    "choices": "image-text-to-text",
    "image": "text-to-image",
    "edit": "image-to-image",
    "interleaved": "any-to-any",
}
"""Capability -> the hub's name of the task."""


def eval_results(run: RunReader, source: str) -> list[EvalResult]:
    """The whole-task numbers of a run by its own rules, in display units, with their intervals.

    Args:
        source: address where the samples behind them are.
    """
    own = {(record.key, record.info.rules) for record in run.manifest.tasks}
    return [
        found
        for result in run.metrics()
        if (result.task, result.rules) in own
        for found in _of_task(result, source)
    ]


def _of_task(result: TaskResult, source: str) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    info = result.info
    config = f"{info.protocol}, rules {info.rules}"
    if info.judge:
        config += f", judge {info.judge}"
    return [
        EvalResult(
            task_type=_TYPES.get(info.capability, "other"),
            task_name=info.title or info.name,
            dataset_type=info.name,
            dataset_name=info.title or info.name,
            dataset_config=config,
            dataset_split=info.split or None,
            dataset_revision=result.data_fingerprint[:16] or None,
            metric_type=one.metric.name,
            metric_name=one.metric.name,
            metric_value=_shown(one.value * one.metric.scale),
            metric_args={
                "n": one.n, "failures": result.failures, "version": info.version,
                **({} if math.isnan(one.low) else {
                    "low": _shown(one.low * one.metric.scale), "high": _shown(one.high * one.metric.scale),
                    "level": one.level,
                }),
                **({} if result.limit is None else {"limit": result.limit, "seed": result.seed}),
            },
            source_name=SOURCE,
            source_url=source,
        )
        for one in result.estimates
        if not one.group and math.isfinite(one.value)
    ]  # fmt: skip


def _shown(value: float) -> float:
    return float(f"{value:.6g}")


def with_results(card: ModelCard | None, name: str, results: Sequence[EvalResult]) -> ModelCard:
    """A card with these numbers: an earlier one keeps its text and others' results; ours of the same task,
    data, protocol and metric are replaced.

    Raises:
        DataError: the card's metadata cannot be read.
    """
    from huggingface_hub import ModelCard

    title = name.rpartition("/")[2]
    if card is None:
        card = ModelCard(f"---\nmodel_name: {_quoted(title)}\n---\n\n# {title}\n")
    data: Any = card.data
    others = [one for one in (data.eval_results or ()) if not _replaced(one, results)]
    if not data.model_name:
        data.model_name = title
    data.eval_results = [*others, *results]
    try:
        return ModelCard(_document(card))
    except ValueError as error:
        raise DataError(
            f"The model card of {name} cannot be read ({error}).", "Correct its header."
        ) from error


def _document(card: ModelCard) -> str:
    return f"---\n{card.data.to_yaml()}\n---\n{card.text}"


def _replaced(old: EvalResult, new: Sequence[EvalResult]) -> bool:
    return any(
        old.source_name == SOURCE
        and old.metric_type == one.metric_type
        and (old.dataset_type, old.dataset_config, old.dataset_split)
        == (one.dataset_type, one.dataset_config, one.dataset_split)
        for one in new
    )


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)
