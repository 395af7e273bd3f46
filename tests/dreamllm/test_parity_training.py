"""Losses, gradients and training sequences equal those of the original code."""

from __future__ import annotations

import copy

import pytest
import torch

from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.training import STAGES, SequenceBuilder, Stage, set_stage
from tests.dreamllm.recordings import VARIANTS, Variant, assert_close, assert_same

pytestmark = pytest.mark.parametrize("variant", VARIANTS, ids=repr)
LOSS, GRADIENT = 2e-5, 1e-4
CASES = sorted(
    {
        name
        for variant in VARIANTS
        for name, case in variant.sections.get("train", {}).items()
        if "grad_norms" in case
    }
)
NAMES = {
    "model.clip_vision_embedding.projector.projector.": "vision_projector.",
    "model.clip_vision_embedding.post_layernorm.": "vision_norm.",
    "model.dream_embedding.dream_queries": "dream_queries",
    "stable_diffusion_head.projector.projector.": "condition_projector.",
}


def our_name(name: str) -> str:
    for theirs, ours in NAMES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def trained_on(variant: Variant, name: str) -> tuple[DreamLLMForCausalLM, object]:
    """The model after a backward pass of a recorded case, and the output."""
    case = variant.case("train", name)
    batch_name = f"batch_{case['batch']}"
    batch = variant.case("train", batch_name)
    model = copy.deepcopy(variant.model)
    stage = "align" if name.startswith("stage1") else "instruction"
    set_stage(model, Stage(STAGES[stage].trained, case["loss_weight_lm"], case["loss_weight_vm"], "recorded"))
    config, head = model.config, case["head"]
    config.loss_scale_schedule = case["loss_scale_schedule"]
    config.condition_dropout = head["drop_prob"]
    config.condition_dropout_queries = False
    config.noise_offset, config.input_perturbation = head["noise_offset"], head["input_perturbation"]
    config.snr_gamma = head["snr_gamma"]
    images, targets = (
        variant.tensor("train", batch_name, kind) if variant.has("train", batch_name, kind) else None
        for kind in ("images", "images_dm")
    )
    model.train()
    torch.manual_seed(case["torch_manual_seed"])
    output = model(
        torch.tensor(batch["input_ids"]),
        attention_mask=torch.tensor(batch["attention_mask"]),
        labels=torch.tensor(batch["labels"]),
        images=images,
        images_dm=targets,
    )
    output.loss.backward()
    return model, output


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_losses_and_gradients(variant: Variant, name: str) -> None:
    case = variant.case("train", name)
    model, output = trained_on(variant, name)
    assert_close(output.loss, torch.tensor(case["loss"]), LOSS, "train")  # type: ignore[attr-defined]
    for kind, value in case["log"].items():
        got = getattr(output, kind)
        assert_close(torch.tensor(0.0) if got is None else got, torch.tensor(value), LOSS, "train")
    ours = dict(model.named_parameters())
    scale = max(case["grad_norms"].values())
    for theirs, norm in case["grad_norms"].items():
        gradient = ours[our_name(theirs)].grad
        got = 0.0 if gradient is None else float(gradient.norm())
        assert_close(torch.tensor(got), torch.tensor(norm), GRADIENT, "train", scale=max(norm, 1e-3 * scale))
    for key in case.get("tensors", {}):
        if key.startswith("grad:"):
            gradient = ours[our_name(key.removeprefix("grad:"))].grad
            assert gradient is not None
            assert_close(gradient, variant.tensor("train", name, key), GRADIENT, "train")
    frozen = [
        name for name, p in ours.items() if p.grad is not None and name.startswith(("unet", "vae", "vision."))
    ]
    assert frozen == []


def test_the_checkpoint_s_own_settings_are_read(variant: Variant) -> None:
    case, config = variant.case("train", "joint_as_configured"), variant.model.config
    got = {
        "drop_prob": config.condition_dropout,
        "noise_offset": config.noise_offset,
        "input_perturbation": config.input_perturbation,
        "snr_gamma": config.snr_gamma,
    }
    assert_same(got, case["head"], "train")
    for name in ("loss_weight_lm", "loss_weight_vm", "loss_scale_schedule"):
        assert_same(getattr(config, name), case[name], "train")
    assert_same(variant.model.training_noise.config.prediction_type, case["prediction_type"], "train")


def test_training_sequences(variant: Variant) -> None:
    """Rebuild every recorded sequence from its runs of text and blocks."""
    tokens, processor = variant.processor.tokens, variant.processor
    for case in variant.cases("dataset").values():
        ids, labels = case["input_ids"], case["labels"]
        builder = SequenceBuilder(tokens, processor.num_patches, processor.num_dream_queries)
        position = 0
        while position < len(ids):
            if ids[position] == tokens.dream_start:
                builder.dream(learn_start=labels[position] != -100)
                position += processor.num_dream_queries + 2
            elif ids[position] == tokens.image_start:
                builder.image()
                position += processor.num_patches + 2
            else:
                builder.text([ids[position]], learn=labels[position] != -100)
                position += 1
        built = builder.build()
        assert_same([list(built.ids), list(built.labels)], [ids, labels], "dataset")
