"""Training at full size: the paper's recipe as data, gradient checkpointing, FSDP, optimiser and schedule.

recipe = load_recipe()
stage = recipe.stages[0]
prepare(model, stage, recipe.common)          # freeze table, loss weights, checkpointing
shard(model, mesh, recipe.common)             # after torch.distributed.init_process_group
optimizer, schedule = optimize(model, stage, recipe)
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.training import set_stage
from evalsuite.errors import SpecError

RECIPE = Path(__file__).parent / "recipe-7b.yaml"


class Common(BaseModel):
    """What all stages share; `recipe-7b.yaml` says why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight_decay: float = 0.0
    warmup_ratio: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps in which the learning rate grows."""
    max_length: int = 2048
    precision: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Of weights and activations in forward and backward; weights are kept, and gradients reduced, in
    float32."""
    gpus: int = Field(default=1, ge=1)
    batch_per_gpu: int = Field(default=1, ge=1)
    gradient_checkpointing: bool = True
    sharding: Literal["grad_op", "full"] = "grad_op"


class TrainingStage(BaseModel):
    """One run: a row of `training.STAGES` with its hyper-parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    learning_rate: float = Field(gt=0)
    epochs: int = Field(default=1, ge=1)
    samples: int = Field(ge=1)
    """Training sequences of one epoch."""
    data: str = ""

    def steps(self, common: Common) -> int:
        """Optimiser steps of the whole stage."""
        return math.ceil(self.samples * self.epochs / (common.gpus * common.batch_per_gpu))


class Recipe(BaseModel):
    """The stages in their order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str = ""
    common: Common
    stages: tuple[TrainingStage, ...]


def load_recipe(path: Path = RECIPE) -> Recipe:
    """A recipe from a YAML file. Raises SpecError for one that is malformed."""
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValueError, RecursionError, ValidationError) as error:
        raise SpecError(
            f"Recipe {path} cannot be used: {error}.", "Compare it with recipe-7b.yaml."
        ) from error


def prepare(model: DreamLLMForCausalLM, stage: TrainingStage, common: Common) -> DreamLLMForCausalLM:
    """Freeze table and loss weights of the stage, gradient checkpointing, training mode."""
    set_stage(model, stage.stage).train()
    if common.gradient_checkpointing:
        model.model.activation_checkpointing_enable({"use_reentrant": False})
        model.unet.enable_gradient_checkpointing()
    return model


def shard(model: DreamLLMForCausalLM, mesh: Any, common: Common) -> DreamLLMForCausalLM:
    """Shard what trains over a device mesh (torch's FSDP2), layer by layer of the language model.

    Vision tower, UNet and VAE are frozen (1.25 billion of the 7B model's 8 billion parameters): they stay
    whole on every device, in the recipe's precision, since there is no gradient or optimiser state to shard.

    Args:
        mesh: `torch.distributed.device_mesh.init_device_mesh("cuda", (gpus,))`.
    """
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    dtype = getattr(torch, common.precision)
    frozen_parts = (model.vision, model.unet, model.vae)
    for part in frozen_parts:
        part.to(dtype)
    options: dict[str, Any] = {
        "mesh": mesh,
        "reshard_after_forward": common.sharding == "full",
        "mp_policy": MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32),
    }
    for layer in model.model.layers:
        fully_shard(layer, **options)
    ignored = {parameter for part in frozen_parts for parameter in part.parameters()}
    fully_shard(model, ignored_params=ignored, **options)
    return model


def optimize(model: DreamLLMForCausalLM, stage: TrainingStage, recipe: Recipe) -> tuple[Any, Any]:
    """AdamW over what trains, and its learning rate: linear warm-up, then half a cosine down to 0."""
    common, steps = recipe.common, stage.steps(recipe.common)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=stage.learning_rate, weight_decay=common.weight_decay)
    warmup = math.ceil(steps * common.warmup_ratio)

    def rate(step: int) -> float:
        if step < warmup:
            return step / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
