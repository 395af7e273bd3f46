"""DreamLLM on the pretended GPU: every capability runs there, and how often the host waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from evalsuite.dreamllm import adapter as adapters
from evalsuite.dreamllm.generation import choose
from evalsuite.model import Prepared
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import GenerateDocument, GenerateImages, GenerateText, Output, ScoreChoices
from tests.device.conftest import TABLE
from tests.device.pretended import NAME, PretendedGpu
from tests.engine.planted import CAPTIONS, DOCUMENTS, EDITS, IMAGES, TEXT
from tests.engine.test_self_check import requests

PROMPT = 12
"""Waits and more that a prompt may cost once, whatever is written then."""
STEPS = 4


@pytest.fixture
def model(gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    dtype = getattr(request, "param", torch.float32)
    monkeypatch.setattr(adapters, "resolve", lambda options: (torch.device(f"{NAME}:0"), dtype))
    entry, argument = load_registry().model("dreamllm-mini")
    made: Any = entry.build(ModelOptions(argument=argument, device="cpu", options={"steps": str(STEPS)}))
    assert next(made.networks[0].parameters()).device.type == NAME
    return made


def asked(task: str, output: Output | None = None) -> list[Prepared]:
    """Prepared requests of a miniature task; preparing is the CPU's part."""
    found = [ready.prepared for ready in requests(task, "float32")]
    return [
        item if output is None else replace(item, request=replace(item.request, output=output))
        for item in found
        if item is not None
    ]


def counted(
    gpu: PretendedGpu, model: Any, method: str, batch: Sequence[Prepared], name: str, steps: Any
) -> tuple[int, int, list[Any]]:
    """Steps and waits of a device step, and its answers."""
    gpu.reset()
    answers = getattr(model, method)(batch)
    count, waits = steps(answers), sum(gpu.waits.values())
    TABLE.append((name, count, gpu.kernels, sum(gpu.uploads.values()), waits))
    assert gpu.kernels > 0
    return count, waits, answers


def longest(answers: list[Any]) -> int:
    return max(answer.tokens for answer in answers)


WRITING = {
    "greedy": GenerateText(max_new_tokens=16),
    "sampled": GenerateText(max_new_tokens=16, temperature=1.0, top_p=0.9),
    "5 beams": GenerateText(max_new_tokens=16, num_beams=5),
}


@pytest.mark.parametrize("how", WRITING)
def test_text_waits_once_a_token(gpu: PretendedGpu, model: Any, how: str) -> None:
    steps, waits, answers = counted(
        gpu, model, "generate_text", asked(CAPTIONS, WRITING[how]), f"text, {how}, 8 rows", longest
    )
    assert steps > 5
    # a beam that ends early is outlived by others, so that beams are counted to the limit
    assert waits <= (16 if how == "5 beams" else steps) + PROMPT
    assert len({answer.text for answer in answers}) > 1


def test_choices_wait_for_their_prompt_only(gpu: PretendedGpu, model: Any) -> None:
    choices = ScoreChoices(("two", "the red circle", "a square above it"))
    batch = [
        replace(item, payload=replace(item.payload, choices=tuple(
            tuple(model.processor.encode(text, bos=False)) for text in choices.choices
        )))
        for item in asked(TEXT, choices)
    ]  # fmt: skip
    _, waits, _ = counted(gpu, model, "score_choices", batch, "choices, 8 x 3", lambda answers: 1)
    assert waits <= PROMPT


@pytest.mark.parametrize("scheduler", ["ddpm", "ddim", "dpm++"])
@pytest.mark.parametrize("task", [IMAGES, EDITS])
def test_images_wait_for_no_denoising_step(gpu: PretendedGpu, model: Any, task: str, scheduler: str) -> None:
    found = []
    for steps in (STEPS, 2 * STEPS):
        output = GenerateImages(scheduler=scheduler, steps=steps)
        name = f"{'edits' if task == EDITS else 'images'}, {scheduler}, 8 rows"
        found.append(
            counted(gpu, model, "generate_images", asked(task, output), name, lambda _, steps=steps: steps)[1]
        )
    assert found[0] <= PROMPT
    assert found[1] <= found[0], "waits grow with the number of steps"


def test_documents_wait_once_a_token_and_a_few_times_an_image(gpu: PretendedGpu, model: Any) -> None:
    output = GenerateDocument(max_new_tokens=24, max_images=1, image=GenerateImages(steps=2))
    batch = asked(DOCUMENTS, output)
    steps, waits, answers = counted(
        gpu,
        model,
        "generate_documents",
        batch,
        "documents, 8 rows",
        lambda found: max(a.details["tokens"] for a in found),
    )
    images = sum(answer.details["images"] for answer in answers)
    assert images
    assert waits <= steps + 1 + 5 * images + PROMPT


@pytest.mark.parametrize("model", [torch.bfloat16, torch.float16], indirect=True)
def test_half_precision_runs_there_too(gpu: PretendedGpu, model: Any) -> None:
    assert model.generate_text(asked(TEXT, GenerateText(max_new_tokens=4)))
    assert model.generate_images(asked(EDITS, GenerateImages(steps=1))[:2])


def test_a_sampled_token_is_multinomials_with_the_rows_own_generator() -> None:
    torch.manual_seed(0)
    logits = torch.randn(6, 500) * 3
    batched = choose(logits, [torch.Generator().manual_seed(i) for i in range(6)], 0.7).tolist()
    single = [
        int(torch.multinomial((row / 0.7).softmax(-1), 1, generator=torch.Generator().manual_seed(i)))
        for i, row in enumerate(logits)
    ]
    assert batched == single
    alone = [
        choose(row[None], [torch.Generator().manual_seed(i)], 0.7).tolist()[0] for i, row in enumerate(logits)
    ]
    assert alone == single
