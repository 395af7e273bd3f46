"""The transformers adapter on a tiny random LLaVA, saved and loaded through the public path."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image as PilImage

from evalsuite.content import Image, user
from evalsuite.errors import CheckpointError, SampleError
from evalsuite.registry import ModelOptions, load_registry
from evalsuite.request import GenerateText, Request, ScoreChoices

TEMPLATE = (
    "{% for m in messages %}{{ m.role }} : {% for c in m.content %}"
    "{{ '<image>' if c.type == 'image' else c.text }} {% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}assistant : {% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(0)
    words = [
        "<pad>",
        "<s>",
        "</s>",
        "<unk>",
        "<image>",
        "user",
        "assistant",
        ":",
        "what",
        "is",
        "it",
        "red",
        "blue",
        "?",
    ]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )
    config = LlavaConfig(
        text_config=LlamaConfig(vocab_size=len(words), hidden_size=16, intermediate_size=32,
                                num_hidden_layers=2,
                                num_attention_heads=2, pad_token_id=0, bos_token_id=1, eos_token_id=2),
        vision_config=CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=2,
                                       num_attention_heads=2,
                                       image_size=16, patch_size=8),
        image_token_index=4, image_token_id=4, vision_feature_select_strategy="default",
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    with torch.no_grad():  # larger weights, so that answers depend on prompts and images
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn_like(parameter) * 0.5)
    path = tmp_path_factory.mktemp("llava")
    model.save_pretrained(path)
    LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}), fast,
        patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(path)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def model(folder):
    entry, argument = load_registry().model(f"transformers:{folder}")
    return entry.build(ModelOptions(argument=argument, device="cpu"))


def picture(seed):
    buffer = io.BytesIO()
    PilImage.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(
        buffer, "PNG"
    )
    return Image(buffer.getvalue())


def test_answers_in_a_batch_equal_answers_one_at_a_time(model):
    texts = ["what is it ?", "what is it red blue it ?", "red ?"]
    requests = [
        Request((user(picture(i), text),), GenerateText(max_new_tokens=6)) for i, text in enumerate(texts)
    ]
    prepared = [model.prepare(request) for request in requests]
    together = [r.text for r in model.generate_text(prepared)]
    assert together == [model.generate_text([item])[0].text for item in prepared]
    assert len(set(together)) > 1


def test_choice_log_likelihoods_equal_a_direct_forward_pass(model):
    request = Request((user(picture(0), "what is it ?"),), ScoreChoices(("red", "blue it")))
    (response,) = model.score_choices([model.prepare(request)])
    prompt, images = model.prepare(request).payload
    inputs = model._processor(
        text=[prompt + "blue it"], images=images, return_tensors="pt", add_special_tokens=False
    )
    with torch.inference_mode():
        logits = model._model(**inputs).logits[0].log_softmax(-1)
    ids = inputs["input_ids"][0]
    expected = sum(float(logits[i - 1, ids[i]]) for i in (len(ids) - 2, len(ids) - 1))
    assert response.log_likelihoods[1] == pytest.approx(expected, abs=1e-5)
    assert response.token_counts == (1, 2)


def test_prefill_begins_the_answer_and_is_not_returned(model):
    plain = Request((user(picture(0), "what is it ?"),), GenerateText(max_new_tokens=3))
    filled = Request((user(picture(0), "what is it ?"),), GenerateText(max_new_tokens=3), prefill="red")
    assert model.prepare(filled).payload[0] == model.prepare(plain).payload[0] + "red"


def test_empty_choice_is_refused(model):
    request = Request((user(picture(0), "what is it ?"),), ScoreChoices(("",)))
    with pytest.raises(SampleError, match="adds no token"):
        model.score_choices([model.prepare(request)])


def test_folder_without_model_is_refused(tmp_path):
    entry, _ = load_registry().model(f"transformers:{tmp_path}")
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        entry.build(ModelOptions(argument=str(tmp_path)))
