"""Image generators and editors of `diffusers`, from a folder or hub id, by the class their index names."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image, Text
from evalsuite.data.images import decode
from evalsuite.devices import resolve
from evalsuite.errors import CheckpointError, SampleError, SpecError
from evalsuite.model import Model, ModelInfo, Prepared
from evalsuite.registry import ModelEntry, ModelOptions
from evalsuite.request import GenerateImages, ImageResponse, Request
from evalsuite.schedulers import build_scheduler
from evalsuite.weights import count, fingerprint

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "diffusers",
        "any text-to-image or editing pipeline of diffusers: diffusers:FOLDER or diffusers:HUB/ID",
        frozenset({"image", "edit"}),
        load,
        takes_argument=True,
    )


def load(options: ModelOptions) -> Model:
    """Loads the pipeline named by `options.argument`.

    Options: `steps`, `guidance_scale`, `scheduler` (defaults where a protocol leaves them open), `strength`
    (of SDEdit, when a text-to-image pipeline is asked to edit), `image_guidance_scale` (of InstructPix2Pix),
    `name` (in leaderboards), `revision` (hub).

    Raises CheckpointError when the folder holds no pipeline.
    """
    return DiffusersPipeline(options)


class DiffusersPipeline:
    """One pipeline. Each image has its own generator, so that images do not depend on their batch.

    A pipeline that takes no image edits by SDEdit (Meng et al. 2022): the source is noised up to `strength`
    and denoised under the instruction.
    """

    def __init__(self, options: ModelOptions) -> None:
        import diffusers

        self._device, dtype = resolve(options)
        self._defaults = dict(options.options)
        source = options.argument
        _require_pipeline(source)
        diffusers.utils.logging.set_verbosity_error()
        diffusers.utils.logging.disable_progress_bar()
        try:
            pipeline = diffusers.DiffusionPipeline.from_pretrained(
                source, dtype=dtype, revision=self._defaults.get("revision"), use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{source} cannot be loaded as a diffusers pipeline ({error}).",
                "It needs model_index.json and the folders that it names.",
            ) from error
        self._pipeline = pipeline.to(self._device)
        takes_image = "image" in inspect.signature(pipeline.__call__).parameters
        self._draw = None if takes_image else self._pipeline
        self._edit = self._pipeline if takes_image else _image_to_image(self._pipeline)
        for each in (self._draw, self._edit):
            if each is not None:
                each.set_progress_bar_config(disable=True)
        modules = [m for m in pipeline.components.values() if hasattr(m, "parameters")]
        self._info = ModelInfo(
            self._defaults.get("name", Path(source).name),
            fingerprint(modules),
            count(modules),
            {
                "pipeline": type(pipeline).__name__,
                "source": source,
                "dtype": str(dtype).removeprefix("torch."),
                "device": str(self._device),
                "defaults": self._defaults,
            },
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def prepare(self, request: Request) -> Prepared:
        output = request.output
        assert isinstance(output, GenerateImages)
        prompt = "".join(p.text for m in request.messages for p in m.parts if isinstance(p, Text)).strip()
        sources = request.images
        if len(sources) > 1:
            raise SampleError(f"{self._info.name} takes one image in a prompt, not {len(sources)}.")
        if (self._edit if sources else self._draw) is None:
            raise SampleError(
                f"{self._info.name} ({self._info.details['pipeline']}) cannot "
                f"{'edit images' if sources else 'draw without a source image'}."
            )
        source = decode(sources[0]) if sources else None
        group = (output, source.size if source else None)
        return Prepared(request, (prompt, source), float(output.count), group)

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        import torch

        output = batch[0].request.output
        assert isinstance(output, GenerateImages)
        seeds = [item.request.seed + i for item in batch for i in range(output.count)]
        prompts = [item.payload[0] for item in batch for _ in range(output.count)]
        sources: list[PilImage | None] = [item.payload[1] for item in batch for _ in range(output.count)]
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        pipeline = self._edit if sources[0] is not None else self._draw
        assert pipeline is not None
        arguments = self._arguments(output, pipeline)
        if sources[0] is not None:
            arguments["image"] = sources
            arguments = {k: v for k, v in arguments.items() if k not in {"width", "height"}}
        with torch.inference_mode():
            images = pipeline(prompt=prompts, generator=generators, output_type="pil", **arguments).images
        encoded = [_png(image) for image in images]
        details = {k: v for k, v in arguments.items() if k != "image"}
        return [
            ImageResponse(tuple(encoded[i * output.count : (i + 1) * output.count]), details)
            for i in range(len(batch))
        ]

    def _arguments(self, output: GenerateImages, pipeline: Any) -> dict[str, Any]:
        default = self._defaults
        name = output.scheduler or default.get("scheduler")
        if name:
            pipeline.scheduler = build_scheduler(name, pipeline.scheduler.config)
        wanted: dict[str, Any] = {
            "width": output.width,
            "height": output.height,
            "num_inference_steps": output.steps or _number(default, "steps", int),
            "guidance_scale": output.guidance_scale
            if output.guidance_scale is not None
            else _number(default, "guidance_scale", float),
            "negative_prompt": output.negative or None,
            "strength": _number(default, "strength", float),
            "image_guidance_scale": _number(default, "image_guidance_scale", float),
        }
        known = inspect.signature(pipeline.__call__).parameters
        if "guidance_scale" not in known and "true_cfg_scale" in known:
            wanted["true_cfg_scale"] = wanted.pop("guidance_scale")
        return {key: value for key, value in wanted.items() if value is not None and key in known}


def _number(options: dict[str, str], key: str, kind: type) -> Any:
    if key not in options:
        return None
    try:
        return kind(options[key])
    except ValueError as error:
        raise SpecError(f"Option {key}={options[key]!r} is not a number.", f"Write {key}=20.") from error


def _require_pipeline(source: str) -> None:
    folder = Path(source)
    if folder.exists() and not (folder / "model_index.json").is_file():
        raise CheckpointError(
            f"{folder} holds no diffusers pipeline: model_index.json is missing.",
            "Give the folder that save_pretrained wrote.",
        )


def _image_to_image(pipeline: Any) -> Any | None:
    import diffusers

    try:
        return diffusers.AutoPipelineForImage2Image.from_pipe(pipeline)
    except ValueError:
        return None


def _png(image: PilImage) -> Image:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, format="PNG")
    return Image(buffer.getvalue(), name="generated.png")
