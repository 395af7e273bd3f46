"""Stage 0, the image decoder: a text-conditioned latent diffusion model with its own small text encoder."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from ..detect import detect, matches
from .data import ImageSet, scene_from_json
from .ordering import says_everything
from .precision import inference
from .recipe import DiffusionRecipe
from .tokenizer import make_tokenizer
from .trainer import Batch, Record, fit
from .vae import encode_all, to_images


def make_unet(recipe: DiffusionRecipe, latent_channels: int) -> Any:
    """The untrained UNet, with plain attention (fused attention is slow for bf16 backward passes on a
    CPU)."""
    levels = len(recipe.channels)
    unet: Any = UNet2DConditionModel(
        sample_size=8, in_channels=latent_channels, out_channels=latent_channels,
        down_block_types=("CrossAttnDownBlock2D",) * levels,
        up_block_types=("CrossAttnUpBlock2D",) * levels,
        block_out_channels=recipe.channels, layers_per_block=recipe.layers,
        transformer_layers_per_block=recipe.transformer_layers,
        cross_attention_dim=recipe.context, attention_head_dim=recipe.head_dim, norm_num_groups=recipe.groups,
    )  # fmt: skip
    unet.set_attn_processor(AttnProcessor())
    return unet


def make_text_encoder(recipe: DiffusionRecipe, tokenizer: PreTrainedTokenizerFast) -> CLIPTextModel:
    """The untrained text encoder."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=recipe.context, intermediate_size=recipe.text_mlp,
        num_hidden_layers=recipe.text_layers, num_attention_heads=recipe.text_heads,
        max_position_embeddings=recipe.max_length, hidden_act="gelu",
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    build: Any = CLIPTextModel._from_config
    encoder: CLIPTextModel = build(config, attn_implementation="eager")
    for name, parameter in encoder.named_parameters():
        if parameter.ndim == 2 and "embedding" not in name:
            nn.init.xavier_uniform_(parameter)
        elif "token_embedding" in name:
            nn.init.normal_(parameter, std=0.5)
        elif "position_embedding" in name:
            nn.init.normal_(parameter, std=0.1)
    return encoder


def make_scheduler() -> Any:
    """Stable Diffusion's noise schedule."""
    return DDPMScheduler(
        num_train_timesteps=1000, beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
        clip_sample=False, timestep_spacing="leading", steps_offset=1, prediction_type="epsilon",
    )  # fmt: skip


BLIND_FROM = 850
"""From this time on a part of the training images is noise that says nothing of the image. Sampling starts
above it with any usual number of steps."""


def blind_rows(share: float, batch: int) -> int:
    """How many rows at the beginning of a batch are trained on pure noise."""
    return round(share * batch)


class DiffusionTraining(nn.Module):
    """Noise prediction at uniform times; with `snr_gamma`, weighted like the velocity, bounded at low
    noise.

    Args:
        blind: share of each batch that is trained on pure noise at times from `BLIND_FROM` on. Stable
            Diffusion's schedule never reaches pure noise (Lin et al. 2023, arXiv:2305.08891): at its last
            time the layout of an 8x8 latent can still be seen, so a network trained on it alone reads the
            layout from its input, and from the pure noise that sampling starts with it reads a random one.
            Here the input is noise that is independent of the image, and the target is the noise
            prediction that stands for the image, (x_t - sqrt(a) x_0) / sqrt(1 - a): the text alone has to
            say where things are. So these rows need texts that do.
    """

    def __init__(
        self, unet: Any, encoder: CLIPTextModel, snr_gamma: float | None, blind: float = 0.0
    ) -> None:
        super().__init__()
        self.unet, self.encoder, self.snr_gamma, self.blind = unet, encoder, snr_gamma, blind
        self.scheduler = make_scheduler()

    def forward(self, latents: torch.Tensor, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """`latents`: (B, C, h, w), unit variance; `ids`: (B, T)."""
        noise = torch.randn_like(latents)
        times = torch.randint(0, self.scheduler.config.num_train_timesteps, (len(latents),))
        noisy = self.scheduler.add_noise(latents, noise, times)
        blind = blind_rows(self.blind, len(latents))
        if blind:
            times[:blind] = torch.randint(BLIND_FROM, self.scheduler.config.num_train_timesteps, (blind,))
            share = self.scheduler.alphas_cumprod[times[:blind]][:, None, None, None]
            noisy[:blind] = torch.randn_like(noisy[:blind])
            noise[:blind] = (noisy[:blind] - share.sqrt() * latents[:blind]) / (1 - share).sqrt()
        context = self.encoder(input_ids=ids).last_hidden_state
        predicted = self.unet(noisy, times, context).sample.float()
        wrong = (predicted - noise).square().mean(dim=(1, 2, 3))
        if self.snr_gamma is not None:
            share = self.scheduler.alphas_cumprod[times]
            snr = share / (1 - share)
            # Where things are is decided at high noise, where the plain loss on the noise hardly differs
            # between right and wrong: the error counts as it would for a network that predicts the velocity.
            wrong = wrong * (snr.clamp(max=self.snr_gamma) + 1) / snr.clamp(min=0.01)
        return {"loss": wrong.mean()}


@torch.no_grad()
def sample_latents(
    unet: Any,
    context: torch.Tensor,
    unconditional: torch.Tensor,
    *,
    guidance: float,
    steps: int,
    seed: int,
    batch: int = 64,
) -> torch.Tensor:
    """Latents drawn with DDIM and classifier-free guidance: (N, C, h, w) for contexts (N, T, D)."""
    scheduler: Any = DDIMScheduler.from_config(make_scheduler().config)
    scheduler.set_timesteps(steps)
    side, channels = unet.config.sample_size, unet.config.in_channels
    generator = torch.Generator().manual_seed(seed)
    found = []
    for start in range(0, len(context), batch):
        rows = context[start : start + batch]
        both = torch.cat([unconditional.expand_as(rows), rows])
        latents = torch.randn(len(rows), channels, side, side, generator=generator)
        for time in scheduler.timesteps:
            with inference():
                empty, full = unet(torch.cat([latents, latents]), time, both).sample.float().chunk(2)
            predicted = empty + guidance * (full - empty)
            latents = scheduler.step(predicted, time, latents).prev_sample
        found.append(latents)
    return torch.cat(found)


def decode(vae: Any, latents: torch.Tensor) -> np.ndarray:
    """Latents to images: (N, 64, 64, 3) uint8."""
    with torch.no_grad():
        parts = [to_images(vae.decode(part).sample) for part in torch.split(latents, 64)]
    return np.concatenate(parts)


def figures(images: np.ndarray, scenes: ImageSet, rows: list[int]) -> dict[str, float]:
    """How many of the generated images show what the entries' scenes ask for, by number of things."""
    found: dict[str, list[float]] = {}
    for image, row in zip(images, rows, strict=True):
        entry = scenes.entries[row]
        assert entry.scene is not None
        match = matches(scene_from_json(entry.scene), detect(image))
        held = scene_from_json(entry.scene).held_out
        for name in ("bound", "where", "size", "all"):
            found.setdefault(f"{entry.things}_{name}", []).append(float(getattr(match, name)))
        found.setdefault(f"{entry.things}_right", []).append(float(match.bound and match.where))
        if not held:
            found.setdefault(f"{entry.things}_right_seen", []).append(float(match.bound and match.where))
    return {name: float(np.mean(values)) for name, values in sorted(found.items())}


def latents_of(vae: Any, pixels: np.ndarray, rows: np.ndarray, path: Path) -> np.ndarray:
    """Cached latents of the chosen images: (N, C, h, w) float16 for all N images, NaN where not
    chosen."""
    if not path.exists():
        with inference():
            means, _ = encode_all(vae, pixels[rows])
        full = np.full((len(pixels), *means.shape[1:]), np.nan, dtype=np.float16)
        full[rows] = means
        np.save(path.with_suffix(".part.npy"), full)
        path.with_suffix(".part.npy").rename(path)
    stored: np.ndarray = np.load(path, mmap_mode="r")
    return stored


def train_diffusion(
    recipe: DiffusionRecipe, images: ImageSet, valid: ImageSet, work: Path, resume: bool
) -> Record:
    """Train on the world's images and save a Stable Diffusion pipeline folder to `work/parts/sd`."""
    vae = AutoencoderKL.from_pretrained(work / "parts" / "vae").eval()
    pools = [images.of_size(things)[:count] for things, count in zip((1, 2, 3), recipe.latents, strict=True)]
    latents = latents_of(vae, images.pixels, np.concatenate(pools), work / "data" / "train-latents.npy")
    torch.manual_seed(recipe.schedule.seed)
    tokenizer = make_tokenizer(end=True, max_length=recipe.max_length, lower=True)
    training = DiffusionTraining(
        make_unet(recipe, vae.config.latent_channels), make_text_encoder(recipe, tokenizer),
        recipe.snr_gamma, recipe.blind,
    )  # fmt: skip

    def tokens(texts: list[str]) -> torch.Tensor:
        found = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
        ids: torch.Tensor = found["input_ids"]
        return ids

    def batches(rng: np.random.Generator, rows: int) -> Batch:
        sizes = rng.choice(3, size=rows, p=np.array(recipe.shares) / sum(recipe.shares))
        # In random order: the first rows of a batch are the blind ones.
        chosen = np.array([int(rng.choice(pools[size])) for size in sizes])
        texts: list[str] = []
        for row in chosen:
            entry = images.entries[row]
            chance = rng.random()
            if len(texts) < blind_rows(recipe.blind, rows):
                # What the text leaves open can only come from the noise, which says nothing there.
                full = [text for text in entry.captions if says_everything(text, entry.caption)]
                texts.append(full[int(rng.integers(len(full)))] if full else entry.caption)
            elif chance < recipe.drop_caption:
                texts.append("")
            elif chance < recipe.drop_caption + recipe.canonical:
                texts.append(entry.caption)
            else:
                texts.append(entry.captions[int(rng.integers(len(entry.captions)))])
        return {"latents": torch.from_numpy(latents[chosen].astype(np.float32)), "ids": tokens(texts)}

    per = recipe.check_scenes // 2
    asked = [int(i) for things in (1, 2) for i in valid.of_size(things)[:per]]

    def check() -> dict[str, float]:
        context = training.encoder(
            input_ids=tokens([valid.entries[i].caption for i in asked])
        ).last_hidden_state
        empty = training.encoder(input_ids=tokens([""])).last_hidden_state
        drawn = sample_latents(training.unet, context, empty, guidance=3.0, steps=20, seed=0)
        return figures(decode(vae, drawn), valid, asked)

    record = fit(
        "diffusion", training, batches, recipe.schedule, work,
        resume=resume, check=check, check_every=recipe.check_every,
    )  # fmt: skip
    save_pipeline(training, vae, tokenizer, work / "parts" / "sd")
    record.save(work / "diffusion" / "training.json")
    return record


def save_pipeline(
    training: DiffusionTraining, vae: Any, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Save in the layout that `DiffusionPipeline.from_pretrained` reads."""
    from diffusers import StableDiffusionPipeline

    pipeline: Any = StableDiffusionPipeline(
        vae=vae, text_encoder=training.encoder, tokenizer=tokenizer, unet=training.unet,
        scheduler=make_scheduler(), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
