"""How each model type turns a prompt into image tokens and those into pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.model import Prepared

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

    from .adapter import UnifiedModel


@dataclass(frozen=True, slots=True)
class Drawer:
    """One model type's way.

    Args:
        draw: model, request, guidance and sampling to one image; the random generator is set.
        guidance: classifier-free guidance where neither protocol nor checkpoint says.
    """

    draw: Callable[[UnifiedModel, Prepared, float, Mapping[str, Any]], PilImage]
    guidance: float


def _janus(owner: UnifiedModel, item: Prepared, guidance: float, sampling: Mapping[str, Any]) -> PilImage:
    inputs = owner.inputs([(item, "")], "left", generation_mode="image")
    # transformers 5 computes both halves always but joins them above 1 only; 1 + ε is no guidance too
    tokens = owner.model.generate(
        **inputs, generation_mode="image", do_sample=True, guidance_scale=max(guidance, 1 + 1e-6), **sampling
    )
    return _picture(owner.model.decode_image_tokens(tokens)[0])


def _emu3(owner: UnifiedModel, item: Prepared, guidance: float, sampling: Mapping[str, Any]) -> PilImage:
    area = int(owner.checkpoint.options.get("image_area", EMU3_AREA))
    inputs = owner.inputs(
        [(item, "")], "left", return_for_image_generation=True, ratio="1:1", image_area=area
    )
    height, width = (int(side) for side in inputs.pop("image_sizes")[0])
    start = inputs["input_ids"].shape[1]
    mapping = owner.model.model.vocabulary_mapping

    def allowed(row: int, ids: Any) -> list[int]:
        """Rows of `width` visual tokens, each followed by the token that ends a line."""
        at_the_end = (len(ids) - start + 1) % (width + 1) == 0
        return [mapping.eol_token_id] if at_the_end else mapping.image_tokens

    if guidance > 1:
        empty = owner.tokenizer(owner.tokenizer.bos_token, return_tensors="pt", add_special_tokens=False)
        sampling = {
            **sampling,
            "guidance_scale": guidance,
            "negative_prompt_ids": empty["input_ids"].to(owner.model.device),
        }
    count = height * (width + 1)
    found = owner.model.generate(
        **inputs, do_sample=True, max_new_tokens=count, min_new_tokens=count,
        prefix_allowed_tokens_fn=allowed, **sampling,
    )  # fmt: skip
    tokens = found[:, start:]
    # decode_image_tokens cuts three tokens off: those that would end the image and the answer
    closed = tokens.new_full((1, 3), owner.tokenizer.eos_token_id)
    pixels = owner.model.decode_image_tokens(
        image_tokens=tokens.new_tensor([[*tokens[0].tolist(), *closed[0].tolist()]]),
        height=height,
        width=width,
    )
    return _picture(pixels[0].movedim(0, -1))


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


def _picture(pixels: Any) -> PilImage:
    """(height, width, 3) in [-1, 1] to 8 bits, as Janus' own script does it."""
    import numpy as np
    from PIL import Image

    values = (pixels.float().cpu().numpy() + 1) / 2 * 255
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
