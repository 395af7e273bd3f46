"""What a pipeline's call takes, read off its signature: pipelines name guidance in three ways."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

from evalsuite.errors import SpecError, UnavailableError, suggest
from evalsuite.model import ModelOptions
from evalsuite.request import GenerateImages

from ..options import integer, number
from .kinds import NEEDS, SOURCES

ADAPTER_OPTIONS = (
    "name", "revision", "variant", "scheduler", "steps", "task", "device_map", "offload", "safety_checker",
    "trust_remote_code", "memory_check", "weights_check", "adapter",
)  # fmt: skip
"""Options that are no arguments of the call."""

_OURS = ("prompt", *SOURCES, "mask_image", "generator", "output_type", "return_dict")
"""Arguments of the call that come from the request."""


def signature(pipeline: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(pipeline.__call__).parameters


def check_options(options: Mapping[str, str], pipelines: Iterable[Any]) -> None:
    """Raises SpecError for an option that is neither the adapter's nor an argument of a call."""
    calls = [name for p in pipelines for name in signature(p) if name not in ("self", *_OURS)]
    known = (*ADAPTER_OPTIONS, *dict.fromkeys(calls), "guidance_scale", "strength")
    for name in options:
        if name not in known:
            raise SpecError(
                f"Neither the adapter nor the pipeline has an option {name!r}.", suggest(name, known)
            )


def check_before_loading(options: ModelOptions) -> None:
    """Raises SpecError, from the checkpoint's index alone, for an option that none of its pipelines takes,
    and UnavailableError where its class needs a package that is not installed.

    Where the index is not at hand or names a class of its own, `check_options` follows after loading.
    """
    import diffusers
    from diffusers.pipelines import auto_pipeline

    try:
        index: Any = diffusers.DiffusionPipeline.load_config(
            options.argument, revision=options.options.get("revision", "main")
        )
        name = str(index["_class_name"])
    except (OSError, ValueError, KeyError, TypeError):  # loading explains what is wrong
        return
    needed = NEEDS.get(name)
    if needed and find_spec(needed) is None:
        raise UnavailableError(f"A {name} needs the package {needed}.", f"pip install {needed}")
    classes = [getattr(diffusers, name, None)]
    if classes[0] is None:
        return
    for task in ("TEXT2IMAGE", "IMAGE2IMAGE", "INPAINT"):  # what the adapter switches to, to edit for example
        mapping = getattr(auto_pipeline, f"AUTO_{task}_PIPELINES_MAPPING", {})
        classes.append(auto_pipeline._get_task_class(mapping, name, throw_error_if_not_exist=False))
    check_options(options.options, [one for one in classes if one is not None])


def call_arguments(
    pipeline: Any, output: GenerateImages, options: Mapping[str, str], *, editing: bool, count: int = 0
) -> dict[str, Any]:
    """Arguments of the call: the protocol's, else the options', else none (the pipeline's own defaults).

    `guidance_scale` means classifier-free guidance, under the name that `guidance_name` finds; where that is
    `true_cfg_scale`, it acts only beside a negative prompt.

    Args:
        pipeline: whose call is meant.
        output: what the request asks for.
        options: of the adapter, as text.
        editing: whether there is a source image, whose size an edited image has.
        count: prompts in the call; a negative prompt is then given once for each, as many pipelines want.

    Raises SpecError for an option that is not a number where one is wanted.
    """
    known = signature(pipeline)
    wanted: dict[str, Any] = {
        name: literal(value) for name, value in options.items() if name in known and name not in _OURS
    }
    wanted["num_inference_steps"] = output.steps or integer(options, "steps")
    wanted["strength"] = number(options, "strength")
    guidance = output.guidance_scale
    guidance = guidance if guidance is not None else number(options, "guidance_scale")
    wanted[guidance_name(known) or "guidance_scale"] = guidance
    wanted["negative_prompt"] = output.negative or wanted.get("negative_prompt")
    if not editing:  # an edited image has its source's size
        wanted |= {"width": output.width, "height": output.height}
    if guidance_name(known) == "true_cfg_scale" and wanted["negative_prompt"] is None:
        wanted["negative_prompt"] = " "
    if count and isinstance(wanted["negative_prompt"], str):
        wanted["negative_prompt"] = [wanted["negative_prompt"]] * count
    found = {name: value for name, value in wanted.items() if value is not None and name in known}
    if "guidance_schedule" in known and "guidance_scale" in found:  # Ideogram 4 wants one of the two
        found["guidance_schedule"] = None
    return found


def guidance_name(known: Mapping[str, inspect.Parameter]) -> str:
    """The argument that is classifier-free guidance; empty where a call has none.

    `true_cfg_scale` beside a `guidance_scale` that is left empty (Qwen-Image) or not there; beside one that
    has a value (FLUX.1), `guidance_scale` is what users of the model set. A prior with a decoder behind it
    (Stable Cascade) is guided in the prior.
    """
    own = known.get("guidance_scale")
    if "true_cfg_scale" in known and (own is None or own.default is None):
        return "true_cfg_scale"
    if own is not None:
        return "guidance_scale"
    return next((name for name in ("prior_guidance_scale", "distilled_guidance_scale") if name in known), "")


def negative_name(known: Mapping[str, inspect.Parameter]) -> str:
    """The argument that is the negative prompt; empty where a call has none."""
    return "negative_prompt" if "negative_prompt" in known else ""


def literal(text: str) -> Any:
    """A number, truth value or None as Python writes it; anything else is text.

    >>> literal("1.5"), literal("False"), literal("a cat")
    (1.5, False, 'a cat')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
