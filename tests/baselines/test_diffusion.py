"""The diffusers adapter on tiny pipelines of the real classes, saved and loaded through the public path."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image as PilImage

from evalsuite.content import Image, user
from evalsuite.errors import CheckpointError, SampleError, SpecError
from evalsuite.registry import ModelOptions, load_registry
from evalsuite.request import GenerateImages, Request


def _parts():
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    words = {word: i for i, word in enumerate(["[PAD]", "<s>", "</s>", "a", "red", "blue", "circle"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return {
        "vae": AutoencoderKL(block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
                             up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=4),
        "unet": lambda channels: UNet2DConditionModel(
            sample_size=8, in_channels=channels, out_channels=4, block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), norm_num_groups=4, attention_head_dim=4,
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=16),
        "text_encoder": CLIPTextModel(CLIPTextConfig(
            vocab_size=7, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=8, bos_token_id=1, eos_token_id=2)).eval(),
        "tokenizer": PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token="[PAD]", model_max_length=8),
        "scheduler": PNDMScheduler(skip_prk_steps=True, steps_offset=1),
    }  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    from diffusers import StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline

    root = tmp_path_factory.mktemp("pipelines")
    parts = _parts()
    unet = parts.pop("unet")
    rest = {"safety_checker": None, "feature_extractor": None}
    StableDiffusionPipeline(**parts, unet=unet(4), **rest).save_pretrained(root / "sd")
    StableDiffusionInstructPix2PixPipeline(**parts, unet=unet(8), **rest).save_pretrained(root / "ip2p")
    return root


def build(folder, **options):
    entry, argument = load_registry().model(f"diffusers:{folder}")
    defaults = {"steps": "3", "guidance_scale": "2.0"}
    return entry.build(ModelOptions(argument=argument, device="cpu", options={**defaults, **options}))


def pixels(image):
    return np.asarray(PilImage.open(io.BytesIO(image.read()))).astype(int)


def source(value=120):
    buffer = io.BytesIO()
    PilImage.fromarray(np.full((16, 16, 3), value, dtype=np.uint8)).save(buffer, format="PNG")
    return Image(buffer.getvalue())


def draw(model, requests):
    return model.generate_images([model.prepare(request) for request in requests])


def test_images_do_not_depend_on_their_batch(folders):
    model = build(folders / "sd")
    requests = [
        Request((user(text),), GenerateImages(), seed=seed)
        for seed, text in enumerate(["a red circle", "blue"])
    ]
    together = draw(model, requests)
    for request, response in zip(requests, together, strict=True):
        (alone,) = draw(model, [request])
        assert np.abs(pixels(alone.images[0]) - pixels(response.images[0])).max() <= 1


def test_same_seed_same_image_other_seed_other_image(folders):
    model = build(folders / "sd")
    one, again, other = (
        draw(model, [Request((user("a red circle"),), GenerateImages(), seed=seed)])[0].images[0]
        for seed in (1, 1, 2)
    )
    assert one.sha256() == again.sha256()
    assert one.sha256() != other.sha256()


def test_several_images_per_prompt_use_successive_seeds(folders):
    model = build(folders / "sd")
    (two,) = draw(model, [Request((user("a red circle"),), GenerateImages(count=2), seed=4)])
    (second,) = draw(model, [Request((user("a red circle"),), GenerateImages(), seed=5)])
    assert len(two.images) == 2
    assert np.abs(pixels(two.images[1]) - pixels(second.images[0])).max() <= 1


def test_text_to_image_pipeline_edits_by_sdedit_and_less_with_less_strength(folders):
    request = Request((user(source(), "a red circle"),), GenerateImages(), seed=1)
    (weak,) = draw(build(folders / "sd", strength="0.34", steps="6"), [request])
    (strong,) = draw(build(folders / "sd", strength="1.0", steps="6"), [request])
    assert pixels(weak.images[0]).shape == (16, 16, 3)
    assert weak.images[0].sha256() != strong.images[0].sha256()


def test_editing_pipeline_edits_and_refuses_to_draw_from_nothing(folders):
    model = build(folders / "ip2p")
    (edited,) = draw(model, [Request((user(source(), "red"),), GenerateImages(), seed=1)])
    assert pixels(edited.images[0]).shape == (16, 16, 3)
    with pytest.raises(SampleError, match="cannot draw without a source image"):
        model.prepare(Request((user("red"),), GenerateImages()))


def test_two_source_images_are_refused(folders):
    with pytest.raises(SampleError, match="takes one image"):
        build(folders / "sd").prepare(Request((user(source(), source(), "mix"),), GenerateImages()))


def test_unknown_scheduler_suggests_the_nearest(folders):
    model = build(folders / "sd")
    with pytest.raises(SpecError, match=r"dpm\+\+"):
        draw(model, [Request((user("a"),), GenerateImages(scheduler="dpm+"))])


def test_bad_number_option_is_named(folders):
    with pytest.raises(SpecError, match="steps='many'"):
        draw(build(folders / "sd", steps="many"), [Request((user("a"),), GenerateImages())])


def test_folder_without_pipeline_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"model_index\.json is missing"):
        build(tmp_path)
