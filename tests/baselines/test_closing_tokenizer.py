"""A tokenizer that ends every text: prompts and choices stay open for the language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from evalsuite.content import user
from evalsuite.mini.training.tokenizer import make_tokenizer
from evalsuite.model import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import Request, ScoreChoices

CHOICES = (" red cube", " blue")


@pytest.mark.parametrize("together", [False, True])
def test_a_choice_is_scored_without_the_end_that_the_tokenizer_adds(tmp_path: Path, together: bool) -> None:
    tokenizer = make_tokenizer(end=True, max_length=64, lower=True)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    reference: Any = LlamaForCausalLM(config).eval()
    reference.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer("a").input_ids[-1] == tokenizer.eos_token_id, "else the test tests nothing"
    entry, argument = load_registry().model(f"causal:{tmp_path}")
    model: Any = entry.build(
        ModelOptions(argument=argument, device="cpu", dtype="float32", options={"template": "plain"})
    )
    requests = [Request((user(text),), ScoreChoices(CHOICES)) for text in ("the big", "a")]
    prepared = [model.prepare(request) for request in requests]
    batches = [prepared] if together else [[one] for one in prepared]
    found = [answer.log_likelihoods for batch in batches for answer in model.score_choices(batch)]
    for text, values in zip(("the big", "a"), found, strict=True):
        start = tokenizer(text).input_ids[:-1]
        for choice, value in zip(CHOICES, values, strict=True):
            ids = tokenizer(text + choice).input_ids[:-1]
            with torch.no_grad():
                logits = reference(torch.tensor([ids])).logits[0].log_softmax(-1)
            wanted = sum(float(logits[place - 1, ids[place]]) for place in range(len(start), len(ids)))
            assert value == pytest.approx(wanted, abs=1e-4)
