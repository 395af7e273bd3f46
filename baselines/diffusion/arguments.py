"""What a pipeline's call takes, read off its signature: pipelines name guidance in three ways."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from evalsuite.errors import SpecError, suggest
from evalsuite.model import ModelOptions
from evalsuite.request import GenerateImages

from ..options import integer, number

ADAPTER_OPTIONS = (
    "name", "revision", "variant", "scheduler", "steps", "task", "device_map", "offload", "safety_checker",
    "trust_remote_code", "memory_check", "weights_check", "adapter",
)  # fmt: skip
"""Options that are no arguments of the call."""

_OURS = ("prompt", "image", "mask_image", "generator", "output_type", "return_dict")
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
    """Raises SpecError, from the checkpoint's index alone, for an option that none of its pipelines takes.

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
    classes = [getattr(diffusers, name, None)]
    if classes[0] is None:
        return
    for task in ("TEXT2IMAGE", "IMAGE2IMAGE", "INPAINT"):  # what the adapter switches to, to edit for example
        mapping = getattr(auto_pipeline, f"AUTO_{task}_PIPELINES_MAPPING", {})
        classes.append(auto_pipeline._get_task_class(mapping, name, throw_error_if_not_exist=False))
    check_options(options.options, [one for one in classes if one is not None])


def call_arguments(
    pipeline: Any, output: GenerateImages, options: Mapping[str, str], *, editing: bool
) -> dict[str, Any]:
    """Arguments of the call: the protocol's, else the options', else none (the pipeline's own defaults).

    `guidance_scale` means classifier-free guidance. Where a pipeline has `true_cfg_scale` and leaves
    `guidance_scale` empty (Qwen-Image), that is its name for it, and it acts only beside a negative prompt.

    Raises SpecError for an option that is not a number where one is wanted.
    """
    known = signature(pipeline)
    wanted: dict[str, Any] = {
        name: literal(value) for name, value in options.items() if name in known and name not in _OURS
    }
    wanted["num_inference_steps"] = output.steps or integer(options, "steps")
    wanted["strength"] = number(options, "strength")
    guidance = output.guidance_scale
    wanted[guidance_name(known)] = guidance if guidance is not None else number(options, "guidance_scale")
    wanted["negative_prompt"] = output.negative or wanted.get("negative_prompt")
    if not editing:  # an edited image has its source's size
        wanted |= {"width": output.width, "height": output.height}
    if guidance_name(known) == "true_cfg_scale" and wanted["negative_prompt"] is None:
        wanted["negative_prompt"] = " "
    return {name: value for name, value in wanted.items() if value is not None and name in known}


def guidance_name(known: Mapping[str, inspect.Parameter]) -> str:
    """The argument that is classifier-free guidance."""
    if "true_cfg_scale" not in known:
        return "guidance_scale"
    own = known.get("guidance_scale")
    return "true_cfg_scale" if own is None or own.default is None else "guidance_scale"


def literal(text: str) -> Any:
    """A number, truth value or None as Python writes it; anything else is text.

    >>> literal("1.5"), literal("False"), literal("a cat")
    (1.5, False, 'a cat')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
