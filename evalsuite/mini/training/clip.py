"""Stage 0, the contrastive encoder: the frozen eye of DreamLLM and the miniature's image-text similarity.

Two additions to the plain contrastive loss, both because there are minutes and not days: every image also
sees its caption with one word changed (a hard negative), and the patch features that DreamLLM will read
(penultimate layer)
must name the words of the caption through one linear layer, which keeps colour, shape, size and place
readable.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    PreTrainedTokenizerFast,
)

from ..language import EASY_VQA_COLOURS, EASY_VQA_SHAPES, words
from ..world import COLOURS, PLACES, RELATIONS, SHAPES, SIZES
from .data import Entry, ImageSet
from .recipe import ClipRecipe
from .tokenizer import EOS, PAD, make_tokenizer
from .trainer import Batch, Record, fit
from .vae import to_pixels

MAX_LENGTH = 24
_CHANGES = [
    sorted({*COLOURS, *EASY_VQA_COLOURS}),
    sorted({*SHAPES, *EASY_VQA_SHAPES}),
    list(SIZES),
    ["left", "right", "centre"],
    ["top", "bottom"],
    ["above", "below"],
]
_PLACED = {frozenset(place.split()) for place in PLACES}
NAMED = sorted({word for group in _CHANGES for word in group} | {"left", "right"})
"""The words that patch features must name."""


def corrupt(caption: str, rng: np.random.Generator) -> str:
    """A caption with one word changed, or with its two things exchanged, so that it is false."""
    said = caption.split()
    relation = next((r for r in RELATIONS if f" {r} " in caption), None)
    if relation is not None and rng.random() < 0.25 and caption.startswith("a "):
        first, second = caption.split(f" {relation} ")
        return f"{second} {relation} {first}"
    at = [i for i, word in enumerate(said) if any(word in group for group in _CHANGES)]
    if not at:
        return f"no {caption}"
    index = at[int(rng.integers(len(at)))]
    group = next(group for group in _CHANGES if said[index] in group)
    others = [word for word in group if word != said[index]]
    said[index] = others[int(rng.integers(len(others)))]
    return " ".join(said)


def make_clip(recipe: ClipRecipe, tokenizer: PreTrainedTokenizerFast) -> CLIPModel:
    """The untrained encoder of a recipe."""
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=recipe.width, intermediate_size=recipe.mlp,
        num_hidden_layers=recipe.text_layers, num_attention_heads=recipe.heads,
        max_position_embeddings=MAX_LENGTH, projection_dim=recipe.projection,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, hidden_act="gelu",
    )  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=recipe.width, intermediate_size=recipe.mlp, num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads, image_size=64, patch_size=recipe.patch,
        projection_dim=recipe.projection, hidden_act="gelu",
    )  # fmt: skip
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=recipe.projection
    )
    # Fused attention is several times slower than plain attention for bf16 backward passes on a CPU.
    build: Any = CLIPModel._from_config
    model: CLIPModel = build(config, attn_implementation="eager")
    # CLIP's initialisation is scaled for wide, deep towers; a narrow one does not start to learn from it.
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and "embedding" not in name:
            nn.init.xavier_uniform_(parameter)
    return model


class ClipTraining(nn.Module):
    """Contrastive loss with hard negatives, plus the recovery of words from patches."""

    def __init__(self, clip: Any, words_weight: float) -> None:
        super().__init__()
        self.clip, self.words_weight = clip, words_weight
        self.namer = nn.Linear(clip.config.vision_config.hidden_size, len(NAMED))

    def texts(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, T) ids to (B, P) unit vectors."""
        pooled = self.clip.text_model(input_ids=ids, attention_mask=mask).pooler_output
        return functional.normalize(self.clip.text_projection(pooled).float(), dim=-1)

    def forward(
        self,
        pixels: torch.Tensor,
        ids: torch.Tensor,
        mask: torch.Tensor,
        same: torch.Tensor,
        named: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """`ids`: (2B or B, T), true captions first; `same`: (B, B) targets, rows sum to one; `named`: (B,
        W)."""
        rows = len(pixels)
        seen = self.clip.vision_model(pixel_values=pixels, output_hidden_states=True)
        image = functional.normalize(self.clip.visual_projection(seen.pooler_output).float(), dim=-1)
        text = self.texts(ids, mask)
        logits = self.clip.logit_scale.exp().clamp(max=100) * image @ text.T
        by_image = -(functional.pad(same, (0, len(text) - rows)) * logits.log_softmax(dim=1)).sum(dim=1)
        by_text = -(same * logits[:, :rows].T.log_softmax(dim=1)).sum(dim=1)
        # A word counts as named when some patch names it: a soft maximum over the patches.
        patches = self.namer(seen.hidden_states[-2][:, 1:]).float()
        loud = torch.logsumexp(patches, dim=1) - float(np.log(patches.shape[1]))
        recovery = functional.binary_cross_entropy_with_logits(loud, named)
        loss = (by_image.mean() + by_text.mean()) / 2 + self.words_weight * recovery
        return {"loss": loss}


def name_words(entry: Entry) -> np.ndarray:
    """Which of `NAMED` the canonical caption says: (W,) float32."""
    said = set(words(entry.caption))
    return np.array([word in said for word in NAMED], dtype=np.float32)


def train_clip(
    recipe: ClipRecipe, images: list[ImageSet], valid: ImageSet, work: Path, resume: bool
) -> Record:
    """Train and save to `work/parts/clip`, with tokenizer and image processor."""
    torch.manual_seed(recipe.schedule.seed)
    tokenizer = make_tokenizer(end=True, max_length=MAX_LENGTH, lower=True)
    clip = make_clip(recipe, tokenizer)
    named = [np.stack([name_words(entry) for entry in one.entries]) for one in images]

    def tokens(texts: list[str]) -> Batch:
        found = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return {"ids": found["input_ids"], "mask": found["attention_mask"]}

    def batches(rng: np.random.Generator, rows: int) -> Batch:
        easy = int(rows * recipe.easy_share) if len(images) > 1 else 0
        pixels, texts, targets = [], [], []
        for index, count in ((0, rows - easy), (1, easy)):
            if not count:
                continue
            one = images[index]
            chosen = rng.choice(len(one.pixels), size=count, replace=False)
            pixels.append(one.pixels[np.sort(chosen)])
            for row in np.sort(chosen):
                entry = one.entries[row]
                pool = entry.captions
                texts.append(entry.caption if rng.random() < 0.6 else pool[int(rng.integers(len(pool)))])
                targets.append(named[index][row])
        said = np.array(texts)
        same = (said[:, None] == said[None, :]).astype(np.float32)
        wrong = [corrupt(text, rng) for text in texts] if recipe.hard_pairs else []
        return {
            "pixels": to_pixels(np.concatenate(pixels)),
            **tokens(texts + wrong),
            "same": torch.from_numpy(same / same.sum(axis=1, keepdims=True)),
            "named": torch.from_numpy(np.stack(targets)),
        }

    training = ClipTraining(clip, recipe.words)
    rng = np.random.default_rng(0)
    held = [i for i, entry in enumerate(valid.entries) if entry.things <= 2]
    true = tokens([valid.entries[i].caption for i in held])
    false = [tokens([corrupt(valid.entries[i].caption, rng) for i in held]) for _ in range(4)]
    truth = np.stack([name_words(valid.entries[i]) for i in held])

    def check() -> dict[str, float]:
        seen = clip.vision_model(pixel_values=to_pixels(valid.pixels[held]), output_hidden_states=True)
        image = functional.normalize(clip.visual_projection(seen.pooler_output), dim=-1)
        right = (image * training.texts(**true)).sum(-1)
        beaten = torch.stack([right > (image * training.texts(**one)).sum(-1) for one in false])
        loud = torch.logsumexp(training.namer(seen.hidden_states[-2][:, 1:]), dim=1) - np.log(64)
        correct = (loud > 0).numpy() == (truth > 0)
        return {
            "beats_corrupted": float(beaten.float().mean()),
            "words_right": float(correct.mean()),
            "all_words_right": float(correct.all(axis=1).mean()),
        }

    record = fit(
        "clip", training, batches, recipe.schedule, work, resume=resume, check=check, check_every=200
    )
    save_clip(clip, tokenizer, work / "parts" / "clip")
    record.save(work / "clip" / "training.json")
    return record


def save_clip(clip: CLIPModel, tokenizer: Any, folder: Path) -> None:
    """Save model, tokenizer and image processor (64 px, mean and standard deviation 0.5)."""
    from transformers import CLIPImageProcessor

    clip.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(
        size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64}, do_center_crop=False,
        image_mean=[0.5] * 3, image_std=[0.5] * 3,
    ).save_pretrained(folder)  # fmt: skip


__all__ = ["EOS", "PAD", "ClipTraining", "corrupt", "make_clip", "name_words", "save_clip", "train_clip"]
