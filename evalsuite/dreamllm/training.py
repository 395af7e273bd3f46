"""Which parts learn at which stage, and the label rules of the training sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalsuite.dreamllm.configuration import SpecialTokens
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.errors import SpecError

IGNORED = -100
"""Label of a position that carries no text loss."""

PARTS: dict[str, tuple[str, ...]] = {
    "embeddings": ("model.embed_tokens.",),
    "language_model": ("model.layers.", "model.norm."),
    "lm_head": ("lm_head.",),
    "vision": ("vision.",),
    "vision_projector": ("vision_projector.", "vision_norm."),
    "dream_queries": ("dream_queries",),
    "condition_projector": ("condition_projector.",),
    "unet": ("unet.",),
    "vae": ("vae.",),
}
"""Part name -> prefixes of its parameters. Every parameter of the model belongs to exactly one part."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What trains, and the loss weights.

    Args:
        trained: names of PARTS; everything else is frozen.
        loss_weight_lm, loss_weight_vm: weights of text and image loss.
        source: where the row comes from.
    """

    trained: frozenset[str]
    loss_weight_lm: float
    loss_weight_vm: float
    source: str


_BRIDGES = frozenset({"vision_projector", "dream_queries", "condition_projector"})
_ALL_BUT_FROZEN = _BRIDGES | {"embeddings", "language_model", "lm_head"}

STAGES: dict[str, Stage] = {
    "align": Stage(_BRIDGES, 1.0, 10.0, "paper, stage I"),
    "comprehension-align": Stage(
        frozenset({"vision_projector"}), 1.0, 0.0, "released configuration, stage I, comprehension only"
    ),
    "creation-align": Stage(
        frozenset({"dream_queries", "condition_projector"}),
        0.0,
        1.0,
        "released configuration, stage I, creation only",
    ),
    "interleaved": Stage(_ALL_BUT_FROZEN, 1.0, 10.0, "stage II, I-GPT"),
    "instruction": Stage(_ALL_BUT_FROZEN, 1.0, 10.0, "stage III, supervised fine-tuning"),
    "text": Stage(
        frozenset({"embeddings", "language_model", "lm_head"}),
        1.0,
        0.0,
        "ours: the language model alone, before stage I",
    ),
}
"""The freeze table. Vision tower, UNet and VAE are frozen at every stage."""


def part_of(parameter_name: str) -> str:
    """The part that a parameter belongs to.

    Raises:
        SpecError: none does (a parameter of another model).
    """
    for part, prefixes in PARTS.items():
        if parameter_name.startswith(prefixes):
            return part
    raise SpecError(f"Parameter {parameter_name!r} belongs to no part of a DreamLLM.")


def set_stage(model: DreamLLMForCausalLM, stage: str | Stage) -> DreamLLMForCausalLM:
    """Freeze and unfreeze parameters for a stage, set its loss weights, and return the model.

    Raises:
        SpecError: unknown stage or part.
    """
    if isinstance(stage, str):
        if stage not in STAGES:
            raise SpecError(f"Unknown training stage {stage!r}.", f"Known: {', '.join(STAGES)}.")
        stage = STAGES[stage]
    unknown = stage.trained - PARTS.keys()
    if unknown:
        raise SpecError(f"Unknown parts {sorted(unknown)}.", f"Known: {', '.join(PARTS)}.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) in stage.trained)
    if model.config.tie_word_embeddings:
        model.lm_head.weight.requires_grad_(bool(stage.trained & {"embeddings", "lm_head"}))
    model.config.loss_weight_lm = stage.loss_weight_lm
    model.config.loss_weight_vm = stage.loss_weight_vm
    return model


@dataclass(frozen=True, slots=True)
class TrainingSequence:
    """Ids and labels of one training sequence, same length."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]


class SequenceBuilder:
    """Training sequences piece by piece, with upstream's label rules.

    Text that the model must learn keeps its ids as labels; prompts, image blocks and dream blocks are
    ignored, except that `<dream_start>` is learnt where the model itself decides to generate an image.
    A piece that does not fit into `max_length` is dropped whole, and everything after it.

    Args:
        tokens: the special ids.
        num_patches, num_dream_queries: P and Q.
        max_length: limit on the sequence, None for none.
    """

    def __init__(
        self, tokens: SpecialTokens, num_patches: int, num_dream_queries: int, max_length: int | None = None
    ) -> None:
        self.tokens, self.max_length = tokens, max_length
        self._image = [tokens.image_start, *[tokens.image_patch] * num_patches, tokens.image_end]
        self._dream = [tokens.dream_start, *[tokens.image_patch] * num_dream_queries, tokens.dream_end]
        self._ids: list[int] = []
        self._labels: list[int] = []
        self._full = False

    def _append(self, ids: Sequence[int], labels: Sequence[int]) -> bool:
        if self.max_length is not None and len(self._ids) + len(ids) > self.max_length:
            self._full = True
        if self._full:
            return False
        self._ids.extend(ids)
        self._labels.extend(labels)
        return True

    def text(self, ids: Sequence[int], *, learn: bool) -> bool:
        """Append text; False when it did not fit."""
        return self._append(ids, list(ids) if learn else [IGNORED] * len(ids))

    def image(self) -> bool:
        """Append an image block, never learnt; False when it did not fit."""
        return self._append(self._image, [IGNORED] * len(self._image))

    def dream(self, *, learn_start: bool) -> bool:
        """Append a dream block; with `learn_start` its first token is a target."""
        labels = [IGNORED] * len(self._dream)
        if learn_start:
            labels[0] = self.tokens.dream_start
        return self._append(self._dream, labels)

    def dream_and_image(self, *, learn_start: bool) -> bool:
        """Append the dream block and directly after it the image block of the same image, both or none."""
        labels = [IGNORED] * (len(self._dream) + len(self._image))
        if learn_start:
            labels[0] = self.tokens.dream_start
        return self._append([*self._dream, *self._image], labels)

    def build(self) -> TrainingSequence:
        """The sequence so far."""
        return TrainingSequence(tuple(self._ids), tuple(self._labels))


def collate(
    sequences: Sequence[TrainingSequence], pad_id: int, *, length: int | None = None
) -> dict[str, Tensor]:
    """Pad right to one tensor each: `input_ids`, `labels` (padding ignored), `attention_mask`; all (batch,
    longest).

    Args:
        length: pad to this many instead of the longest.
    """
    longest = max(len(sequence.ids) for sequence in sequences)
    width = longest if length is None else max(length, longest)
    ids = torch.full((len(sequences), width), pad_id)
    labels = torch.full((len(sequences), width), IGNORED)
    mask = torch.zeros((len(sequences), width), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence.ids)] = torch.tensor(sequence.ids)
        labels[row, : len(sequence.ids)] = torch.tensor(sequence.labels)
        mask[row, : len(sequence.ids)] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}
