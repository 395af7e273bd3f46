"""Stage 0, the autoencoder: images (64, 64) to latents (8, 8)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn

from .data import ImageSet
from .recipe import VaeRecipe
from .trainer import Batch, Record, fit


class VaeTraining(nn.Module):
    """L1 + MSE reconstruction and a little KL."""

    def __init__(self, vae: Any, kl: float) -> None:
        super().__init__()
        self.vae, self.kl = vae, kl

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """`pixels`: (B, 3, H, W) in [-1, 1]."""
        posterior = self.vae.encode(pixels).latent_dist
        wrong = self.vae.decode(posterior.sample()).sample.float() - pixels
        loss = wrong.abs().mean() + wrong.square().mean() * 4 + self.kl * posterior.kl().float().mean()
        return {"loss": loss}


def make_vae(recipe: VaeRecipe) -> Any:
    """The untrained autoencoder of a recipe."""
    levels = len(recipe.channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.layers,
        latent_channels=recipe.latent_channels,
        norm_num_groups=recipe.groups,
        sample_size=64,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )


def to_pixels(images: np.ndarray) -> torch.Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_images(pixels: torch.Tensor) -> np.ndarray:
    """Inverse of `to_pixels`."""
    clipped = (pixels.detach().float().clamp(-1, 1) + 1) * 127.5
    return clipped.round().byte().permute(0, 2, 3, 1).numpy()


def encode_all(vae: Any, images: np.ndarray, batch: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the latents of all images: two (N, C, h, w) float16 arrays."""
    means, stds = [], []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            found = vae.encode(to_pixels(images[start : start + batch])).latent_dist
            means.append(found.mean.float().numpy().astype(np.float16))
            stds.append(found.std.float().numpy().astype(np.float16))
    return np.concatenate(means), np.concatenate(stds)


def normalise_latents(vae: Any, images: np.ndarray) -> None:
    """Make every latent channel zero mean and unit variance, exactly, by changing the two 1x1 convolutions.

    So `scaling_factor` is 1 and no channel carries a constant (the near-white background) through the noise.
    """
    means, _ = encode_all(vae, images)
    mean = torch.from_numpy(means.astype(np.float32).mean(axis=(0, 2, 3)))
    std = torch.from_numpy(means.astype(np.float32).std(axis=(0, 2, 3)))
    channels = len(mean)
    quant, post = vae.quant_conv, vae.post_quant_conv
    with torch.no_grad():
        quant.weight[:channels] /= std[:, None, None, None]
        quant.bias[:channels] = (quant.bias[:channels] - mean) / std
        quant.bias[channels:] -= 2 * std.log()
        post.bias += (post.weight[:, :, 0, 0] * mean).sum(dim=1)
        post.weight *= std[None, :, None, None]


def train_vae(recipe: VaeRecipe, images: list[ImageSet], work: Path, resume: bool) -> Record:
    """Train, normalise the latents and save to `work/parts/vae`."""
    torch.manual_seed(recipe.schedule.seed)
    vae = make_vae(recipe)
    # Images of the world and of easy-VQA in proportion to their number.
    sizes = np.array([len(p.pixels) for p in images])

    def batches(rng: np.random.Generator, rows: int) -> Batch:
        flat = rng.integers(sizes.sum(), size=rows)
        found = []
        for row in flat:
            for one, size in zip(images, sizes, strict=True):
                if row < size:
                    found.append(one.pixels[row])
                    break
                row -= size
        return {"pixels": to_pixels(np.stack(found))}

    record = fit("vae", VaeTraining(vae, recipe.kl), batches, recipe.schedule, work, resume=resume)
    normalise_latents(vae, images[0].pixels[:: max(1, len(images[0].pixels) // 1024)])
    vae.save_pretrained(work / "parts" / "vae")
    record.save(work / "vae" / "training.json")
    return record
