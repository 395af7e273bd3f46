"""A new DreamLLM from a language model, a vision tower and a diffusion model that were trained apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from evalsuite.dreamllm.configuration import DreamLLMConfig, SpecialTokens, plain
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.errors import CheckpointError


def build_from_parts(
    kind: type[DreamLLMForCausalLM],
    *,
    llama: Any,
    vision: Any,
    unet: Any,
    vae: Any,
    scheduler_config: Mapping[str, Any],
    special_tokens: SpecialTokens | Mapping[str, int],
    num_dream_queries: int = 64,
    seed: int | None = None,
    **options: Any,
) -> DreamLLMForCausalLM:
    """Put a new DreamLLM together from trained parts; the modules are taken over, not copied.

    Args:
        llama: the language model, a LlamaForCausalLM. If its vocabulary is too small for the special ids,
            rows drawn from N(0, 0.02) are added to embedding and head.
        vision: a CLIPVisionModel, or a CLIPModel / CLIPVisionModelWithProjection whose image tower is
            taken.
        scheduler_config: the diffusion model's scheduler configuration (a dict, or `scheduler.config`).
        special_tokens: ids, or a vocabulary (token text -> id) to read them from.
        seed: seeds the new parts (projectors, queries, rows) without touching the global generator.
        options: further DreamLLMConfig fields.
    """
    if not isinstance(special_tokens, SpecialTokens):
        special_tokens = SpecialTokens.from_texts(special_tokens)
    tower = getattr(vision, "vision_model", vision)
    if not isinstance(tower, CLIPVisionModel) and isinstance(vision, CLIPVisionModel):
        tower = vision
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        highest = max(special_tokens.ids)
        if highest >= llama.config.vocab_size:
            grow_vocabulary(llama, highest + 1)
        vision_config = tower.config
        config = DreamLLMConfig(
            text_config=llama.config.to_dict(),
            vision_config=CLIPVisionConfig(**vision_config.to_dict()),
            unet_config=plain(unet.config),
            vae_config=plain(vae.config),
            scheduler_config=plain(scheduler_config),
            special_tokens=special_tokens,
            num_dream_queries=num_dream_queries,
            **options,
        )
        parts = {
            "model": llama.model,
            "lm_head": llama.lm_head,
            "vision": tower,
            "unet": unet,
            "vae": vae,
        }
        return kind(config, parts=parts)


def grow_vocabulary(llama: Any, size: int) -> None:
    """Append rows from N(0, 0.02) to embedding and head, in place.

    Raises:
        CheckpointError: `size` is smaller than the vocabulary.
    """
    old = llama.config.vocab_size
    if size < old:
        raise CheckpointError(f"Cannot shrink a vocabulary of {old} to {size}.")
    embedding, head = llama.model.embed_tokens, llama.lm_head
    rows = torch.empty(size - old, embedding.weight.shape[1], dtype=embedding.weight.dtype).normal_(std=0.02)
    tied = head.weight is embedding.weight
    grown = nn.Embedding(size, embedding.weight.shape[1], embedding.padding_idx, dtype=embedding.weight.dtype)
    grown.weight.data = torch.cat([embedding.weight.data, rows.to(embedding.weight.device)])
    llama.model.embed_tokens = grown
    new_head = nn.Linear(head.weight.shape[1], size, bias=False, dtype=head.weight.dtype)
    if tied:
        new_head.weight = grown.weight
    else:
        more = torch.empty_like(rows).normal_(std=0.02)
        new_head.weight.data = torch.cat([head.weight.data, more.to(head.weight.device)])
    llama.lm_head = new_head
    llama.config.vocab_size = llama.vocab_size = llama.model.vocab_size = size
