"""The adapter: one pipeline that generates, edits or inpaints images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.content import Text
from evalsuite.errors import CheckpointError, SampleError, SpecError, UnavailableError, suggest
from evalsuite.model import ModelInfo, ModelOptions, Prepared
from evalsuite.model.devices import resolve
from evalsuite.model.folders import DIFFUSERS_ADAPTER, fault_of_folder
from evalsuite.model.memory import estimate, require_room
from evalsuite.model.schedulers import build_scheduler
from evalsuite.model.weights import configuration, count, fingerprint
from evalsuite.request import GenerateImages, ImageResponse, Request
from evalsuite.task.readers import decode

from ..checkpoint import explaining
from ..image_text.videoless import without_videos
from ..images import encoded
from ..lora import NONE
from ..options import number, switch
from .arguments import call_arguments, check_options, signature
from .guiders import set_guidance
from .kinds import images_of, kind_of
from .timesteps import keep_on_host
from .weights import check_pipeline

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

TASKS = {
    "text-to-image": "AutoPipelineForText2Image",
    "image-to-image": "AutoPipelineForImage2Image",
    "inpainting": "AutoPipelineForInpainting",
}
"""Values of the option `task` -> the class of diffusers that switches to it."""


class DiffusersPipeline:
    """One pipeline. Each image has its own generator, so that images do not depend on their batch.

    A pipeline that takes no image edits by SDEdit (Meng et al. 2022): the source is noised up to `strength`
    and denoised under the instruction. One that takes a mask wants two images in the prompt: the source, and
    the mask (white is repainted).

    Options: `steps`, `guidance_scale`, `scheduler` and every other argument of the pipeline's call
    (`image_guidance_scale`, `true_cfg_scale`, `strength`, `max_area` …) where a protocol leaves them open;
    `task` (`text-to-image`, `image-to-image`, `inpainting`) switches the pipeline; `name` (in leaderboards);
    `revision` and `variant` of a hub repository; `device_map`; `offload=yes` keeps on the GPU only what is at
    work; `safety_checker=no` leaves it out (it blackens images; the response's details say which);
    `trust_remote_code=yes`; `memory_check=no`; `adapter`, a folder or file of LoRA weights (`none` leaves one
    in the pipeline's own folder away); `weights_check=no` measures a pipeline some of whose tensors are
    missing or unexpected.
    """

    def __init__(self, options: ModelOptions) -> None:
        self._device, self._dtype = resolve(options)
        self._options = dict(options.options)
        pipeline = self._load(options.argument)
        if "task" in self._options:
            pipeline = self._switched(pipeline)
        self._kind = kind_of(pipeline)
        takes_image = bool(self._kind.source)
        self._draw = pipeline if not takes_image or self._kind.draws else None
        self._edit = pipeline if takes_image else _image_to_image(pipeline)
        self._masked = self._edit is not None and "mask_image" in signature(self._edit)
        pipelines = [each for each in (self._draw, self._edit) if each is not None]
        check_options(self._options, pipelines)
        for each in pipelines:
            each.set_progress_bar_config(disable=True)
        modules = [m for m in pipeline.components.values() if hasattr(m, "parameters")]
        self.networks = tuple(modules)  # for the engine's self-check
        kind = type(pipeline).__name__
        self._info = ModelInfo(
            self._options.get("name", Path(options.argument).name),
            fingerprint(modules),
            count(modules),
            {
                "pipeline": kind,
                "source": options.argument,
                "configuration": configuration(options.argument, self._options.get("revision", "main")),
                "dtype": str(self._dtype).removeprefix("torch."),
                "device": str(self._device),
                "defaults": self._options,
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
        name, kind = self._info.name, self._info.details["pipeline"]
        if (self._edit if sources else self._draw) is None:
            missing = "edit images" if sources else "generate images without a source image"
            raise SampleError(f"{name} ({kind}) cannot {missing}.")
        if sources and self._masked and len(sources) != 2:
            raise SampleError(
                f"{name} ({kind}) repaints under a mask: the prompt needs two images, source and mask, not "
                f"{len(sources)}."
            )
        if len(sources) > 1 and not (self._masked or self._kind.several):
            raise SampleError(f"{name} takes one image in a prompt, not {len(sources)}.")
        images = [decode(image) for image in sources]
        alone = self.one_at_a_time(bool(sources))
        group = (output, *(image.size for image in images), request.seed if alone else None)
        return Prepared(request, (prompt, images), float(output.count), group)

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        import torch

        output = batch[0].request.output
        assert isinstance(output, GenerateImages)
        rows = [(item, i) for item in batch for i in range(output.count)]
        editing = bool(batch[0].payload[1])
        pipeline = self._edit if editing else self._draw
        assert pipeline is not None
        self._set_scheduler(pipeline, output)
        guidance = output.guidance_scale
        set_guidance(pipeline, number(self._options, "guidance_scale") if guidance is None else guidance)
        made_images: list[PilImage] = []
        black: list[bool] = []
        alone = self.one_at_a_time(editing)
        recorded = call_arguments(pipeline, output, self._options, editing=editing)
        for some in [[row] for row in rows] if alone else [rows]:
            prompts = 0 if kind_of(pipeline).one_prompt else len(some)
            arguments = call_arguments(pipeline, output, self._options, editing=editing, count=prompts)
            call = {
                # on the CPU, so that a seed means the same on every device
                "generator": [torch.Generator("cpu").manual_seed(item.request.seed + i) for item, i in some],
                **self._sources(pipeline, some),
            }
            with torch.inference_mode(), _seeded(some[0] if alone else None, self._device):
                made = pipeline(**call, output_type="pil", **arguments)
            made_images += images_of(made)
            black += getattr(made, "nsfw_content_detected", None) or [False] * len(some)
        images = [encoded(image) for image in made_images]
        responses = []
        for start in range(0, len(images), output.count):
            own = slice(start, start + output.count)
            details = dict(recorded)
            if any(black[own]):
                details["painted_black"] = [i for i, is_black in enumerate(black[own]) if is_black]
            responses.append(ImageResponse(tuple(images[own]), details))
        return responses

    def one_at_a_time(self, editing: bool) -> bool:
        """Whether images are asked for one by one, each in a call of its own."""
        pipeline = self._edit if editing else self._draw
        return kind_of(pipeline).alone(editing)

    def _sources(self, pipeline: Any, rows: Sequence[tuple[Prepared, int]]) -> dict[str, Any]:
        """The prompts, and the source images under the argument that takes them."""
        prompts = [item.payload[0] for item, _ in rows]
        images = [item.payload[1] for item, _ in rows]
        found = kind_of(pipeline).inputs(prompts, images)
        if images[0] and self._masked:
            found["mask_image"] = [own[1].convert("L") for own in images]
        return found

    def _set_scheduler(self, pipeline: Any, output: GenerateImages) -> None:
        name = output.scheduler or self._options.get("scheduler")
        if name:
            pipeline.scheduler = build_scheduler(name, pipeline.scheduler.config)
        keep_on_host(pipeline)

    def _load(self, source: str) -> Any:
        import diffusers

        _require_pipeline(source)
        spread = "device_map" in self._options or switch(self._options, "offload")
        if switch(self._options, "memory_check", default=True) and Path(source).is_dir():
            require_room(source, estimate(source, 8 * self._dtype.itemsize), self._device, spread=spread)
        diffusers.utils.logging.set_verbosity_error()
        diffusers.utils.logging.disable_progress_bar()
        arguments: dict[str, Any] = {
            name: self._options[name] for name in ("revision", "variant") if name in self._options
        }
        arguments |= {"trust_remote_code": True} if switch(self._options, "trust_remote_code") else {}
        folder = Path(source)
        with explaining(source, "a diffusers pipeline"):
            if not folder.is_dir():
                folder = Path(diffusers.DiffusionPipeline.download(source, use_safetensors=True, **arguments))
        adapter = self._adapter(folder)
        if "device_map" in self._options:
            arguments["device_map"] = self._options["device_map"]
        if not switch(self._options, "safety_checker", default=True):
            arguments["safety_checker"] = None
        with explaining(source, "a diffusers pipeline"), without_videos():
            pipeline = diffusers.DiffusionPipeline.from_pretrained(
                folder, dtype=self._dtype, use_safetensors=True, **arguments
            )
        if switch(self._options, "weights_check", default=True):
            check_pipeline(folder, pipeline, self._options.get("variant", ""))
        if adapter:
            _put_on(pipeline, adapter)
        if switch(self._options, "offload"):
            pipeline.enable_model_cpu_offload(device=self._device)
            return pipeline
        return pipeline if "device_map" in self._options else pipeline.to(self._device)

    def _adapter(self, folder: Path) -> str:
        """The LoRA that is meant; empty for none. One in the pipeline's folder is never passed over."""
        wanted = self._options.get("adapter", "")
        if not wanted and (folder / DIFFUSERS_ADAPTER).is_file():
            raise CheckpointError(
                f"{folder} holds a pipeline and, beside it, LoRA weights ({DIFFUSERS_ADAPTER}): which is "
                "to be used?",
                f"--option adapter={folder} puts them on top, --option adapter={NONE} measures the pipeline "
                "alone.",
            )
        return "" if wanted == NONE else wanted

    def _switched(self, pipeline: Any) -> Any:
        import diffusers

        wanted = self._options["task"]
        if wanted not in TASKS:
            raise SpecError(f"There is no task {wanted!r} of pipelines.", suggest(wanted, TASKS))
        try:
            return getattr(diffusers, TASKS[wanted]).from_pipe(pipeline)
        except ValueError as error:
            raise SpecError(
                f"diffusers has no {wanted} pipeline for a {type(pipeline).__name__}.",
                "Omit the option task.",
            ) from error


@contextmanager
def _seeded(row: tuple[Prepared, int] | None, device: Any) -> Iterator[None]:
    """Inside, an image that is asked for alone has its seed in torch's own generators, too, which pipelines
    draw from that write a prior with a language model (GLM-Image)."""
    import torch

    if row is None:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(row[0].request.seed + row[1])
        yield


def _require_pipeline(source: str) -> None:
    folder = Path(source)
    if folder.exists() and not (folder / "model_index.json").is_file():
        what, remedy = fault_of_folder(folder) if folder.is_dir() else ("", "")
        if (folder / DIFFUSERS_ADAPTER).is_file():
            what, remedy = (
                "It holds LoRA weights alone.",
                f"Name the base pipeline as the model, and the LoRA by --option adapter={folder}.",
            )
        raise CheckpointError(
            f"{folder} holds no diffusers pipeline: model_index.json is missing.{what and ' ' + what}",
            remedy or "Give the folder that save_pretrained wrote.",
        )


def _put_on(pipeline: Any, adapter: str) -> None:
    """LoRA weights onto a pipeline. Raises CheckpointError where they are none, or not this pipeline's."""
    from importlib.util import find_spec

    if not hasattr(pipeline, "load_lora_weights"):
        raise CheckpointError(
            f"A {type(pipeline).__name__} does not take LoRA weights.", "Omit the option adapter."
        )
    if find_spec("peft") is None:
        raise UnavailableError(
            "LoRA weights of diffusers need the package peft.", "pip install 'evalsuite[peft]'"
        )
    before = _size(pipeline)
    path = Path(adapter)
    more = {"weight_name": path.name} if path.is_file() else {}
    with explaining(adapter, "LoRA weights"):
        pipeline.load_lora_weights(str(path.parent if path.is_file() else path), use_safetensors=True, **more)
    if _size(pipeline) == before:
        raise CheckpointError(
            f"Nothing of {adapter} belongs to a {type(pipeline).__name__}: no tensor was put on it.",
            "Was the LoRA made for another base?",
        )


def _size(pipeline: Any) -> int:
    return count([m for m in pipeline.components.values() if hasattr(m, "parameters")])


def _image_to_image(pipeline: Any) -> Any | None:
    import diffusers

    try:
        return diffusers.AutoPipelineForImage2Image.from_pipe(pipeline)
    except ValueError:
        return None
