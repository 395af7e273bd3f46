"""Stage 0, the language model: a small Llama that has read captions, questions about them, instructions
and stories."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from ...dreamllm.conversation import VICUNA
from ...dreamllm.tokenization import FastTokenizer, special_tokens
from ...dreamllm.training import IGNORED
from ..edits import sample_edit
from ..formats.mmbench import Choice, choose
from ..stories import sample_story
from .data import ImageSet, scene_from_json
from .documents import SHORT, Document, Writer, pack
from .drills import drills, listed
from .recipe import LanguageRecipe
from .tokenizer import make_tokenizer
from .trainer import Batch, Record, fit

ROW = 320
"""Length of a packed row in ids."""
TEXT_ROW = 80
"""The same for rows of text alone."""
DESCRIBE = "describe the image"


def make_llama(recipe: LanguageRecipe, tokenizer: FastTokenizer, size: int) -> LlamaForCausalLM:
    """The untrained language model."""
    tokens = special_tokens(tokenizer)
    config = LlamaConfig(
        vocab_size=size, hidden_size=recipe.hidden, intermediate_size=recipe.mlp,
        num_hidden_layers=recipe.layers, num_attention_heads=recipe.heads, num_key_value_heads=recipe.heads,
        max_position_embeddings=recipe.positions, rms_norm_eps=1e-6, tie_word_embeddings=False,
        bos_token_id=tokens.bos, eos_token_id=tokens.eos, pad_token_id=None,
    )  # fmt: skip
    build: Any = LlamaForCausalLM._from_config
    model: LlamaForCausalLM = build(config, attn_implementation="eager")
    return model


class LanguageTraining(nn.Module):
    """Next-token loss over packed rows."""

    def __init__(self, llama: LlamaForCausalLM) -> None:
        super().__init__()
        self.llama = llama

    def forward(
        self,
        input_ids: torch.Tensor,
        labels: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Tensors as in `documents.Packed`."""
        states = self.llama.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, use_cache=False
        ).last_hidden_state
        targets = labels[:, 1:]
        chosen = targets != IGNORED
        logits = self.llama.lm_head(states[:, :-1][chosen]).float()
        return {"loss": nn.functional.cross_entropy(logits, targets[chosen])}


def letters(choice: Choice, rng: np.random.Generator) -> tuple[str, str]:
    """A multiple-choice question as the miniature's protocol words it, options in random order, and the
    letter."""
    order = [int(i) for i in rng.permutation(len(choice.options))]
    options = " ".join(f"{'abcd'[at]}. {choice.options[i]}" for at, i in enumerate(order))
    return f"{choice.question} {options} answer with the letter", "abcd"[order.index(0)]


def train_language(recipe: LanguageRecipe, images: list[ImageSet], work: Path, resume: bool) -> Record:
    """Train on text about the images' scenes and save to `work/parts/lm`."""
    torch.manual_seed(recipe.schedule.seed)
    wrapped = make_tokenizer(end=False, max_length=recipe.positions, padding_side="left")
    tokenizer = FastTokenizer(wrapped)
    llama = make_llama(recipe, tokenizer, len(wrapped))
    writer = Writer(tokenizer, special_tokens(tokenizer), patches=0, queries=0)

    def draw(rng: np.random.Generator) -> list[Document]:
        kind = rng.random()
        if kind < 0.1:
            edit = sample_edit(rng, "train")
            turn = (edit.instruction + " .", edit.target_caption)
            return [writer.chat(None, edit.source_caption + " . ", [turn], SHORT)]
        if kind < 0.15:
            story = sample_story(rng, "train")
            return [writer.plain(" ".join(part for part in story if isinstance(part, str)))]
        if kind < 0.15 + recipe.drills:
            entry = images[0].entries[int(rng.integers(len(images[0].entries)))]
            assert entry.scene is not None
            return [
                writer.drill(None, entry.caption + " . ", drills(scene_from_json(entry.scene), rng, 20))
                for _ in range(3)
            ]
        if kind < 0.15 + recipe.drills + recipe.lists:
            return [writer.lists([listed(rng)]) for _ in range(6)]
        one = images[int(kind > 0.93) if len(images) > 1 else 0]
        entry = one.entries[int(rng.integers(len(one.entries)))]
        chosen = rng.permutation(len(entry.questions))[:8]
        turns = [entry.questions[int(i)][:2] for i in chosen]
        if entry.scene is not None:
            scene = scene_from_json(entry.scene)
            turns += [
                letters(choose(scene, rng, int(rng.integers(100))), rng) for _ in range(recipe.lettered)
            ]
            if rng.random() < 0.3:
                turns.append((DESCRIBE, entry.caption))
        # Most contexts say everything, so that most questions can be answered.
        vague = rng.random() < 0.08
        context = entry.captions[int(rng.integers(len(entry.captions)))] if vague else entry.caption
        template = SHORT if rng.random() < 0.85 else VICUNA
        # A text is shorter than a question, so sharing it would not pay: short rows make attention cheap.
        return [writer.chat(None, context + " . ", [turn], template) for turn in turns]

    def batches(rng: np.random.Generator, rows: int) -> Batch:
        documents = [document for _ in range(rows) for document in draw(rng)]
        packed = pack(documents, TEXT_ROW, writer.tokens.pad)
        return {
            "input_ids": packed.input_ids,
            "labels": packed.labels,
            "attention_mask": packed.attention_mask,
            "position_ids": packed.position_ids,
        }

    record = fit("language", LanguageTraining(llama), batches, recipe.schedule, work, resume=resume)
    llama.save_pretrained(work / "parts" / "lm")
    wrapped.save_pretrained(work / "parts" / "lm")
    record.save(work / "language" / "training.json")
    return record
