"""The self-check keeps the batches of sound adapters in every precision, and finds planted bugs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from evalsuite.dreamllm.adapter import DreamLLMAdapter
from evalsuite.engine import plan_task
from evalsuite.engine.batching import Batch, scope_of
from evalsuite.engine.plan import Item
from evalsuite.engine.prepare import Ready, make_ready
from evalsuite.engine.self_check import verdicts_of
from evalsuite.engine.worker import Worker
from evalsuite.model import ModelInfo, Prepared
from evalsuite.registry import load_registry
from evalsuite.request import (
    GenerateDocument,
    GenerateImages,
    GenerateText,
    Output,
    Request,
    ScoreChoices,
    TextResponse,
)
from evalsuite.running.resolving import build_model, build_task, resolve
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from tests.engine.planted import BUGS, CAPTIONS, CHOICES, DOCUMENTS, EDITS, IMAGES, LIKELIHOODS, TEXT, Bug
from tests.engine.test_worker import SCOPE, batch

SAMPLES = 8
STEPS = 6


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


def quick(output: Output) -> Output:
    """The same with few denoising steps: only the batch is looked at, and a CPU takes a second for each."""
    if isinstance(output, GenerateImages):
        return replace(output, steps=STEPS)
    if isinstance(output, GenerateDocument):
        return replace(output, image=replace(output.image, steps=STEPS))
    return output


@cache
def requests(task: str, dtype: str) -> tuple[Ready, ...]:
    registry = load_registry()
    name = TEXT if task == LIKELIHOODS else task
    spec = resolve(RunSpec(model=ModelSpec(name="dreamllm-mini"), tasks=(TaskSpec(name=name),)), registry)
    plan = plan_task(name, build_task(spec.tasks[0], registry), seed=0, limit=SAMPLES)
    items = [Item(sample) for sample in plan.samples()]
    asked = [plan.task.request(item.sample) for item in items]
    items = [
        replace(item, request=replace(request, output=OUTPUTS.get(task, quick(request.output))))
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


@pytest.mark.slow
@pytest.mark.parametrize(("task", "dtype"), CASES)
def test_a_sound_adapter_keeps_its_batches(task: str, dtype: str) -> None:
    _, limit, notes = reviewed(task, dtype)
    assert limit == SAMPLES
    assert notes == ()


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_in_bfloat16(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    requests(bug.task, "bfloat16")
    bug.plant(monkeypatch)
    _, limit, notes = reviewed(bug.task, "bfloat16")
    assert limit == 1, "the bug was taken for rounding"
    assert "one at a time" in notes[0]


class Scripted:
    """A model in half precision whose device step is a function."""

    def __init__(self, answer: Callable[[Sequence[Prepared]], list[TextResponse]], **more: object) -> None:
        self.info = ModelInfo("scripted", "1", None, {"dtype": "bfloat16"})
        self.asked = 0
        self._answer = answer
        for name, value in more.items():
            setattr(self, name, value)

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, None)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        self.asked += 1
        return self._answer(batch)


def echo(batch: Sequence[Prepared]) -> list[TextResponse]:
    return [TextResponse(str(item.payload)) for item in batch]


def network(dtype: torch.dtype = torch.bfloat16) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2).to(dtype)


def test_the_float32_verdict_is_remembered_for_the_same_adapter_and_weights(tmp_path: Path) -> None:
    first, again, other = (Scripted(echo, networks=(network(),)) for _ in range(3))
    other.info = replace(other.info, fingerprint="2")
    for model in (first, again, other):
        worker = Worker(model, verdicts=verdicts_of(model, tmp_path))
        assert worker.run(batch(8)).notes == ()
    assert first.asked - again.asked == 5, "a batch of four and its members alone, in float32"
    assert other.asked == first.asked


def test_without_networks_the_note_says_that_float32_was_not_tried() -> None:
    result = Worker(Scripted(echo)).run(batch(8))
    assert "not in float32: the adapter does not name its networks" in result.notes[0]


def test_widened_weights_are_the_same_bits_afterwards() -> None:
    from evalsuite.model.probing import float32_hindrance, in_float32

    module = network()
    before = module.state_dict()
    kept = {name: weight.clone() for name, weight in before.items()}
    assert float32_hindrance([module]) == ""

    def failing() -> None:
        with in_float32([module]):
            assert all(weight.dtype == torch.float32 for weight in module.parameters())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert all(weight.dtype == torch.bfloat16 for weight in module.parameters())
    assert all(torch.equal(weight, kept[name]) for name, weight in module.state_dict().items())


def test_offloaded_and_quantised_weights_are_not_widened() -> None:
    from evalsuite.model.probing import float32_hindrance

    offloaded = network()
    offloaded._hf_hook = object()  # type: ignore[assignment]
    assert "offloaded" in float32_hindrance([offloaded])
    with torch.device("meta"):
        assert "offloaded" in float32_hindrance([torch.nn.Linear(2, 2)])


@pytest.mark.parametrize(("invariant", "limit"), [(False, 8), (True, 1)])
def test_batch_invariance_is_asked_for(invariant: bool, limit: int) -> None:
    """Half of the texts change with the shape of the batch, as rounding does it; copies change as well."""

    def rounded(asked: Sequence[Prepared]) -> list[TextResponse]:
        mark = "!" if len(asked) > 1 else ""
        return [TextResponse(f"{item.payload}{mark * (item.payload % 2)}") for item in asked]

    worker = Worker(Scripted(rounded), batch_invariant=invariant)
    worker.run(batch(8))
    assert worker.limit(SCOPE, 8) == limit


def test_a_batch_of_other_rows_is_a_bug_in_half_precision_too() -> None:
    def shifted(asked: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse(str(item.payload)) for item in [*asked[1:], asked[0]]]

    worker = Worker(Scripted(shifted))
    assert "100% of the texts" in worker.run(batch(8)).notes[0]
    assert worker.limit(SCOPE, 8) == 1
