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
from tests.baselines.families import CHOICES, HAS_TORCHVISION, asked, families, picture, save
from tests.baselines.pipelines import save_all
from tests.baselines.tiny import NEEDS_TORCHVISION
from tests.device.conftest import TABLE
from tests.device.pretended import NAME, PretendedGpu

FAMILIES = ["LLaVA", "Qwen2-VL", "Idefics2", "Gemma 3", "BLIP-2 (OPT)", "Llama", "OPT"]
TOKENS = 6
PROMPT = 14


def on_the_gpu(monkeypatch: pytest.MonkeyPatch, room: Any, dtype: torch.dtype) -> None:
    monkeypatch.setattr(room, "resolve", lambda options: (torch.device(f"{NAME}:0"), dtype))


WRITING = {
    "greedy": GenerateText(max_new_tokens=TOKENS),
    "sampled": GenerateText(max_new_tokens=TOKENS, temperature=1.0),
    "stop strings": GenerateText(max_new_tokens=TOKENS, stop=("zzz",)),
    "3 beams": GenerateText(max_new_tokens=TOKENS, num_beams=3),
}


def built(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, dtype: torch.dtype) -> tuple[str, Any]:
    adapter, make = families()[name]
    save(make, folder)
    on_the_gpu(monkeypatch, checkpoint, dtype)
    entry, argument = load_registry().model(f"{adapter}:{folder}")
    options = {"memory_check": "no"}
    return adapter, entry.build(ModelOptions(argument=argument, device="cpu", options=options))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_families_write_and_weigh_there(
    gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, dtype: torch.dtype
) -> None:
    if name in NEEDS_TORCHVISION and not HAS_TORCHVISION:
        pytest.skip("its processor needs torchvision, which is not here")
    adapter, model = built(monkeypatch, tmp_path, name, dtype)
    for how, output in WRITING.items():
        requests = asked(adapter, output)
        gpu.reset()
        answers = model.generate_text([model.prepare(request) for request in requests])
        waits = sum(gpu.waits.values())
        TABLE.append((f"{name}, {dtype}, {how}", TOKENS, gpu.kernels, sum(gpu.uploads.values()), waits))
        # the library counts a batch's images per beam, once for every prompt
        images = 4 * len(requests) if how == "3 beams" and adapter == "transformers" else 0
        assert waits <= TOKENS + PROMPT + images, gpu.waits
        assert len(answers) == len(requests)
    gpu.reset()
    scored = model.score_choices(
        [model.prepare(request) for request in asked(adapter, ScoreChoices(CHOICES))]
    )
    assert all(len(one.log_likelihoods) == len(CHOICES) for one in scored)


def test_prompts_of_choices_are_computed_once_and_waited_for_once(
    gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    adapter, model = built(monkeypatch, tmp_path, "Llama", torch.float32)
    found = []
    for choices in (CHOICES, CHOICES * 8):
        batch = [model.prepare(request) for request in asked(adapter, ScoreChoices(choices))]
        model.score_choices(batch)  # the comparison with whole passes is made once
        gpu.reset()
        model.score_choices(batch)
        found.append(sum(gpu.waits.values()))
        TABLE.append((f"Llama, {len(choices)} choices", 1, gpu.kernels, sum(gpu.uploads.values()), found[-1]))
    assert found[0] <= 3
    assert found[1] == found[0], "waits grow with the number of choices"


PIPELINES = [
    *[("sd", scheduler) for scheduler in ("", "ddpm", "ddim", "dpm++", "euler")],
    ("ip2p", ""), ("flux", ""), ("sd3", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def pipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines")
    save_all(folder)
    return folder


@pytest.mark.parametrize(("name", "scheduler"), PIPELINES)
def test_a_denoising_step_waits_twice_at_most(
    gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch, pipes: Path, name: str, scheduler: str
) -> None:
    on_the_gpu(monkeypatch, pipelines, torch.float32)
    entry, argument = load_registry().model(f"diffusers:{pipes / name}")
    parts = [picture(0)] if name == "ip2p" else []
    requests = [Request((user(*parts, "a red circle"),), GenerateImages(), seed=seed) for seed in range(2)]
    found = []
    for steps in (3, 6):
        options = {"steps": str(steps), "memory_check": "no"}
        options |= {"scheduler": scheduler} if scheduler else {}
        model: Any = entry.build(ModelOptions(argument=argument, device="cpu", options=options))
        gpu.reset()
        first, second = model.generate_images([model.prepare(request) for request in requests])
        assert first.images[0].sha256() != second.images[0].sha256()
        found.append(sum(gpu.waits.values()))
        label = f"diffusers, {name} {scheduler}".rstrip()
        TABLE.append((label, steps, gpu.kernels, sum(gpu.uploads.values()), found[-1]))
    assert found[1] - found[0] <= 2 * 3, gpu.waits
    assert found[0] <= 2 * 3 + PROMPT, gpu.waits
