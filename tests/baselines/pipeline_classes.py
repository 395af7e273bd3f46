"""All pipeline classes of `diffusers` that answer a prompt with images, and tiny ones by their type hints."""

from __future__ import annotations

import enum
import inspect
import sys
import typing
from functools import cache
from types import UnionType
from typing import Any

import torch

from tests.baselines.pipeline_parts import CLIP_LENGTH, MAKERS, words
from tests.baselines.pipeline_settings import OVERRIDES, SETTINGS

STEERED = ("controlnet", "adapter")
"""Components of pipelines that are steered by a control image."""
SECOND = ("SuperResolution", "Upscale", "Refiner")
"""Words in the names of pipelines whose images come from another."""
PRIOR = ("image_embeds", "image_embeddings")
"""Arguments of a decoder that its prior makes."""
VIDEO_EDITORS = ("ChronoEditPipeline",)
"""Editors that give frames, of which one is the edited image."""


@cache
def classes() -> dict[str, Any]:
    """Name -> class, of every pipeline whose call takes a prompt and whose output has images."""
    import diffusers

    found = {}
    for name in dir(diffusers):
        kind = getattr(diffusers, name) if name.endswith("Pipeline") else None
        if not inspect.isclass(kind) or not issubclass(kind, diffusers.DiffusionPipeline):
            continue
        takes = inspect.signature(kind.__call__).parameters
        if name in VIDEO_EDITORS or ({"prompt", "content_prompt"} & set(takes) and _gives_images(kind)):
            found[name] = kind
    return found


def _gives_images(kind: Any) -> bool:
    """Whether the output that a call names has images; combined pipelines name none, but their decoder."""
    source = inspect.getsource(kind.__call__)
    named = [word for word in _words(source) if word.endswith("Output") and f"return {word}(" in source]
    if not named:
        return "self.decoder_pipe" in source or "self.upsampling_pipe" in source
    fields = getattr(getattr(sys.modules[kind.__module__], named[0]), "__dataclass_fields__", {})
    return "image_embeds" not in fields and bool({"images", "image"} & set(fields))


def _words(source: str) -> list[str]:
    return [word.split("(")[0] for word in source.split()]


def reason(name: str) -> str:
    """Why a class is not built; empty where it is."""
    kind = classes()[name]
    takes = inspect.signature(kind.__init__).parameters
    call = inspect.signature(kind.__call__).parameters
    if ".deprecated." in kind.__module__:
        return "deprecated by the library"
    if any(part in takes for part in STEERED) or "control_image" in call:
        return "steered by a control image, which no benchmark here has"
    if any(call[part].default is inspect.Parameter.empty for part in PRIOR if part in call):
        return "one half of a pipeline: takes embeddings of its prior, see its combined pipeline"
    if "content_prompt" in call:
        return "in-context: its images are a grid of examples, which no benchmark here has"
    if any(word in name for word in SECOND):
        return "second stage: enlarges or refines what another pipeline made"
    if name == "ShapEPipeline":
        return "gives views of a 3D object"
    return ""


def build(name: str) -> Any:
    """A tiny pipeline of a class. Raises whatever the library raises."""
    kind = classes()[name]
    hints = typing.get_type_hints(kind.__init__)
    own = OVERRIDES.get(name, {})
    made: dict[str, Any] = {}
    for part, parameter in inspect.signature(kind.__init__).parameters.items():
        if part == "self":
            continue
        wanted = own.get(part)
        if part in own and not isinstance(wanted, dict):
            made[part] = _called(wanted, hints.get(part)) if callable(wanted) else wanted
        elif part in ("safety_checker", "feature_extractor", "image_encoder") and part not in own:
            optional = name not in ("StableUnCLIPImg2ImgPipeline", "ChronoEditPipeline")
            made[part] = None if optional else _component(hints[part], {})
        elif part == "requires_safety_checker":
            made[part] = False
        elif parameter.default is inspect.Parameter.empty:
            made[part] = _component(hints[part], wanted or {})
    for one in made.values():
        if isinstance(one, torch.nn.Module):
            _awake(one.eval())
    return kind(**made)


def _awake(network: torch.nn.Module) -> None:
    """Gives size to what is too small for prompts and guidance to change an image: layers that training
    starts at zero, and the texts' encoders."""
    texts = type(network).__module__.startswith("transformers.")
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1 and (not parameter.any() or (texts and parameter.std() < 0.05)):
                parameter.normal_(0, 0.2 if texts else 0.1)


def _called(make: Any, hint: Any) -> Any:
    return make(_first(hint)) if inspect.signature(make).parameters.get("kind") is not None else make()


def _first(hint: Any) -> Any:
    options = typing.get_args(hint) if isinstance(hint, UnionType) or typing.get_origin(hint) else ()
    return options[0] if options else hint


def _component(hint: Any, more: dict[str, Any]) -> Any:
    import diffusers

    kind = _first(hint)
    label = kind.__name__
    if label in MAKERS:
        return MAKERS[label](kind)
    if isinstance(kind, enum.EnumMeta):
        return diffusers.DDIMScheduler(steps_offset=1, clip_sample=False)
    if label in SETTINGS:
        settings = {**SETTINGS[label], **more}
        takes = inspect.signature(kind.__init__).parameters
        return kind(**{key: value for key, value in settings.items() if key in takes})
    if "Tokenizer" in label or label in ("PythonBackend", "TokenizersBackend"):
        return words(CLIP_LENGTH if "CLIP" in label or "Bert" in label else 512)
    if "Scheduler" in label:
        return kind()
    raise NotImplementedError(f"no tiny {label} is described")
