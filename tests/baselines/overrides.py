"""What a model type needs beside the rules of `tests.baselines.generic`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Override:
    """One type's.

    Args:
        config: settings, nested as in the configuration.
        keep: settings that stay as they are.
        named: special tokens by their attribute.
        tokens: further special tokens.
        processor, images: names of classes, where the library's lists have none.
        settings, image_settings, videos: of the processor, the image processor and the video processor.
        mark: what stands for an image in a chat template.
        template: whether it gets a chat template.
        mrope: sections of the rotary embedding, of a type that has some.
        decoder_start: the first token of an encoder-decoder.
    """

    config: dict[str, Any] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    processor: str = ""
    images: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    image_settings: dict[str, Any] = field(default_factory=dict)
    videos: dict[str, Any] = field(default_factory=dict)
    mark: str = ""
    template: bool = True
    mrope: list[int] | None = None
    decoder_start: int | None = None


PLAIN = Override(template=False)
OVERRIDES: dict[str, Override] = {
    "blip": PLAIN,
    "git": PLAIN,
    "fuyu": PLAIN,
    "florence2": PLAIN,
    "pix2struct": Override(template=False, decoder_start=0),
    "udop": Override(template=False, decoder_start=0),
    "kosmos-2.5": PLAIN,
    "cosmos3_omni": Override(processor="Qwen3VLProcessor"),
    "glm_ocr": Override(processor="Glm46VProcessor", images="Glm46VImageProcessorPil"),
    "glmga": Override(processor="Glm46VProcessor"),
    "glm4v_moe": Override(images="Glm4vImageProcessorPil"),
    "qwen3_vl_moe": Override(images="Qwen2VLImageProcessorPil"),
    "qwen2_5_omni_thinker": Override(processor="Qwen2_5OmniProcessor", images="Qwen2VLImageProcessorPil"),
    "qwen3_omni_moe_thinker": Override(processor="Qwen3OmniMoeProcessor", images="Qwen2VLImageProcessorPil"),
    "ernie4_5_vl_moe": Override(mrope=[3, 3, 2]),
    "diffusion_gemma": Override(images="Gemma4ImageProcessorPil"),
}
