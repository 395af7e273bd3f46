"""How each model type turns a prompt into image tokens and those into pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.model import Prepared

from ..decoding import OneWait

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

    from ..generation import Sampled
    from .adapter import UnifiedModel


@dataclass(frozen=True, slots=True)
class Drawer:
    """One model type's way.

    Args:
        draw: model, one request and one sampler per image, guidance, to one image each.
        guidance: classifier-free guidance where neither protocol nor checkpoint says.
    """

    draw: Callable[[UnifiedModel, Sequence[Prepared], Sampled, float], list[PilImage]]
    guidance: float


def _janus(
    owner: UnifiedModel, rows: Sequence[Prepared], sampled: Sampled, guidance: float
) -> list[PilImage]:
    from transformers import LogitsProcessorList

    class Last(LogitsProcessorList):
        """Guidance, which the model appends, comes before the sampling."""

        def append(self, processor: Any) -> None:
            self.insert(0, processor)

    inputs = owner.inputs([(item, "") for item in rows], "left", generation_mode="image")
    # transformers 5 computes both halves always but joins them above 1 only; 1 + ε is no guidance too
    tokens = owner.model.generate(
        **inputs,
        generation_mode="image",
        do_sample=False,
        guidance_scale=max(guidance, 1 + 1e-6),
        logits_processor=Last([sampled]),
    )
    return [_image(owner.model.decode_image_tokens(one)[0]) for one in tokens.split(1)]


def _emu3(owner: UnifiedModel, rows: Sequence[Prepared], sampled: Sampled, guidance: float) -> list[PilImage]:
    area = int(owner.checkpoint.options.get("image_area", EMU3_AREA))
    texts = [(item, "") for item in rows]
    inputs = owner.inputs(texts, "left", return_for_image_generation=True, ratio="1:1", image_area=area)
    height, width = (int(side) for side in inputs.pop("image_sizes")[0])
    start = inputs["input_ids"].shape[1]
    mapping = owner.model.model.vocabulary_mapping

    def allowed(row: int, ids: Any) -> list[int]:
        """Rows of `width` visual tokens, each followed by the token that ends a line."""
        at_the_end = (len(ids) - start + 1) % (width + 1) == 0
        return [mapping.eol_token_id] if at_the_end else mapping.image_tokens

    more: dict[str, Any] = {}
    if guidance > 1:
        empty = owner.tokenizer(owner.tokenizer.bos_token, return_tensors="pt", add_special_tokens=False)
        ids = empty["input_ids"].to(owner.model.device)
        more = {"guidance_scale": guidance, "negative_prompt_ids": ids.repeat(len(rows), 1)}
    count = height * (width + 1)
    found = owner.model.generate(
        **inputs, do_sample=False, max_new_tokens=count, min_new_tokens=count,
        prefix_allowed_tokens_fn=allowed, custom_generate=OneWait(sampled), **more,
    )  # fmt: skip
    images = []
    for tokens in found[:, start:].tolist():
        # decode_image_tokens cuts three tokens off: those that would end the image and the answer
        closed = [*tokens, *[owner.tokenizer.eos_token_id] * 3]
        pixels = owner.model.decode_image_tokens(
            image_tokens=found.new_tensor([closed]), height=height, width=width
        )
        images.append(_image(pixels[0].movedim(0, -1)))
    return images


EMU3_AREA = 720 * 720
"""Pixels of an image that Emu3-Gen was trained on."""

DRAWERS: Mapping[str, Drawer] = MappingProxyType(
    {
        # deepseek-ai/Janus, generation_inference.py: cfg_weight 5, temperature 1
        "janus": Drawer(_janus, 5.0),
        # baaivision/Emu3, image_generation.py: classifier_free_guidance 3.0
        "emu3": Drawer(_emu3, 3.0),
    }
)


def _image(pixels: Any) -> PilImage:
    """(height, width, 3) in [-1, 1] to 8 bits, as Janus' own script does it."""
    import numpy as np
    from PIL import Image

    values = (pixels.float().cpu().numpy() + 1) / 2 * 255
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
