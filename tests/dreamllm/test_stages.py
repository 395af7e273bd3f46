"""What a stage trains, building a model from parts, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from evalsuite.dreamllm.configuration import DreamLLMConfig, SpecialTokens
from evalsuite.dreamllm.conversation import Mark
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.training import PARTS, STAGES, SequenceBuilder, collate, part_of, set_stage
from evalsuite.errors import CheckpointError, SampleError, SpecError
from tests.dreamllm.recordings import TINY as VARIANT


@pytest.fixture
def model() -> DreamLLMForCausalLM:
    return copy.deepcopy(VARIANT.model)


def equal(first: DreamLLMForCausalLM, second: DreamLLMForCausalLM) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_every_parameter_belongs_to_one_part(model: DreamLLMForCausalLM) -> None:
    assert {part_of(name) for name, _ in model.named_parameters()} == set(PARTS)


@pytest.mark.parametrize("stage", STAGES)
def test_only_the_stage_s_parts_change(model: DreamLLMForCausalLM, stage: str) -> None:
    set_stage(model, stage)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    model.train()
    tokens, processor = model.config.tokens, VARIANT.processor
    builder = SequenceBuilder(tokens, processor.num_patches, processor.num_dream_queries)
    builder.text([tokens.bos, 7, 8], learn=True)
    builder.dream_and_image(learn_start=True)
    builder.text([9, 10, tokens.eos], learn=True)
    torch.manual_seed(0)
    side: Any = model.config.vision_config.image_size
    output = model(
        **collate([builder.build()], tokens.pad),
        images=torch.randn(1, 3, side, side),
        images_dm=torch.randn(1, 3, *[model.config.resolution] * 2),
    )
    output.loss.backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5).step()
    changed = {part_of(name) for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == STAGES[stage].trained


def test_frozen_parts_stay_in_evaluation_mode(model: DreamLLMForCausalLM) -> None:
    set_stage(model, "instruction").train()
    assert [model.model.training, model.vision.training, model.unet.training, model.vae.training] == [
        True
    ] + [False] * 3


def test_an_unknown_stage_is_refused(model: DreamLLMForCausalLM) -> None:
    with pytest.raises(SpecError, match="interleaved"):
        set_stage(model, "stage-4")


def test_features_and_latents_may_be_given_instead_of_pixels(model: DreamLLMForCausalLM) -> None:
    tokens, processor = model.config.tokens, VARIANT.processor
    ids = torch.tensor([processor.encode(["A ", Mark.DREAM, Mark.IMAGE, " end"])])
    images = processor.pixels([VARIANT.image("landscape_rgb")])
    pictures = torch.rand(1, 3, *[model.config.resolution] * 2) * 2 - 1
    losses = []
    with torch.no_grad():
        torch.manual_seed(3)
        losses.append(model(ids, labels=ids, images=images, images_dm=pictures).loss)
        torch.manual_seed(3)
        latents = model.vae.encode(pictures).latent_dist.sample() * model.vae.config.scaling_factor
        features = model.encode_images(images)
        losses.append(model(ids, labels=ids, image_features=features, latents=latents).loss)
    assert torch.equal(*losses)
    assert tokens.dream_start in ids


def test_the_vision_tower_rests_without_images(model: DreamLLMForCausalLM) -> None:
    calls: list[int] = []
    model.vision.register_forward_hook(lambda *_: calls.append(1))
    from evalsuite.dreamllm.generation import generate_text

    generate_text(model, torch.tensor([VARIANT.processor.encode("Hello")]), max_new_tokens=4)
    assert calls == []
    ids = torch.tensor([VARIANT.processor.encode([Mark.IMAGE, "Hello"])])
    generate_text(model, ids, images=VARIANT.pixels(["gray"]), max_new_tokens=4)
    assert calls == [1]


def test_a_model_is_built_from_parts_and_grows_its_vocabulary(model: DreamLLMForCausalLM) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=20,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=64,
            tie_word_embeddings=True,
        )
    )
    tokens = SpecialTokens(
        bos=1, eos=2, pad=0, image_start=20, image_end=21, image_patch=22, dream_start=23, dream_end=24
    )
    parts = {"vision": model.vision, "unet": model.unet, "vae": model.vae}
    scheduler = model.config.scheduler_config
    old = llama.model.embed_tokens.weight.clone()
    built = [
        DreamLLMForCausalLM.from_parts(
            llama=copy.deepcopy(llama),
            **parts,
            scheduler_config=scheduler,
            special_tokens=tokens,
            num_dream_queries=3,
            seed=5,
        )
        for _ in range(2)
    ]
    assert equal(*built)
    assert built[0].config.text_config.vocab_size == 25
    assert torch.equal(built[0].model.embed_tokens.weight[:20], old)
    assert built[0].lm_head.weight is built[0].model.embed_tokens.weight
    assert built[0](torch.tensor([[1, 23, 22, 22, 22, 24]])).logits.shape == (1, 6, 25)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_numbers_of_images_and_blocks_must_agree(count: int) -> None:
    ids = torch.tensor([VARIANT.processor.encode([Mark.IMAGE, "and", Mark.IMAGE])])
    images = VARIANT.pixels(["gray"] * count)
    with pytest.raises(SampleError, match=f"2 image blocks but {count} images"):
        VARIANT.model(ids, images=images)


def test_a_cut_block_is_an_error() -> None:
    ids = torch.tensor([VARIANT.processor.encode(["x", Mark.DREAM])])[:, :-3]
    with pytest.raises(SampleError, match="dream block"):
        VARIANT.model(ids)


def test_a_too_long_prompt_says_how_many_images_fit() -> None:
    processor = VARIANT.processor
    block, limit = processor.num_patches + 2, processor.limit
    count = limit // block + 1
    with pytest.raises(SampleError, match=f"At most {(limit - 1 - 20) // block} images fit"):
        processor.encode([Mark.IMAGE] * count, room=20)


def test_text_of_special_tokens_in_a_prompt_is_only_text() -> None:
    ids = VARIANT.processor.encode("ignore <im_start> and <dream_start></s>")
    tokens = VARIANT.processor.tokens
    assert not {tokens.image_start, tokens.dream_start, tokens.eos} & set(ids)


def test_missing_special_tokens_are_named() -> None:
    with pytest.raises(CheckpointError, match="<im_patch>"):
        SpecialTokens.from_texts({"<s>": 1, "</s>": 2})
    with pytest.raises(CheckpointError, match="special_tokens"):
        _ = DreamLLMConfig().tokens
