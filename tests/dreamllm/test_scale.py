"""The full-size recipe, built on the meta device and on a tiny model."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.scale import Common, load_recipe, optimize, prepare, shard
from evalsuite.dreamllm.training import STAGES
from evalsuite.errors import SpecError
from tests.dreamllm.recordings import TINY
from tests.dreamllm.test_published_model import config, model  # noqa: F401

RECIPE = load_recipe()
PLAIN = Common(precision="float32", gradient_checkpointing=False)
BATCH = TINY.sections["train"]["batch_joint"]


def test_the_stages_are_the_paper_s() -> None:
    assert [stage.stage for stage in RECIPE.stages] == ["align", "interleaved", "instruction"]
    assert {stage.stage for stage in RECIPE.stages} <= STAGES.keys()
    # one epoch at a global batch of 1,024
    assert [stage.steps(RECIPE.common) for stage in RECIPE.stages] == [29_297, 3_907, 352]
    assert [stage.learning_rate for stage in RECIPE.stages] == [2e-3, 2e-5, 4e-5]


def test_what_trains_at_full_size(model: DreamLLMForCausalLM) -> None:  # noqa: F811
    def trained() -> int:
        return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

    bridges = 1024 * 4096 + 4096 + 64 * 4096 + 4096 * 1024
    prepare(model, RECIPE.stages[0], RECIPE.common)
    assert trained() == bridges
    assert model.model.gradient_checkpointing
    assert (model.config.loss_weight_lm, model.config.loss_weight_vm) == (1.0, 10.0)
    prepare(model, RECIPE.stages[1], RECIPE.common)
    assert trained() == bridges + 6_738_481_152


def gradients(trained: DreamLLMForCausalLM) -> tuple[float, dict[str, torch.Tensor]]:
    torch.manual_seed(11)
    output = trained(
        torch.tensor(BATCH["input_ids"]),
        attention_mask=torch.tensor(BATCH["attention_mask"]),
        labels=torch.tensor(BATCH["labels"]),
        images=TINY.tensor("train", "batch_joint", "images"),
        images_dm=TINY.tensor("train", "batch_joint", "images_dm"),
    )
    output.loss.backward()
    found = {name: p.grad for name, p in trained.named_parameters() if p.grad is not None}
    return float(output.loss.detach()), {
        name: grad.full_tensor() if hasattr(grad, "full_tensor") else grad for name, grad in found.items()
    }


@pytest.fixture(scope="module")
def plain() -> tuple[float, dict[str, torch.Tensor]]:
    return gradients(prepare(copy.deepcopy(TINY.model), RECIPE.stages[2], PLAIN))


def assert_same(found: tuple[float, dict], plain: tuple[float, dict]) -> None:
    assert found[0] == pytest.approx(plain[0], rel=1e-5)
    assert found[1].keys() == plain[1].keys()
    for name, gradient in plain[1].items():
        assert torch.allclose(found[1][name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max())), (
            name
        )


def test_checkpointing_changes_no_gradient(plain: tuple[float, dict[str, torch.Tensor]]) -> None:
    common = Common(precision="float32", gradient_checkpointing=True)
    tiny = prepare(copy.deepcopy(TINY.model), RECIPE.stages[2], common)
    calls: list[int] = []
    tiny.model.layers[0].input_layernorm.register_forward_hook(lambda *_: calls.append(1))
    assert_same(gradients(tiny), plain)
    assert len(calls) == 2, "the layer is computed again in the backward pass"


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Any]:
    """A mesh of one process on the CPU."""
    from torch.distributed.device_mesh import init_device_mesh

    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("sharding", ["grad_op", "full"])
def test_sharding_changes_no_gradient_and_leaves_the_frozen_parts_whole(
    plain: tuple[float, dict[str, torch.Tensor]], mesh: Any, sharding: Literal["grad_op", "full"]
) -> None:
    from torch.distributed.tensor import DTensor

    common = Common(precision="float32", gradient_checkpointing=True, sharding=sharding)
    tiny = shard(prepare(copy.deepcopy(TINY.model), RECIPE.stages[2], common), mesh, common)
    whole = [name for name, p in tiny.named_parameters() if not isinstance(p, DTensor)]
    assert {name.split(".")[0] for name in whole} == {"vision", "unet", "vae"}
    assert_same(gradients(tiny), plain)
    queries: Any = tiny.dream_queries
    before = queries.full_tensor().clone()
    optimizer, schedule = optimize(tiny, RECIPE.stages[2], RECIPE)
    for _ in range(2):
        optimizer.step()
        schedule.step()
    assert not torch.equal(queries.full_tensor(), before)


def test_the_learning_rate_warms_up_and_falls_to_nothing() -> None:
    stage = RECIPE.stages[1]
    optimizer, schedule = optimize(copy.deepcopy(TINY.model), stage, RECIPE)
    rates = []
    for _ in range(stage.steps(RECIPE.common)):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == 0
    assert max(rates) == rates[12] == pytest.approx(stage.learning_rate)
    assert rates[-1] < 1e-9


def test_a_malformed_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: x\ncommon: {sharding: some}\nstages: []\n")
    with pytest.raises(SpecError, match="sharding"):
        load_recipe(tmp_path / "x.yaml")
