"""The self-check keeps the batches of sound adapters in every precision, and finds planted bugs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from evalsuite.dreamllm.adapter import DreamLLMAdapter
from evalsuite.engine import plan_task
from evalsuite.engine.batching import Batch, scope_of
from evalsuite.engine.plan import Item
from evalsuite.engine.prepare import Ready, make_ready
from evalsuite.engine.worker import Worker
from evalsuite.registry import load_registry
from evalsuite.request import GenerateText, Output, ScoreChoices
from evalsuite.running.resolving import build_model, build_task, resolve
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from tests.engine.planted import BUGS, CAPTIONS, CHOICES, DOCUMENTS, EDITS, IMAGES, LIKELIHOODS, TEXT, Bug

SAMPLES = 8


@cache
def model_in(dtype: str) -> DreamLLMAdapter:
    spec = RunSpec(
        model=ModelSpec(name="dreamllm-mini", device="cpu", dtype=dtype), tasks=(TaskSpec(name=TEXT),)
    )
    made = build_model(spec, load_registry())
    assert isinstance(made, DreamLLMAdapter)
    return made


OUTPUTS: dict[str, Output] = {
    CAPTIONS: GenerateText(max_new_tokens=24),
    LIKELIHOODS: ScoreChoices(("two", "the red circle", "a square above it")),
}
"""What is asked for in place of the task's own output."""


@cache
def requests(task: str, dtype: str) -> tuple[Ready, ...]:
    registry = load_registry()
    name = TEXT if task == LIKELIHOODS else task
    spec = resolve(RunSpec(model=ModelSpec(name="dreamllm-mini"), tasks=(TaskSpec(name=name),)), registry)
    plan = plan_task(name, build_task(spec.tasks[0], registry), seed=0, limit=SAMPLES)
    items = [Item(sample) for sample in plan.samples()]
    if task in OUTPUTS:
        asked = [plan.task.request(item.sample) for item in items]
        items = [
            replace(item, request=replace(request, output=OUTPUTS[task]))
            for item, request in zip(items, asked, strict=True)
            if request is not None
        ]
    model = model_in(dtype)
    found = [make_ready(plan.task, model, 0, item) for item in items]
    assert not [ready.error for ready in found if ready.error]
    return tuple(sorted(found, key=lambda ready: -ready.cost))


def reviewed(task: str, dtype: str) -> tuple[Worker, int, tuple[str, ...]]:
    items = requests(task, dtype)
    scope = scope_of(task, items[0])
    worker = Worker(model_in(dtype))
    result = worker.run(Batch(scope, items))
    assert len(result.outcomes) == len(items)
    return worker, worker.limit(scope, len(items)), result.notes


CASES = [
    *((task, "float32") for task in (TEXT, CAPTIONS, CHOICES, LIKELIHOODS, IMAGES)),
    *((task, "bfloat16") for task in (TEXT, CAPTIONS, CHOICES, LIKELIHOODS, IMAGES, EDITS, DOCUMENTS)),
    *((task, "float16") for task in (TEXT, LIKELIHOODS)),  # images take a CPU minutes
]


@pytest.mark.parametrize(("task", "dtype"), CASES)
def test_a_sound_adapter_keeps_its_batches(task: str, dtype: str) -> None:
    _, limit, notes = reviewed(task, dtype)
    assert limit == SAMPLES
    assert notes == ()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_in_bfloat16(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    requests(bug.task, "bfloat16")
    bug.plant(monkeypatch)
    _, limit, notes = reviewed(bug.task, "bfloat16")
    assert limit == 1, "the bug was taken for rounding"
    assert "one at a time" in notes[0]
