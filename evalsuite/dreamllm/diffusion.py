"""Image sampling: the language model's states at the dream queries condition a diffusion model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from evalsuite.deprecation import renamed
from evalsuite.dreamllm.decoding import DecodingState
from evalsuite.dreamllm.modeling import DreamLLMForCausalLM
from evalsuite.errors import SampleError, SpecError
from evalsuite.model.schedulers import build_scheduler

Generators = torch.Generator | Sequence[torch.Generator]


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """How an image is sampled.

    Args:
        steps: denoising steps.
        guidance_scale: classifier-free guidance; on when above 1. The paper's default is 7.5, for COCO FID
            2.0.
        scheduler: a name of `evalsuite.model.schedulers`.
        guidance_rescale: pull the guided prediction's spread back to the conditional one's (Lin et al. 2023).
        width, height: pixels; None is the model's own.
    """

    steps: int = 50
    guidance_scale: float = 7.5
    scheduler: str = "ddpm"
    guidance_rescale: float = 0.0
    width: int | None = None
    height: int | None = None

    def describe(self) -> str:
        """Steps, guidance and scheduler in words, for a run's record."""
        return f"{self.steps} steps, guidance {self.guidance_scale}, {self.scheduler}"


def dream_embeddings(model: DreamLLMForCausalLM, rows: int) -> Tensor:
    """`<dream_start>`, the queries, `<dream_end>`: (rows, Q + 2, hidden)."""
    tokens = model.config.tokens
    ends = torch.tensor([[tokens.dream_start, tokens.dream_end]], device=model.dream_queries.device)
    start, end = model.model.embed_tokens(ends).split(1, dim=1)
    block = torch.cat([start, model.dream_queries.to(start.dtype), end], dim=1)
    return block.expand(rows, -1, -1)


def dream_states(model: DreamLLMForCausalLM, state: DecodingState) -> Tensor:
    """Append a dream block to the contexts in `state`; the condition (batch, Q, hidden) that it yields."""
    return state.append_embeddings(dream_embeddings(model, state.batch))[:, 1:-1]


class ImageSampler:
    """Generates images with one model. Keeps the unconditional states, which depend on nothing but the model.

    Make a new one after the model's weights have changed.
    """

    def __init__(self, model: DreamLLMForCausalLM) -> None:
        self.model = model
        self._unconditional: dict[torch.dtype, Tensor] = {}

    @torch.no_grad()
    def condition(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        images: Tensor | None = None,
        image_features: Tensor | None = None,
        count_padding: bool = False,
        strict: bool = True,
    ) -> Tensor:
        """States at the dream queries after each prompt, before the projector: (batch, Q, hidden).

        A prompt is the raw caption behind `<s>`, or text with image blocks (editing, subject-driven): the
        source image, then the instruction.

        Args:
            input_ids, attention_mask: (batch, sequence), padded left.
            count_padding: see DecodingState; with right padding this is what upstream's demo script does.
        """
        state = DecodingState(
            self.model,
            input_ids,
            attention_mask,
            images=images,
            image_features=image_features,
            room=self.model.config.num_dream_queries + 2,
            count_padding=count_padding,
            strict=strict,
        )
        return dream_states(self.model, state)

    @torch.no_grad()
    def unconditional(self, count: int) -> Tensor:
        """States after the empty prompt, (count, Q, hidden): what guidance leads away from."""
        dtype = self.model.dream_queries.dtype  # the weights may be widened for a while
        if dtype not in self._unconditional:
            bos = torch.tensor([[self.model.config.tokens.bos]])
            self._unconditional[dtype] = self.condition(bos)
        return self._unconditional[dtype].expand(count, -1, -1)

    def initial_latents(
        self, generators: Sequence[torch.Generator], how: SamplingConfig = SamplingConfig()
    ) -> Tensor:
        """Standard normal, one generator per image: (n, channels, h, w)."""
        config = self.model.config
        shape = (1, int(config.unet_config.get("in_channels", 4)), *self._latent_size(how))
        return torch.cat([torch.randn(shape, generator=one, device=one.device).cpu() for one in generators])

    def _latent_size(self, how: SamplingConfig) -> tuple[int, int]:
        config = self.model.config
        sides = (how.height or config.resolution, how.width or config.resolution)
        if any(side <= 0 or side % config.vae_factor for side in sides):
            raise SpecError(
                f"An image of {sides[1]}x{sides[0]} pixels cannot be generated.",
                f"Width and height must be multiples of {config.vae_factor}.",
            )
        return sides[0] // config.vae_factor, sides[1] // config.vae_factor

    @torch.no_grad()
    def denoise(
        self,
        condition: Tensor,
        generators: Generators,
        how: SamplingConfig = SamplingConfig(),
        *,
        negative: Tensor | None = None,
        latents: Tensor | None = None,
        on_step: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """Latents (n, channels, h, w) for conditions (n, Q, hidden).

        Args:
            generators: one per image: an image does not depend on what else is generated with it. (A single
                generator draws for the whole batch, as upstream.)
            negative: states (n, Q, hidden) that guidance leads away from; None is the empty prompt's.
            latents: start from these instead of sampling them.
            on_step: called with the step's index and the latents after it.

        Raises:
            SampleError: the result is not finite.
            SpecError: unknown scheduler, no steps, or a size that cannot be generated.
        """
        model = self.model
        if how.steps < 1:
            raise SpecError(f"{how.steps} denoising steps are too few.", "Use at least 1.")
        scheduler = build_scheduler(how.scheduler, model.config.scheduler_config)
        device, dtype = model.dream_queries.device, next(model.unet.parameters()).dtype
        scheduler.set_timesteps(how.steps)  # on the CPU, where the tables are: no step waits for the device
        if latents is None:
            several = [generators] if isinstance(generators, torch.Generator) else list(generators)
            latents = self.initial_latents(several, how)
        latents = latents.to(device, torch.float32) * scheduler.init_noise_sigma
        guided = how.guidance_scale > 1.0
        context = condition
        if guided:
            context = torch.cat(
                [self.unconditional(len(condition)) if negative is None else negative, condition]
            )
        context = model.condition_projector(context).to(dtype)
        for index, timestep in enumerate(scheduler.timesteps):
            taken = torch.cat([latents, latents]) if guided else latents
            taken = scheduler.scale_model_input(taken, timestep).to(dtype)
            predicted = model.unet(taken, timestep, encoder_hidden_states=context).sample.float()
            if guided:
                predicted = guide(predicted, how.guidance_scale, how.guidance_rescale)
            latents = scheduler.step(predicted, timestep, latents, generator=generators).prev_sample
            if on_step is not None:
                on_step(index, latents)
        check_finite(latents)
        return latents

    @torch.no_grad()
    def decode(self, latents: Tensor, batch: int = 8) -> Tensor:
        """Latents to pixels in [0, 1], (n, 3, height, width), float32; at most `batch` of 512 x 512 at a
        time, fewer of larger ones."""
        vae = self.model.vae
        sides = self.model.config.vae_factor**2 * latents.shape[-2] * latents.shape[-1]
        batch = max(1, min(batch, batch * 512 * 512 // sides))
        dtype = next(vae.parameters()).dtype
        scaled = (latents / vae.config.scaling_factor).to(dtype)
        pixels = torch.cat([vae.decode(part).sample.float() for part in scaled.split(batch)])
        check_finite(pixels)
        return (pixels / 2 + 0.5).clamp(0, 1)

    def sample(
        self,
        condition: Tensor,
        generators: Generators,
        how: SamplingConfig = SamplingConfig(),
        *,
        negative: Tensor | None = None,
        latents: Tensor | None = None,
    ) -> Tensor:
        """`denoise`, then `decode`."""
        return self.decode(self.denoise(condition, generators, how, negative=negative, latents=latents))


def guide(predicted: Tensor, scale: float, rescale: float = 0.0) -> Tensor:
    """Classifier-free guidance over [unconditional, conditional] halves of the batch."""
    without, conditional = predicted.chunk(2)
    guided = without + scale * (conditional - without)
    if rescale > 0:
        axes = list(range(1, guided.ndim))
        spread = conditional.std(axes, keepdim=True) / guided.std(axes, keepdim=True)
        guided = rescale * (guided * spread) + (1 - rescale) * guided
    return guided


def check_finite(values: Tensor) -> None:
    """Raise SampleError naming the rows that hold NaN or infinity."""
    finite = values.flatten(1).isfinite().all(1)
    if not bool(finite.all()):
        rows = [index for index, good in enumerate(finite.tolist()) if not good]
        raise SampleError(
            f"Denoising gave values that are not finite (images {rows} of the batch).",
            "Try float32, or a lower guidance scale.",
        )


def to_images(pixels: Tensor) -> list[Image.Image]:
    """Pixels in [0, 1], (n, 3, height, width), as PIL images, rounded to the nearest grey level."""
    levels = (pixels.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return [Image.fromarray(one) for one in levels]


if not TYPE_CHECKING:
    __getattr__ = renamed(
        __name__,
        {
            "Drawing": "evalsuite.dreamllm.diffusion.SamplingConfig",
            "Painter": "evalsuite.dreamllm.diffusion.ImageSampler",
        },
    )
