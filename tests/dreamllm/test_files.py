"""Checkpoints: saved, loaded, referred to, of another make, damaged."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from evalsuite.dreamllm.conversation import Mark
from evalsuite.dreamllm.diffusion import ImageSampler, SamplingConfig
from evalsuite.dreamllm.keys import modern_attention
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.processing import DreamLLMProcessor
from evalsuite.errors import CheckpointError
from evalsuite.model.schedulers import build_scheduler
from tests.dreamllm.recordings import TINY as VARIANT


@pytest.fixture
def model() -> DreamLLMForCausalLM:
    return copy.deepcopy(VARIANT.model)


def equal(first: DreamLLMForCausalLM, second: DreamLLMForCausalLM) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_saved_and_loaded_is_bit_equal(model: DreamLLMForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    VARIANT.processor.save_pretrained(tmp_path)
    assert equal(DreamLLMForCausalLM.from_pretrained(tmp_path), model)
    again = DreamLLMProcessor.from_pretrained(tmp_path)
    pieces: list[str | Mark] = [" Look: ", Mark.IMAGE, "what?", Mark.EOS]
    assert again.encode(pieces) == VARIANT.processor.encode(pieces)
    assert again.images == VARIANT.processor.images


def test_sharded_files_load(model: DreamLLMForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path, max_shard_size="300KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert equal(DreamLLMForCausalLM.from_pretrained(tmp_path), model)


@pytest.mark.slow
def test_half_precision_file_is_half_as_large(model: DreamLLMForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "full")
    model.save_pretrained(tmp_path / "half", dtype=torch.float16)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = DreamLLMForCausalLM.from_pretrained(tmp_path / "half")
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded.dream_queries, model.dream_queries.half().float())


@pytest.fixture
def family(model: DreamLLMForCausalLM, tmp_path: Path) -> Path:
    """A checkpoint that refers to frozen parts beside it."""
    model.vision.save_pretrained(tmp_path / "clip")
    model.unet.save_pretrained(tmp_path / "sd" / "unet")
    model.vae.save_pretrained(tmp_path / "sd" / "vae")
    links = {"vision": "../clip", "unet": "../sd/unet", "vae": "../sd/vae"}
    model.save_pretrained(tmp_path / "one", reference=links)
    return tmp_path


def test_referred_parts_are_not_written_twice(model: DreamLLMForCausalLM, family: Path) -> None:
    links = json.loads((family / "one" / "references.json").read_text())
    assert {part: link["path"] for part, link in links.items()}["unet"] == "../sd/unet"
    model.save_pretrained(family / "whole")
    sizes = [(family / name / "model.safetensors").stat().st_size for name in ("one", "whole")]
    assert sizes[0] < 0.7 * sizes[1]
    assert equal(DreamLLMForCausalLM.from_pretrained(family / "one"), model)


def test_a_family_can_be_moved(
    model: DreamLLMForCausalLM, family: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "family"
    shutil.copytree(family, elsewhere)
    assert equal(DreamLLMForCausalLM.from_pretrained(elsewhere / "one"), model)


def test_a_changed_part_is_noticed(model: DreamLLMForCausalLM, family: Path) -> None:
    with torch.no_grad():
        model.vae.decoder.conv_out.bias.add_(1)
    model.vae.save_pretrained(family / "sd" / "vae")
    with pytest.raises(CheckpointError, match="sha256"):
        DreamLLMForCausalLM.from_pretrained(family / "one")


def test_a_part_that_differs_cannot_be_referred_to(model: DreamLLMForCausalLM, family: Path) -> None:
    with torch.no_grad():
        model.vae.decoder.conv_out.bias.add_(1)
    with pytest.raises(CheckpointError, match="differs"):
        model.save_pretrained(family / "two", reference={"vae": "../sd/vae"})


def test_a_missing_part_is_named(family: Path) -> None:
    shutil.rmtree(family / "sd")
    with pytest.raises(CheckpointError, match="unet"):
        DreamLLMForCausalLM.from_pretrained(family / "one")


@pytest.mark.parametrize("plugin", ["clip_vision_embedding", "dream_embedding", "stable_diffusion_head"])
def test_a_missing_plugin_file_is_an_error(upstream: Path, plugin: str) -> None:
    (upstream / f"{plugin}.bin").unlink()
    with pytest.raises(CheckpointError, match=f"{plugin}.bin does not exist"):
        DreamLLMForCausalLM.from_pretrained(upstream)


def test_a_damaged_file_is_an_error(upstream: Path) -> None:
    (upstream / "dream_embedding.bin").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"dream_embedding.bin cannot be read"):
        DreamLLMForCausalLM.from_pretrained(upstream)


def test_main_weights_may_be_a_pickle(upstream: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(upstream / "model.safetensors"), upstream / "pytorch_model.bin")
    (upstream / "model.safetensors").unlink()
    assert equal(DreamLLMForCausalLM.from_pretrained(upstream), VARIANT.model)


def test_plugins_may_lie_in_the_main_file(upstream: Path) -> None:
    """FSDP training writes one full file."""
    from safetensors.torch import load_file

    whole = load_file(upstream / "model.safetensors")
    for name, prefix in (
        ("clip_vision_embedding", "model.clip_vision_embedding."),
        ("dream_embedding", "model.dream_embedding."),
        ("stable_diffusion_head", "stable_diffusion_head."),
    ):
        path = upstream / f"{name}.bin"
        whole.update({prefix + key: value for key, value in torch.load(path, weights_only=True).items()})
        path.unlink()
    (upstream / "model.safetensors").unlink()
    torch.save(whole, upstream / "pytorch_model.bin")
    assert equal(DreamLLMForCausalLM.from_pretrained(upstream), VARIANT.model)


def test_plugin_files_win_over_the_part_folders(upstream: Path) -> None:
    path = upstream / "stable_diffusion_head.bin"
    tensors = torch.load(path, weights_only=True)
    tensors["unet.conv_out.bias"] = tensors["unet.conv_out.bias"] + 1
    torch.save(tensors, path)
    loaded = DreamLLMForCausalLM.from_pretrained(upstream)
    assert torch.equal(loaded.unet.conv_out.bias, VARIANT.model.unet.conv_out.bias + 1)


def test_ids_come_from_added_tokens_not_from_config(upstream: Path) -> None:
    config = json.loads((upstream / "config.json").read_text())
    config.update(bos_token_id=0, eos_token_id=1, pad_token_id=-1)  # as in the published models
    config["special_tokens2ids_dict"] = {}
    (upstream / "config.json").write_text(json.dumps(config))
    tokens = DreamLLMForCausalLM.from_pretrained(upstream).config.tokens
    assert (tokens.bos, tokens.eos, tokens.pad) == (1, 2, VARIANT.processor.tokens.pad)


def test_another_model_is_refused(upstream: Path) -> None:
    (upstream / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(CheckpointError, match="'llama'"):
        DreamLLMForCausalLM.from_pretrained(upstream)
    with pytest.raises(CheckpointError, match="not a folder"):
        DreamLLMForCausalLM.from_pretrained(upstream / "nowhere")


def test_the_sdxl_variant_is_refused(upstream: Path) -> None:
    config = json.loads((upstream / "config.json").read_text())
    head = config["plugins_init_kwargs"]["stable_diffusion_head"]
    head["_target_"] = "omni.models.dreamllm_sdxl.modeling_plugins.StableDiffusionXLHead"
    (upstream / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="SDXL"):
        DreamLLMForCausalLM.from_pretrained(upstream)


def test_an_unknown_part_name_is_explained(upstream: Path) -> None:
    config = json.loads((upstream / "config.json").read_text())
    config["plugins_init_kwargs"]["stable_diffusion_head"]["diffusion_name_or_path"] = "somebody/some-model"
    (upstream / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="somebody/some-model"):
        DreamLLMForCausalLM.from_pretrained(upstream)


def test_old_attention_names_of_the_vae() -> None:
    old = "decoder.mid_block.attentions.0.proj_attn.weight"
    assert modern_attention(old) == "decoder.mid_block.attentions.0.to_out.0.weight"
    assert modern_attention("decoder.mid_block.attentions.0.group_norm.bias").endswith("group_norm.bias")


def test_published_sizes_are_those_of_the_7b_model() -> None:
    """Parameter counts that reproduce the sizes of the published files."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModel

    from evalsuite.dreamllm import shipped

    with torch.device("meta"):
        parts = {
            303_179_776: CLIPVisionModel(CLIPVisionConfig(**shipped.CLIP_VIT_LARGE_PATCH14)),
            865_910_724: UNet2DConditionModel.from_config(shipped.STABLE_DIFFUSION_2_1_BASE["unet"]),
            83_653_863: AutoencoderKL.from_config(shipped.STABLE_DIFFUSION_2_1_BASE["vae"]),
        }
    for count, part in parts.items():
        assert sum(parameter.numel() for parameter in part.parameters()) == count


@pytest.fixture
def other_variant(upstream: Path) -> Path:
    """The folder as other checkpoints are: an mlp projector, more queries, convolutions in the UNet,
    velocity prediction, the newer tokenizer mode, pickled main weights, and part folders whose weights are
    not the plugins' (none at all here: reading them would fail)."""
    from safetensors.torch import load_file

    config = json.loads((upstream / "config.json").read_text())
    plugins = config["plugins_init_kwargs"]
    plugins["clip_vision_embedding"].update(projector_type="mlp", projector_depth=2)
    plugins["dream_embedding"]["num_dream_queries"] = 64
    plugins["stable_diffusion_head"]["drop_prob"] = 0.1
    (upstream / "config.json").write_text(json.dumps(config))
    hidden = config["hidden_size"]
    torch.manual_seed(0)
    torch.save({"dream_queries": torch.randn(1, 64, hidden)}, upstream / "dream_embedding.bin")

    path = upstream / "clip_vision_embedding.bin"
    vision = torch.load(path, weights_only=True)
    first, bias = vision.pop("projector.projector.weight"), vision.pop("projector.projector.bias")
    vision.update({"projector.projector.0.weight": first, "projector.projector.0.bias": bias})
    vision["projector.projector.2.weight"] = torch.randn(hidden, hidden)
    vision["projector.projector.2.bias"] = torch.randn(hidden)
    torch.save(vision, path)

    path = upstream / "stable_diffusion_head.bin"
    head = torch.load(path, weights_only=True)
    for key, value in head.items():
        if key.startswith("unet.") and key.endswith(("proj_in.weight", "proj_out.weight")):
            head[key] = value[:, :, None, None]
    torch.save(head, path)
    edits = {
        "sd-tiny/unet/config.json": {"use_linear_projection": False},
        "sd-tiny/scheduler/scheduler_config.json": {"prediction_type": "v_prediction"},
        "tokenizer_config.json": {"legacy": False},
    }
    for name, changes in edits.items():
        values = json.loads((upstream / name).read_text())
        (upstream / name).write_text(json.dumps(values | changes))
    torch.save(load_file(upstream / "model.safetensors"), upstream / "pytorch_model.bin")
    (upstream / "model.safetensors").unlink()
    for weights in ("clip-vit-tiny/model", "sd-tiny/unet/diffusion_pytorch_model"):
        (upstream / f"{weights}.safetensors").unlink()
    return upstream


def test_checkpoints_of_another_make_load(other_variant: Path) -> None:
    loaded, base = DreamLLMForCausalLM.from_pretrained(other_variant), VARIANT.model
    assert loaded.dream_queries.shape[1] == 64
    assert loaded.training_noise.config.prediction_type == "v_prediction"
    assert loaded.config.condition_dropout == 0.1
    features = torch.randn(1, loaded.config.num_patches, loaded.config.vision_config.hidden_size)
    sample, context = torch.randn(1, 4, 8, 8), torch.randn(1, 64, base.unet.config.cross_attention_dim)
    with torch.no_grad():
        layers: Any = loaded.vision_projector
        by_hand = layers[2](torch.nn.functional.gelu(base.vision_projector(features)))
        assert torch.allclose(loaded.project_images(features), by_hand)
        # a 1x1 convolution is the linear layer
        answers = [model.unet(sample, 7, encoder_hidden_states=context).sample for model in (loaded, base)]
    one, other = answers
    assert torch.allclose(one, other, atol=1e-5)
    tokenizer = DreamLLMProcessor.from_pretrained(other_variant).tokenizer
    assert tokenizer.encode("a", start=False) != VARIANT.processor.tokenizer.encode("a", start=False)


def test_velocity_is_learnt_where_the_schedule_predicts_it(other_variant: Path) -> None:
    model = DreamLLMForCausalLM.from_pretrained(other_variant)
    model.config.condition_dropout = None
    ids = torch.tensor([DreamLLMProcessor.from_pretrained(other_variant).encode(["x", Mark.DREAM])])
    latents = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        torch.manual_seed(1)
        loss = model(ids, latents=latents).vm_loss
        torch.manual_seed(1)
        noise, step = torch.randn_like(latents), torch.randint(0, 1000, (1,))
        states = model(ids).last_hidden_state[:, -65:-1]
        noisy = model.training_noise.add_noise(latents, noise, step)
        predicted = model.unet(noisy, step, encoder_hidden_states=model.condition_projector(states)).sample
        target = model.training_noise.get_velocity(latents, noise, step)
    assert float(loss) == pytest.approx(float(torch.nn.functional.mse_loss(predicted, target)), rel=1e-5)


@pytest.mark.slow
def test_velocity_is_drawn_by_the_formula(other_variant: Path) -> None:
    """Ancestral steps written out: x0 = sqrt(a) x - sqrt(1 - a) v, then the posterior's mean and variance."""
    model = DreamLLMForCausalLM.from_pretrained(other_variant)
    sampler, steps, seed = ImageSampler(model), 5, 3
    condition = sampler.condition(torch.tensor([[1, 300, 301]]))
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9))
    drawn = sampler.denoise(
        condition,
        [torch.Generator().manual_seed(seed)],
        SamplingConfig(steps, guidance_scale=1.0),
        latents=latents,
    )
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    noise, x = torch.Generator().manual_seed(seed), latents
    context = model.condition_projector(condition)
    with torch.no_grad():
        for t in [801, 601, 401, 201, 1]:
            v = model.unet(x, t, encoder_hidden_states=context).sample
            a, before = alphas[t], alphas[t - 200] if t >= 200 else torch.tensor(1.0)
            beta = 1 - a / before
            x0 = a.sqrt() * x - (1 - a).sqrt() * v
            mean = before.sqrt() * beta / (1 - a) * x0 + (a / before).sqrt() * (1 - before) / (1 - a) * x
            deviation = ((1 - before) / (1 - a) * beta).clamp(min=1e-20).sqrt()
            x = mean + deviation * torch.randn(x.shape, generator=noise)
    assert torch.allclose(drawn, x, atol=1e-4 * float(x.abs().max()))


def test_betas_are_those_that_upstream_trained_with(upstream: Path) -> None:
    """diffusers 0.24's DDPMScheduler, which upstream makes of any scheduler file, cannot rescale them."""
    path = upstream / "sd-tiny" / "scheduler" / "scheduler_config.json"
    values = json.loads(path.read_text()) | {"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": True}
    path.write_text(json.dumps(values))
    model = DreamLLMForCausalLM.from_pretrained(upstream)
    sampler = build_scheduler("ddpm", model.config.scheduler_config)
    for scheduler in (model.training_noise, sampler):
        assert torch.equal(scheduler.alphas_cumprod, VARIANT.model.training_noise.alphas_cumprod)


def test_the_norm_behind_the_vision_projector_has_the_tower_s_epsilon(upstream: Path) -> None:
    path = upstream / "clip_vision_embedding.bin"
    hidden = VARIANT.model.config.text_config.hidden_size
    weight, bias = torch.rand(hidden), torch.rand(hidden)
    norm = {"post_layernorm.weight": weight, "post_layernorm.bias": bias}
    torch.save({**torch.load(path, weights_only=True), **norm}, path)
    config = json.loads((upstream / "config.json").read_text())
    config["plugins_init_kwargs"]["clip_vision_embedding"]["use_additional_post_layernorm"] = True
    (upstream / "config.json").write_text(json.dumps(config))
    tower = json.loads((upstream / "clip-vit-tiny" / "config.json").read_text()) | {"layer_norm_eps": 0.5}
    (upstream / "clip-vit-tiny" / "config.json").write_text(json.dumps(tower))
    model = DreamLLMForCausalLM.from_pretrained(upstream)
    features = torch.randn(1, model.config.num_patches, model.config.vision_config.hidden_size)
    with torch.no_grad():
        plain = VARIANT.model.project_images(features)
        want = torch.nn.functional.layer_norm(plain, (hidden,), weight, bias, eps=0.5)
        assert torch.allclose(model.project_images(features), want, atol=1e-6)
