"""What signatures of pipelines do not say: where the source image goes, and what a list of images means."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SOURCES = ("image", "images", "input_images")
"""Arguments of a call that take the image to edit, in the order in which they are looked for."""

SEVERAL = frozenset({
    "BriaFiboEditPipeline", "Flux2KleinKVPipeline", "Flux2KleinPipeline", "Flux2Pipeline",
    "GlmImagePipeline", "JoyImageEditPlusPipeline", "OmniGenPipeline", "QwenImage21Pipeline",
    "QwenImageEditPlusPipeline", "ZImageOmniPipeline",
})  # fmt: skip
"""Pipelines that edit, or generate after, several images at once: a list is one prompt's, not a batch."""

EDITS_ALONE = SEVERAL | {
    "ChronoEditPipeline", "DreamLiteMobilePipeline", "DreamLitePipeline", "LongCatImageEditPipeline",
    "KandinskyV22InpaintCombinedPipeline", "QwenImageEditInpaintPipeline", "QwenImageEditPipeline",
    "QwenImageLayeredPipeline",
}  # fmt: skip
"""Pipelines that edit one image in a call."""

GENERATES_ALONE = frozenset({
    "CogView4Pipeline", "DreamLiteMobilePipeline", "DreamLitePipeline", "GlmImagePipeline",
    "Kandinsky3Pipeline",
})  # fmt: skip
"""Pipelines that take one prompt in a call, whose batches change images, or that draw numbers from torch's
own generator, which a batch would share."""

ONE_PROMPT = frozenset({"DreamLiteMobilePipeline", "DreamLitePipeline"})
"""Pipelines that take a text, not a list."""

GENERATES_TOO = frozenset({
    "BriaFibo2Pipeline", "DreamLiteMobilePipeline", "DreamLitePipeline", "Flux2KleinKVPipeline",
    "Flux2KleinPipeline", "Flux2Pipeline", "FluxKontextPipeline", "GlmImagePipeline", "OmniGenPipeline",
    "QwenImage21Pipeline", "StableCascadeCombinedPipeline", "ZImageOmniPipeline",
})  # fmt: skip
"""Pipelines that take an image and work without one."""

NEEDS = {
    "ChronoEditPipeline": "ftfy", "Cosmos2TextToImagePipeline": "cosmos_guardrail",
    "OmniGenPipeline": "torchvision", "PRXPipeline": "ftfy", "PRXPixelPipeline": "ftfy",
}  # fmt: skip
"""Pipelines that fail inside without a package that diffusers leaves to choice."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a pipeline takes images.

    Args:
        name: of its class.
        source: argument of the call that takes the image to edit; empty where none does.
    """

    name: str
    source: str

    @property
    def draws(self) -> bool:
        """Whether it generates without a source image although it takes one."""
        return self.name in GENERATES_TOO

    @property
    def several(self) -> bool:
        """Whether a prompt may have several source images."""
        return self.name in SEVERAL

    def alone(self, editing: bool) -> bool:
        """Whether images are asked for one by one."""
        return self.name in (EDITS_ALONE if editing else GENERATES_ALONE)

    @property
    def one_prompt(self) -> bool:
        """Whether a call takes a text, not a list."""
        return self.name in ONE_PROMPT

    def inputs(self, prompts: Sequence[str], images: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Arguments of the call for prompts, and for the images of each where they have some."""
        found = self._sources(prompts, images) if images[0] else {"prompt": list(prompts)}
        return {**found, "prompt": found["prompt"][0]} if self.one_prompt else found

    def _sources(self, prompts: Sequence[str], images: Sequence[Sequence[Any]]) -> dict[str, Any]:
        if self.source == "input_images":  # OmniGen names its images in the prompt
            marks = ["".join(f"<img><|image_{i + 1}|></img> " for i in range(len(own))) for own in images]
            texts = [mark + prompt for mark, prompt in zip(marks, prompts, strict=True)]
            return {"prompt": texts, self.source: [list(own) for own in images]}
        if self.source == "images":
            return {"prompt": list(prompts), self.source: [list(own) for own in images]}
        if self.several:
            return {"prompt": list(prompts), self.source: list(images[0])}
        first = [own[0] for own in images]
        return {"prompt": list(prompts), self.source: first[0] if self.alone(editing=True) else first}


def kind_of(pipeline: Any) -> Kind:
    """The kind of a pipeline, by its class and the signature of its call."""
    known = inspect.signature(pipeline.__call__).parameters
    return Kind(type(pipeline).__name__, next((name for name in SOURCES if name in known), ""))


def images_of(made: Any) -> list[Any]:
    """One PIL image per prompt of what a pipeline gives back.

    Pipelines name them `images` or `image`. An editor that is a video model (ChronoEdit) gives frames, whose
    last is the edited image; one that gives several images for a prompt (layers) gives its first, which is
    the whole.
    """
    for name in ("images", "image"):
        found = getattr(made, name, None)
        if found is not None:
            return [one[0] if isinstance(one, list) else one for one in found]
    return [frames[-1] for frames in made.frames]
