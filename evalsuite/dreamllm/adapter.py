"""The adapter: what the engine asks, put to a DreamLLM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args

import torch
from PIL.Image import Image as PilImage
from torch import Tensor

from evalsuite.content import Image, RawImage, Text
from evalsuite.data.images import decode
from evalsuite.dreamllm.conversation import PLAIN, TEMPLATES, VICUNA_EVALUATION, Piece, Template, render
from evalsuite.dreamllm.diffusion import ImageSampler, SamplingConfig, to_images
from evalsuite.dreamllm.generation import SCORED, Generated, generate_text, score_continuations
from evalsuite.dreamllm.images import Augment, augmented, to_rgb
from evalsuite.dreamllm.interleaved import write_documents
from evalsuite.dreamllm.locating import locate
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.dreamllm.options import OPTIONS
from evalsuite.dreamllm.processing import DreamLLMProcessor
from evalsuite.dreamllm.static import StaticDecoding
from evalsuite.errors import SpecError, suggest
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.devices import resolve
from evalsuite.model.entry import ModelOptions
from evalsuite.model.memory import batch_that_fits, cache_per_token, images_that_fit
from evalsuite.model.schedulers import known_scheduler
from evalsuite.model.weights import configuration, count, fingerprint
from evalsuite.options import Option, check_options
from evalsuite.request import (
    ChoiceResponse,
    DocumentResponse,
    GenerateDocument,
    GenerateImages,
    GenerateText,
    ImageResponse,
    Request,
    ScoreChoices,
    TextResponse,
)

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A tokenised prompt with its images as pixels of the vision tower, (n, 3, side, side)."""

    ids: list[int]
    pixels: Tensor | None
    choices: tuple[tuple[int, ...], ...] = ()


class DreamLLMAdapter:
    """Text, choices, images, edits and documents from one checkpoint.

    Conversations are rendered in the template of upstream's evaluation (option `template`); a prompt for
    an image is the raw text and images behind `<s>`, as in training, then the dream block.

    Options:
        name: in leaderboards.
        template: a name of `conversation.TEMPLATES`.
        steps, guidance_scale, scheduler: of image sampling, where a protocol leaves them open (50, 7.5, ddpm:
            upstream's pipeline).
        top_k: of sampling; 50 unless set, the default of the library with which the published numbers were
            sampled. 0 is off.
        augment: what is done to an image before the vision tower's own preprocessing, a name of
            `images.Augment`; none unless set, as in the paper's scripts.
        round_pixels: `true` rounds pixels to float16 before the vision tower, as upstream's evaluation does.
        channels_last: `true` lays out UNet and VAE for speed, see docs/dreamllm.md.
        compile: `true` compiles UNet and VAE, `text` the decoding step of text (which needs `cache=static`),
            `all` both.
        cache: `growing`, or `static` for greedy search and sampling, see `static.StaticDecoding`.
    """

    def __init__(self, options: ModelOptions) -> None:
        check_options(OPTIONS, options.options, "DreamLLM")
        device, dtype = resolve(options)
        where = locate(options.argument)
        given = options.options
        self._template = _template(given.get("template", VICUNA_EVALUATION.name))
        self._sampling_config = _sampling_config(given)
        self._top_k = _number(given, "top_k", int, 50)
        self._round_pixels = _flag(given, "round_pixels")
        self._augment = _augment(given.get("augment", "none"))
        self.model = DreamLLMForCausalLM.from_pretrained(where.folder, device=device, dtype=dtype)
        self.processor = DreamLLMProcessor.from_pretrained(where.folder)
        if _flag(given, "channels_last"):
            for part in (self.model.unet, self.model.vae):
                part.to(memory_format=torch.channels_last)
        compiled = _compiled(given)
        if compiled in ("true", "all"):
            self.model.unet.compile()
            self.model.vae.decoder.compile()
        self._static = None
        if given.get("cache") == "static":
            self._static = StaticDecoding(self.model, compiled=compiled in ("text", "all"))
        self._sampler = ImageSampler(self.model)
        self._device = device
        self._info = ModelInfo(
            options.options.get("name", where.name),
            fingerprint([self.model]),
            count([self.model]),
            {
                "source": where.source,
                "configuration": configuration(where.folder),
                "device": str(device),
                "dtype": str(dtype).removeprefix("torch."),
                "template": self._template.name,
                "drawing": self._sampling_config.describe(),
                "sampling": f"top_k {self._top_k}",
                "images": self._augment + (", rounded to float16" if self._round_pixels else ""),
                **{name: given[name] for name in ("cache", "compile") if name in given},
            },
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def networks(self) -> tuple[torch.nn.Module, ...]:
        """The whole model, for the engine's self-check."""
        return (self.model,)

    # -- the CPU step --------------------------------------------------------------------------------------

    def prepare(self, request: Request) -> Prepared:
        """Decodes, preprocesses and tokenises. Raises SampleError for a prompt that is too long."""
        images = [augmented(to_rgb(decode(image)), self._augment) for image in request.images]
        pixels = self.processor.pixels(images) if images else None
        if pixels is not None and self._round_pixels:
            pixels = pixels.half().float()
        output = request.output
        group: tuple[Any, ...] = (type(output).__name__,)
        choices: tuple[tuple[int, ...], ...] = ()
        if isinstance(output, GenerateImages):
            room = self.processor.num_dream_queries + 2
            ids = self.processor.encode(self._plain(request), room=room)
            group += (self._how(output), output.count, output.negative)
            cost = float(output.count)
        else:
            pieces = render(request.messages, self._template_for(request), request.prefill)
            if isinstance(output, ScoreChoices):
                ids, continuations = self.processor.encode_choices(pieces, output.choices)
                choices = tuple(map(tuple, continuations))
            else:
                ids = self.processor.encode(pieces, room=1)
                group += (output,)
            cost = float(len(ids))
        return Prepared(request, Prompt(ids, pixels, choices), cost, group)

    @staticmethod
    def _plain(request: Request) -> list[Piece]:
        return render(request.messages, PLAIN, request.prefill)

    def _template_for(self, request: Request) -> Template:
        """A document without instruction is continued in the form of the training documents, behind `<s>`."""
        asked = any(message.images or message.text.strip() for message in request.messages)
        raw = isinstance(request.output, GenerateDocument) and not asked
        return PLAIN if raw else self._template

    def batch_that_fits(self, prepared: Prepared) -> int:
        """How many requests like this one memory holds, by their key-value caches and UNet activations."""
        config, output = self.model.config, prepared.request.output
        tokens, images = len(prepared.payload.ids), None
        room = config.sequence_limit - tokens
        if isinstance(output, GenerateText):
            # beams share the prompt
            tokens += min(output.max_new_tokens, room) * output.num_beams
        elif isinstance(output, ScoreChoices):
            choices = prepared.payload.choices
            tokens += min(SCORED, max(map(len, choices)) * len(choices))
        elif isinstance(output, GenerateImages):
            tokens, images = tokens + config.num_dream_queries + 2, output
        elif isinstance(output, GenerateDocument):
            block = len(self.processor.dream_block) + len(self.processor.image_block)
            tokens += min(output.max_new_tokens + output.max_images * block, room)
            images = output.image
        each = cache_per_token(config.text_config.to_dict(), self.model.dream_queries.element_size())
        fits = batch_that_fits(each, tokens, self._device)
        if images is not None:
            factor = config.vae_factor
            wanted = images_that_fit(
                (images.width or config.resolution) // factor,
                (images.height or config.resolution) // factor,
                int(self.model.unet.config.block_out_channels[0]),
                next(self.model.unet.parameters()).element_size(),
                self._device,
            )
            fits = min(fits, max(1, wanted // max(1, images.count)))
        return max(1, fits)

    # -- device steps --------------------------------------------------------------------------------------

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        output = batch[0].request.output
        assert isinstance(output, GenerateText)
        tokens = self.processor.tokens
        found = generate_text(
            self.model,
            *self._inputs(batch),
            images=self._pixels(batch),
            max_new_tokens=output.max_new_tokens,
            num_beams=output.num_beams,
            temperature=output.temperature,
            top_k=self._top_k,
            top_p=output.top_p,
            length_penalty=output.length_penalty,
            length_normalization=output.length_normalization,
            seeds=[item.request.seed for item in batch],
            # only text is wanted: without these the model could begin an image
            suppress=[tokens.dream_start, tokens.image_start],
            stop=self._stopper(output),
            static=self._static,
        )
        return [self._text(generated, output) for generated in found]

    def score_choices(self, batch: Sequence[Prepared]) -> list[ChoiceResponse]:
        scores = score_continuations(
            self.model,
            *self._inputs(batch),
            [item.payload.choices for item in batch],
            images=self._pixels(batch),
        )
        counts = [tuple(len(choice) for choice in item.payload.choices) for item in batch]
        return [ChoiceResponse(tuple(row), tokens) for row, tokens in zip(scores, counts, strict=True)]

    def generate_images(self, batch: Sequence[Prepared]) -> list[ImageResponse]:
        output = batch[0].request.output
        assert isinstance(output, GenerateImages)
        how = self._how(output)
        condition = self._sampler.condition(*self._inputs(batch), images=self._pixels(batch))
        condition = condition.repeat_interleave(output.count, dim=0)
        seeds = [item.request.seed + i for item in batch for i in range(output.count)]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        negative = None
        if output.negative:
            ids = torch.tensor([self.processor.encode([output.negative])])
            negative = self._sampler.condition(ids).expand(len(condition), -1, -1)
        images = to_images(self._sampler.sample(condition, generators, how, negative=negative))
        details = {"steps": how.steps, "guidance_scale": how.guidance_scale, "scheduler": how.scheduler}
        return [
            ImageResponse(tuple(map(_raw, images[i * output.count : (i + 1) * output.count])), details)
            for i in range(len(batch))
        ]

    def generate_documents(self, batch: Sequence[Prepared]) -> list[DocumentResponse]:
        output = batch[0].request.output
        assert isinstance(output, GenerateDocument)
        documents = write_documents(
            self.model,
            self.processor,
            self._sampler,
            [item.payload.ids for item in batch],
            pixels=self._pixels(batch),
            how=self._how(output.image),
            max_new_tokens=output.max_new_tokens,
            max_images=output.max_images,
            seeds=[item.request.seed for item in batch],
        )
        return [
            DocumentResponse(
                tuple(Text(part) if isinstance(part, str) else _raw(part) for part in written.parts),
                truncated=not written.ended,
                details={"tokens": written.tokens, "images": len(written.images)},
            )
            for written in documents
        ]

    # -- pieces --------------------------------------------------------------------------------------------

    def _inputs(self, batch: Sequence[Prepared]) -> tuple[Tensor, Tensor]:
        """On the CPU: the model takes them to the device when it knows what they say."""
        return self.processor.pad_left([item.payload.ids for item in batch])

    def _pixels(self, batch: Sequence[Prepared]) -> Tensor | None:
        pixels = [item.payload.pixels for item in batch if item.payload.pixels is not None]
        return torch.cat(pixels).to(self._device) if pixels else None

    def _how(self, output: GenerateImages) -> SamplingConfig:
        default = self._sampling_config
        return SamplingConfig(
            steps=output.steps or default.steps,
            guidance_scale=default.guidance_scale if output.guidance_scale is None else output.guidance_scale,
            scheduler=known_scheduler(output.scheduler or default.scheduler),
            width=output.width,
            height=output.height,
        )

    def _stopper(self, output: GenerateText) -> Any:
        if not output.stop:
            return None
        return lambda row, ids: any(stop in self.processor.decode(ids) for stop in output.stop)

    def _text(self, generated: Generated, output: GenerateText) -> TextResponse:
        text = self.processor.decode(generated.ids)
        for stop in output.stop:
            text = text.split(stop)[0]
        return TextResponse(text.strip(), len(generated.ids), truncated=not generated.ended)


def _compiled(given: Mapping[str, str]) -> str:
    """What is compiled: `false`, `true` (UNet and VAE), `text` or `all`."""
    wanted = given.get("compile", "false").lower()
    wanted = {"yes": "true", "no": "false", "1": "true", "0": "false"}.get(wanted, wanted)
    if wanted in ("text", "all") and given.get("cache") != "static":
        raise SpecError(
            f"Option compile={wanted} needs a cache of fixed size.",
            "Add --option cache=static, or write compile=true for UNet and VAE alone.",
        )
    return wanted


def _template(name: str) -> Template:
    if name not in TEMPLATES:
        raise SpecError(f"There is no conversation template {name!r}.", suggest(name, TEMPLATES))
    return TEMPLATES[name]


def _augment(name: str) -> Augment:
    if name not in get_args(Augment):
        raise SpecError(f"There is no image preparation {name!r}.", suggest(name, get_args(Augment)))
    return cast(Augment, name)


def _sampling_config(options: Mapping[str, str]) -> SamplingConfig:
    default = SamplingConfig()
    return SamplingConfig(
        steps=_number(options, "steps", int, default.steps),
        guidance_scale=_number(options, "guidance_scale", float, default.guidance_scale),
        scheduler=known_scheduler(options.get("scheduler", default.scheduler)),
    )


def _number(options: Mapping[str, str], key: str, kind: Callable[[str], Number], default: Number) -> Number:
    try:
        return kind(options[key]) if key in options else default
    except ValueError as error:
        raise SpecError(f"Option {key}={options[key]!r} is not a number.", f"Write {key}=20.") from error


def _flag(options: Mapping[str, str], key: str) -> bool:
    return bool(Option(key, type=bool).parse(options.get(key, "no")))


def _raw(image: PilImage) -> Image:
    return RawImage(name="generated.png", pixels=image)
