"""From a work folder to the folders that are shipped: half precision, frozen parts once, records beside
the weights."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, CLIPModel

from .clip import save_clip
from .dream import build_dream
from .recipe import Recipe

FOLDERS = {"joint": "dreamllm", "comprehension": "dreamllm-comprehension", "creation": "dreamllm-creation"}
"""Chain -> folder of its last stage; other chains get "dreamllm-" and their name."""
REFERENCES = {"vision": "../clip", "unet": "../sd/unet", "vae": "../sd/vae"}


def round_parts(work: Path, parts: Sequence[str]) -> None:
    """Save trained parts in half precision to `work/ship`; DreamLLM is trained on the rounded ones."""
    for part in parts:
        source, target = work / "parts" / part, work / "ship" / part
        if part == "clip":
            clip = CLIPModel.from_pretrained(source, dtype=torch.float16)
            save_clip(clip, AutoTokenizer.from_pretrained(source), target)
            _record(target, [work / "clip" / "training.json"])
        else:
            from diffusers import StableDiffusionPipeline

            pipeline = StableDiffusionPipeline.from_pretrained(source, torch_dtype=torch.float16)
            pipeline.save_pretrained(target)
            _record(target, [work / "vae" / "training.json", work / "diffusion" / "training.json"])


def ship(recipe: Recipe, work: Path) -> None:
    """Write every chain's last stage, and the joint chain's stage I, to `work/ship`."""
    for name, chain in recipe.dream.items():
        folder = FOLDERS.get(name, f"dreamllm-{name}")
        save_dream(recipe, work, name, chain.stages[-1].stage, folder)
        if name == "joint":
            save_dream(recipe, work, name, chain.stages[0].stage, f"{folder}-stage1")
    (work / "ship" / "done.txt").write_text("\n".join(sorted(recipe.dream)) + "\n")


def save_dream(recipe: Recipe, work: Path, name: str, stage: int, folder: str) -> None:
    """Write one DreamLLM folder: learnt weights in half precision, frozen parts by reference, tokenizer,
    record."""
    model = build_dream(recipe, name, work, decoder=True)
    found = model.load_state_dict(
        load_file(work / "dream" / name / f"stage-{stage}.safetensors"), strict=False
    )
    if found.unexpected_keys:
        raise ValueError(f"stage {stage} of {name} holds unknown weights: {found.unexpected_keys[:3]}")
    model.config.loss_weight_lm, model.config.loss_weight_vm = 1.0, 10.0
    target = work / "ship" / folder
    model.save_pretrained(target, reference=REFERENCES, dtype=torch.float16)
    AutoTokenizer.from_pretrained(work / "parts" / "lm").save_pretrained(target)
    earlier = [work / "language" / "training.json"]
    earlier += [
        work / "dream" / name / f"stage-{s.stage}.json" for s in recipe.dream[name].stages if s.stage <= stage
    ]
    _record(target, earlier)


def _record(folder: Path, records: Sequence[Path]) -> None:
    """Put the records of the trainings that made a folder beside its weights, with a thinned loss curve."""
    found = []
    for path in records:
        if path.exists():
            record = json.loads(path.read_text())
            curve = record.pop("curve")
            record["curve"] = curve[:: max(1, len(curve) // 20)]
            found.append(record)
    (folder / "training.json").write_text(json.dumps(found, indent=1) + "\n")
