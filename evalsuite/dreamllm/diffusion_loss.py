"""The image loss: how well the frozen UNet denoises an image, given the language model's condition."""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from torch import Tensor

from evalsuite.dreamllm.configuration import DreamLLMConfig
from evalsuite.errors import SpecError


class ConditionDropout(Protocol):
    def __call__(self, count: int) -> Tensor: ...


def training_scheduler(config: DreamLLMConfig) -> Any:
    """The noise schedule of training, DDPM whatever sampler the folder names (as upstream)."""
    return DDPMScheduler.from_config(config.scheduler_config)


def sample_latents(vae: Any, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Pixels in [-1, 1], (n, 3, height, width), to scaled latents drawn from the posterior."""
    posterior = vae.encode(images).latent_dist
    latents: Tensor = posterior.sample(generator) * vae.config.scaling_factor
    return latents


def snr_weights(scheduler: Any, timesteps: Tensor, gamma: float, prediction_type: str) -> Tensor:
    """min-SNR weights (Hang et al. 2023): min(snr, gamma) / snr, with snr + 1 for v-prediction; shape
    (n,)."""
    alphas = scheduler.alphas_cumprod.to(timesteps.device)[timesteps]
    snr = alphas / (1 - alphas)
    if prediction_type == "v_prediction":
        snr = snr + 1
    weights: Tensor = torch.minimum(snr, torch.full_like(snr, gamma)) / snr
    return weights


def diffusion_loss(
    *,
    unet: Any,
    scheduler: Any,
    latents: Tensor,
    condition: Tensor,
    config: DreamLLMConfig,
    project: torch.nn.Module,
    unconditional: ConditionDropout | None = None,
) -> Tensor:
    """Mean squared error between the UNet's prediction and the noise (or velocity) that was added.

    Draws, in this order (it is upstream's, so that equal seeds give equal losses): noise, noise offset, input
    perturbation, timesteps, condition-dropout mask.

    Args:
        latents: (n, channels, h, w), scaled.
        condition: (n, Q, hidden), final hidden states at the dream queries.
        project: the condition projector, hidden -> cross-attention width.
        unconditional: gives the (n, Q, hidden) states of the empty prompt; called only when dropout is on.

    Returns:
        scalar, float32.

    Raises:
        SpecError: the schedule's prediction type is neither `epsilon` nor `v_prediction`.
    """
    count, device = latents.shape[0], latents.device
    noise = torch.randn_like(latents)
    if config.noise_offset:
        noise += config.noise_offset * torch.randn(count, latents.shape[1], 1, 1, device=device)
    disturbed = noise
    if config.input_perturbation:
        disturbed = noise + config.input_perturbation * torch.randn_like(noise)
    timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (count,), device=device).long()
    noisy = scheduler.add_noise(latents, disturbed, timesteps)

    if config.condition_dropout is not None and config.condition_dropout > 0 and unconditional is not None:
        dropped = torch.bernoulli(torch.full((count,), config.condition_dropout, device=device)).bool()
        condition = torch.where(dropped[:, None, None], unconditional(count).to(condition.dtype), condition)

    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        target = noise
    elif kind == "v_prediction":
        target = scheduler.get_velocity(latents, noise, timesteps)
    else:
        raise SpecError(
            f"Training with prediction type {kind!r} is not supported.", "Use epsilon or v_prediction."
        )
    predicted = unet(noisy, timesteps, encoder_hidden_states=project(condition)).sample
    if config.snr_gamma is None:
        return F.mse_loss(predicted.float(), target.float())
    per_image = F.mse_loss(predicted.float(), target.float(), reduction="none").flatten(1).mean(1)
    return (per_image * snr_weights(scheduler, timesteps, config.snr_gamma, kind)).mean()
