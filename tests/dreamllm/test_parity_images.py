"""Preprocessing, image features, conditions and drawings equal those of the original code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evalsuite.dreamllm.conversation import Mark
from evalsuite.dreamllm.diffusion import SamplingConfig, to_images
from evalsuite.dreamllm.images import augmented, pixels_to_draw, to_rgb
from tests.dreamllm.recordings import VARIANTS, Variant, assert_close, assert_same

pytestmark = pytest.mark.parametrize("variant", VARIANTS, ids=repr)
TIGHT, FEW_STEPS, MANY_STEPS, PICTURES = 2e-5, 1e-4, 5e-4, 2e-4


def rows_of(variant: Variant, texts: list[str], side: str) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [variant.processor.encode(text) for text in texts]
    ids, mask = variant.processor.pad_left(rows)
    if side == "right":
        for index, row in enumerate(rows):
            shift = -(ids.shape[1] - len(row))
            ids[index], mask[index] = ids[index].roll(shift), mask[index].roll(shift)
    return ids, mask


def test_preprocessing(variant: Variant) -> None:
    for name, case in variant.cases("images").items():
        file = name.rsplit("/", 1)[-1]
        for kind in case.get("tensors", {}):
            want = variant.tensor("images", name, kind)
            if name.startswith("features"):
                continue
            if kind == "rgb_after_load_image":
                assert_same(np.asarray(to_rgb(variant.image(file))).tolist(), want.tolist(), "images")
                continue
            if kind == "pixel_values":
                image = to_rgb(variant.image(file))
                if name.startswith("img_aug"):
                    image = augmented(image, name.split("/")[1])  # type: ignore[arg-type]
                got = variant.processor.images(image)
            else:
                got = pixels_to_draw(variant.image(file), case["resolution"], flip=kind == "flipped")
            assert_close(got, want.reshape(got.shape), 1e-6, "images")


def test_image_features(variant: Variant) -> None:
    case = variant.case("images", "features")
    pixels = variant.tensor("images", "features", "pixel_values")
    features = variant.model.encode_images(pixels)
    assert variant.model.config.num_patches == case["embed_len"]
    assert_close(features, variant.tensor("images", "features", "clip_hidden")[:, 1:], TIGHT, "images")
    with torch.no_grad():
        embeds = variant.model.project_images(features)
    assert_close(embeds, variant.tensor("images", "features", "image_embeds"), TIGHT, "images")


@torch.no_grad()
def test_conditions(variant: Variant) -> None:
    project, sampler = variant.model.condition_projector, variant.sampler
    for name, case in variant.cases("prompt_embeds").items():
        if name.startswith("single/"):
            ids = variant.processor.encode(case["text"])
            assert_same(ids, case["input_ids"], "prompt_embeds")
            got = sampler.condition(torch.tensor([ids]))
        elif name in ("batch_left", "batch_right"):
            ids_, mask = rows_of(variant, case["texts"], name.removeprefix("batch_"))
            assert_same(
                [ids_.tolist(), mask.tolist()], [case["input_ids"], case["attention_mask"]], "prompt_embeds"
            )
            got = sampler.condition(ids_, mask, count_padding=True)
        else:
            continue
        assert_close(got, variant.tensor("prompt_embeds", name, "embeds"), TIGHT, "prompt_embeds")
        if variant.has("prompt_embeds", name, "projected"):
            assert_close(
                project(got), variant.tensor("prompt_embeds", name, "projected"), TIGHT, "prompt_embeds"
            )


@torch.no_grad()
def test_the_empty_prompt_of_training(variant: Variant) -> None:
    model, section, case = variant.model, "prompt_embeds", "unconditional_of_training"
    assert_close(
        model.unconditional_states(1), variant.tensor(section, case, "with_dream_queries"), TIGHT, section
    )
    assert_close(
        variant.sampler.unconditional(1), variant.tensor(section, case, "with_dream_queries"), TIGHT, section
    )
    model.config.condition_dropout_queries = False
    try:
        assert_close(
            model.unconditional_states(1), variant.tensor(section, case, "as_upstream"), TIGHT, section
        )
    finally:
        model.config.condition_dropout_queries = True


@torch.no_grad()
def test_unet_and_vae(variant: Variant) -> None:
    sample, context = (variant.tensor("pipeline", "unet_once", name) for name in ("sample", "context"))
    timestep = variant.case("pipeline", "unet_once")["timestep"]
    got = variant.model.unet(sample, timestep, encoder_hidden_states=context).sample
    assert_close(got, variant.tensor("pipeline", "unet_once", "out"), TIGHT, "pipeline")
    posterior = variant.model.vae.encode(variant.tensor("pipeline", "vae_once", "image")).latent_dist
    assert_close(posterior.mean, variant.tensor("pipeline", "vae_once", "posterior_mean"), TIGHT, "pipeline")
    assert_close(
        posterior.logvar, variant.tensor("pipeline", "vae_once", "posterior_logvar"), TIGHT, "pipeline"
    )
    decoded = variant.model.vae.decode(posterior.mean).sample
    assert_close(decoded, variant.tensor("pipeline", "vae_once", "decoded"), PICTURES, "pipeline")


@pytest.mark.slow
def test_drawings(variant: Variant) -> None:
    for name, case in variant.cases("pipeline").items():
        if not variant.has("pipeline", name, "initial_latents"):
            continue
        prompts = [case["prompt"]] if isinstance(case["prompt"], str) else case["prompt"]
        side = case.get("padding_side", "left")
        ids, mask = rows_of(variant, prompts, side)
        condition = variant.sampler.condition(ids, mask, count_padding=side == "right")
        negative = None
        if "negative_prompt" in case:
            negative = variant.sampler.condition(*rows_of(variant, case["negative_prompt"], side))
        how = SamplingConfig(
            steps=case["num_inference_steps"],
            guidance_scale=case["guidance_scale"],
            guidance_rescale=case.get("guidance_rescale", 0.0),
            width=case.get("width"),
            height=case.get("height"),
        )
        # where the original drew the latents itself, they come first from the same generator: one draw more
        drawn = case["draws"][0].endswith(f"x{how.steps + 1}")
        after: list[torch.Tensor] = []
        latents = variant.sampler.denoise(
            condition,
            torch.Generator().manual_seed(case.get("generator_seed", 7)),
            how,
            negative=negative,
            latents=None if drawn else variant.tensor("pipeline", name, "initial_latents"),
            on_step=lambda index, latents, after=after: after.append(latents),  # type: ignore[misc]
        )
        tolerance = FEW_STEPS if how.steps <= 5 else MANY_STEPS
        assert_close(latents, variant.tensor("pipeline", name, "final_latents"), tolerance, "pipeline")
        if variant.has("pipeline", name, "latents_after_step"):
            want = variant.tensor("pipeline", name, "latents_after_step")
            assert_close(torch.stack(after), want, tolerance, "pipeline")
        pixels = variant.sampler.decode(latents)
        if variant.has("pipeline", name, "image"):
            want = variant.tensor("pipeline", name, "image")
            assert_close(pixels.permute(0, 2, 3, 1), want, max(PICTURES, tolerance), "pipeline")
        if variant.has("pipeline", name, "image_uint8"):
            want = variant.tensor("pipeline", name, "image_uint8")
            levels = torch.from_numpy(np.asarray(to_images(pixels)[0]).copy())
            assert_close(levels, want, 1, "pipeline", scale=1)


def prompt_with_images(variant: Variant, text: str, fillers: int) -> list[int]:
    """Ids of upstream's prompt, whose image blocks have this many fillers whatever the model."""
    tokens, pieces = variant.processor.tokens, text.split("<image>")
    ids = variant.processor.encode([part for piece in pieces for part in (piece, Mark.IMAGE)][:-1])
    if fillers == variant.processor.num_patches:
        return ids
    short = [token for token in ids if token != tokens.image_patch]
    block = [tokens.image_start, *[tokens.image_patch] * fillers]
    return [piece for token in short for piece in (block if token == tokens.image_start else [token])]


@torch.no_grad()
def test_prompts_with_images(variant: Variant) -> None:
    for name, case in variant.cases("multimodal").items():
        if not variant.has("multimodal", name, "embeds"):
            continue
        count = case["text"].count("<image>")
        ids = prompt_with_images(variant, case["text"], case["n_patch_ids"] // count)
        patch = variant.processor.tokens.image_patch
        short = [token for token in ids if token != patch]
        assert_same(short, case["input_ids_without_patches"], "multimodal")
        assert_same(ids.count(patch), case["n_patch_ids"], "multimodal")
        if "input_ids" in case:
            assert_same(ids, case["input_ids"], "multimodal")
        # only the first image of several is encoded upstream; the patched cases say which were passed
        images = variant.pixels(case["images"][: case["images_passed"][0]])
        got = variant.sampler.condition(torch.tensor([ids]), images=images, strict=False)
        assert_close(got, variant.tensor("multimodal", name, "embeds"), TIGHT, "multimodal")


def test_drawings_of_prompts_with_images(variant: Variant) -> None:
    fillers = {"upstream": 256, "patched_len": variant.processor.num_patches}
    cases = variant.cases("multimodal")
    drawn = [name for name in cases if variant.has("multimodal", name, "image")]
    if not drawn:
        pytest.skip(f"{variant!r} has no drawings of prompts with images")
    for name in drawn:
        case = cases[name]
        ids = prompt_with_images(variant, case["text"], fillers[name.rsplit("/", 1)[-1]])
        images = variant.pixels(case["images"][:1])
        condition = variant.sampler.condition(torch.tensor([ids]), images=images, strict=False)
        # the recording says whose: "as pipeline/steps5_cfg7.5"
        section, recorded = case["latents"].removeprefix("as ").split("/")
        latents = variant.sampler.denoise(
            condition,
            torch.Generator().manual_seed(case["generator_seed"]),
            SamplingConfig(steps=case["num_inference_steps"], guidance_scale=case["guidance_scale"]),
            latents=variant.tensor(section, recorded, "initial_latents"),
        )
        pixels = variant.sampler.decode(latents).permute(0, 2, 3, 1)
        assert_close(pixels, variant.tensor("multimodal", name, "image"), PICTURES, "multimodal")


@pytest.mark.slow
def test_the_demonstration_script(variant: Variant) -> None:
    run = variant.case("inference_script", "run")
    if not run.get("tensors"):
        pytest.skip(f"{variant!r} has no images of the script")
    ids, mask = rows_of(variant, run["kwargs"]["prompt"], "right")
    condition = variant.sampler.condition(ids, mask, count_padding=True)
    assert_close(
        condition, variant.tensor("inference_script", "run", "prompt_embeds"), TIGHT, "inference_script"
    )
    text = run["kwargs"]["negative_prompt"]
    texts = [text] if isinstance(text, str) else list(text)
    negative = variant.sampler.condition(*rows_of(variant, texts[:1], "left"))
    want = variant.tensor("inference_script", "run", "negative_prompt_embeds")
    assert_close(negative, want, TIGHT, "inference_script")
    generator = torch.Generator()
    generator.set_state(variant.tensor("inference_script", "run", "rng_state"))
    count = len(condition)
    latents = torch.randn(
        variant.tensor("inference_script", "run", "initial_latents").shape, generator=generator
    )
    kwargs = run["kwargs"]
    how = SamplingConfig(steps=kwargs["num_inference_steps"], guidance_scale=kwargs["guidance_scale"])
    got = variant.sampler.denoise(
        condition, generator, how, negative=negative.expand(count, -1, -1), latents=latents
    )
    want = variant.tensor("inference_script", "run", "final_latents_over_scaling")
    scaling = variant.model.vae.config.scaling_factor
    assert_close(got / scaling, want, MANY_STEPS, "inference_script")
    pictures = to_images(variant.sampler.decode(got, batch=16))
    levels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
    want = variant.tensor("inference_script", "run", "images_uint8")
    assert_close(levels, want, 1, "inference_script", scale=1)
