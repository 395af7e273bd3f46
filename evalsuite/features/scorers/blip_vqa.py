"""BLIP's visual question answering (Li et al. 2022) as a score: the whole prompt asked as one question.

T2I-CompBench calls this the naive BLIP-VQA; its B-VQA asks about noun chunks and multiplies, which is the
task family `qa_alignment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError
from evalsuite.features._torch import load_pretrained
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, Geometry
from evalsuite.features.scorers.base import TorchScorer, find_checkpoint
from evalsuite.features.scorers.blip import part, text_config, vision_config, vision_state
from evalsuite.model.weights import fingerprint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KIND = "blip-vqa"
TOKENS = 35
"""Of a question; longer ones are cut off."""
WORDS = ("yes", "no")


def yes_share(model: Any, pixels: Tensor, tokens: Tensor, mask: Tensor, yes: int, no: int) -> Tensor:
    """(n,) P(yes) / (P(yes) + P(no)) at the first token of the answer.

    Args:
        model: a `BlipForQuestionAnswering`.
        tokens: (n, length) of the questions, the first of each being [ENC].
        yes, no: tokens of the two answers.
    """
    import torch

    seen = model.vision_model(pixel_values=pixels).last_hidden_state
    ones = torch.ones(seen.shape[:2], dtype=torch.long, device=seen.device)
    read = model.text_encoder(
        input_ids=tokens, attention_mask=mask, encoder_hidden_states=seen, encoder_attention_mask=ones
    ).last_hidden_state
    start = torch.full((len(tokens), 1), model.decoder_start_token_id, device=tokens.device)
    logits = model.text_decoder(
        input_ids=start, encoder_hidden_states=read, encoder_attention_mask=mask
    ).logits[:, -1]
    share: Tensor = torch.sigmoid(logits[:, yes] - logits[:, no])
    return share


def converted(state: Mapping[str, Tensor], heads: int = 0) -> tuple[Any, dict[str, Tensor]]:
    """`BlipConfig` and tensors of `model_base_vqa_capfilt_large.pth` for `BlipForQuestionAnswering`.

    Args:
        heads: of the attention; 0: one per 64 channels, as published.

    Raises CheckpointError where it is another network's.
    """
    from transformers import BlipConfig

    vision, text = part(state, "visual_encoder."), part(state, "text_encoder.")
    sizes: dict[str, Any] = {
        "vision_config": vision_config(vision, heads),
        "text_config": text_config(text, heads),
    }
    tensors = {f"vision_model.{name}": tensor for name, tensor in vision_state(vision).items()}
    tensors |= {f"text_encoder.{name}": tensor for name, tensor in text.items()}
    decoder = part(state, "text_decoder.")
    if not decoder:
        raise CheckpointError(
            "The checkpoint has no answer decoder of BLIP.", "Give a VQA checkpoint as it is published."
        )
    tensors |= {f"text_decoder.{name}": tensor for name, tensor in decoder.items()}
    return BlipConfig(**sizes), tensors


class BlipVqa(TorchScorer):
    """How surely BLIP answers yes to the prompt with a question mark behind it, from 0 to 1.

    Weights: a folder or hub id of a transformers `BlipForQuestionAnswering`. The published .pth, of images of
    480 pixels, becomes one by `evalsuite weights convert blip-vqa FILE`; the hub's own is of 384.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import AutoTokenizer, BlipForQuestionAnswering

        folder = find_checkpoint(spec)
        model: Any = load_pretrained(BlipForQuestionAnswering, folder, spec.source)
        side = int(model.config.vision_config.image_size)
        super().__init__(spec, device, Geometry(side, None, CLIP_MEAN, CLIP_STD), fingerprint([model]), KIND)
        self._model = model.to(self._device)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._yes, self._no = (self._tokenizer(word, add_special_tokens=False).input_ids[0] for word in WORDS)
        if self._yes == self._no:
            raise CheckpointError(
                f"The tokenizer in {folder} does not know the words yes and no.",
                "Give bert-base-uncased's.",
            )
        # [ENC] is the last word of BLIP's vocabulary, [DEC] (the decoder's start) the one before.
        self._encode = int(model.config.text_config.vocab_size) - 1

    def step(self, pixels: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenizer(
            [f"{text}?" for text in texts],
            padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt",
        ).to(self._device)  # fmt: skip
        ids = tokens["input_ids"]
        ids[:, 0] = self._encode
        return yes_share(self._model, pixels, ids, tokens["attention_mask"], self._yes, self._no)
