"""The adapters of transformers and diffusers on the pretended GPU: nothing is left on the CPU by mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from evalsuite_baselines import checkpoint
from evalsuite_baselines.diffusion import adapter as pipelines

from evalsuite.content import user
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import GenerateImages, GenerateText, Request, ScoreChoices
from tests.baselines.families import CHOICES, HAS_TORCHVISION, asked, families, save
from tests.baselines.pipelines import save_all
from tests.baselines.tiny import NEEDS_TORCHVISION
from tests.device.conftest import TABLE
from tests.device.pretended import NAME, PretendedGpu

FAMILIES = ["LLaVA", "Qwen2-VL", "Idefics2", "Gemma 3", "BLIP-2 (OPT)", "Llama", "OPT"]
TOKENS = 6
PROMPT = 14


def on_the_gpu(monkeypatch: pytest.MonkeyPatch, room: Any, dtype: torch.dtype) -> None:
    monkeypatch.setattr(room, "resolve", lambda options: (torch.device(f"{NAME}:0"), dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_families_write_and_weigh_there(
    gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, dtype: torch.dtype
) -> None:
    if name in NEEDS_TORCHVISION and not HAS_TORCHVISION:
        pytest.skip("its processor needs torchvision, which is not here")
    adapter, make = families()[name]
    save(make, tmp_path)
    on_the_gpu(monkeypatch, checkpoint, dtype)
    entry, argument = load_registry().model(f"{adapter}:{tmp_path}")
    model: Any = entry.build(ModelOptions(argument=argument, device="cpu", options={"memory_check": "no"}))
    requests = asked(adapter, GenerateText(max_new_tokens=TOKENS))
    gpu.reset()
    answers = model.generate_text([model.prepare(request) for request in requests])
    assert sum(gpu.waits.values()) <= 3 * TOKENS + PROMPT
    assert len(answers) == len(requests)
    TABLE.append(
        (f"{name}, {dtype}", TOKENS, gpu.kernels, sum(gpu.uploads.values()), sum(gpu.waits.values()))
    )
    scored = model.score_choices(
        [model.prepare(request) for request in asked(adapter, ScoreChoices(CHOICES))]
    )
    assert all(len(one.log_likelihoods) == len(CHOICES) for one in scored)


def test_stable_diffusion_draws_there(
    gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save_all(tmp_path)
    on_the_gpu(monkeypatch, pipelines, torch.float32)
    entry, argument = load_registry().model(f"diffusers:{tmp_path / 'sd'}")
    options = {"steps": "3", "guidance_scale": "2.0", "memory_check": "no"}
    model: Any = entry.build(ModelOptions(argument=argument, device="cpu", options=options))
    requests = [Request((user("a red circle"),), GenerateImages(), seed=seed) for seed in range(2)]
    gpu.reset()
    first, second = model.generate_images([model.prepare(request) for request in requests])
    assert first.images[0].sha256() != second.images[0].sha256()
    TABLE.append(("Stable Diffusion", 3, gpu.kernels, sum(gpu.uploads.values()), sum(gpu.waits.values())))
