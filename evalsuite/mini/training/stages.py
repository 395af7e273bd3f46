"""The stages of a recipe: what each needs, what shows that it is done, how it is started."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .caches import make_documents, make_features, make_latents, used_rows
from .clip import train_clip
from .data import ImageSet, load_images, make_data, training_images
from .diffusion import latents_of, train_diffusion
from .dream import generates, train_chain
from .language import train_language
from .recipe import Recipe
from .ship import round_parts, ship
from .shipped import take_parts
from .vae import train_vae


@dataclass(frozen=True)
class Stage:
    """One stage.

    Args:
        done: file that exists when the stage is done; it is written last.
        start: trains or makes what the stage is for, from where it was cut off.
        needs: names of the stages that come before it.
    """

    done: Path
    start: Callable[[], object]
    needs: tuple[str, ...] = ()


def make_stages(recipe: Recipe, work: Path, resume: bool) -> dict[str, Stage]:
    """The stages by name, in an order in which one process can train them.

    A stage seeds everything it draws from itself and reads only what its `needs` wrote, so its result does
    not depend on which other stages run beside it.
    """
    data = work / "data"

    if recipe.parts == "shipped":
        parts = {"parts": Stage(work / "ship" / "sd" / "model_index.json", lambda: take_parts(work))}
        vae = clip = language = "parts"
    else:
        parts = _trained_parts(recipe, work, resume)
        vae, clip, language = "vae", "clip", "language"

    def latents() -> None:
        seen = load_images(data, "train")
        latents_of(_vae(work), seen.pixels, used_rows(recipe, seen), data / "train-latents.npy")

    def features() -> None:
        from transformers import CLIPModel

        if recipe.parts == "train":
            round_parts(work, ("clip",))
        make_documents(recipe, data)
        model: Any = CLIPModel.from_pretrained(work / "ship" / "clip", dtype=torch.float32)
        model.eval()
        make_features(recipe, model.vision_model, data)
        make_latents(_vae(work), data)

    known = {
        "data": Stage(
            data / ("easy.jsonl" if recipe.data.easy_vqa else "valid.jsonl"),
            lambda: make_data(recipe.data, data),
        ),
        **parts,
        "latents": Stage(data / "train-latents.npy", latents, ("data", vae)),
        "features": Stage(data / "stories-latents.npy", features, ("data", clip, vae)),
    }
    order = (*_ORDER, "parts") if recipe.parts == "train" else ("parts", *_ORDER)
    found = {name: known[name] for name in order if name in known}
    for name, chain in recipe.dream.items():
        needs = ("features", "latents", language, *(("parts",) if generates(chain) else ()))
        found[f"dream-{name}"] = Stage(
            work / "dream" / name / f"stage-{chain.stages[-1].stage}.safetensors",
            partial(train_chain, recipe, name, work, resume),
            needs,
        )
    chains = tuple(name for name in found if name.startswith("dream-"))
    found["ship"] = Stage(work / "ship" / "done.txt", lambda: ship(recipe, work), ("parts", *chains))
    return found


_ORDER = ("data", "vae", "clip", "latents", "diffusion", "language", "features")
"""Stages before the chains; "parts" are rounded after they were trained, or copied before all else."""


def _trained_parts(recipe: Recipe, work: Path, resume: bool) -> dict[str, Stage]:
    """Stage 0: encoder, decoder and language model, from nothing."""
    data = work / "data"

    def images() -> list[ImageSet]:
        return list(training_images(recipe.data, data))

    return {
        "vae": Stage(
            work / "vae" / "training.json",
            lambda: train_vae(recipe.vae, images(), work, resume),
            ("data",),
        ),
        "clip": Stage(
            work / "clip" / "training.json",
            lambda: train_clip(recipe.clip, images(), load_images(data, "valid"), work, resume),
            ("data",),
        ),
        "diffusion": Stage(
            work / "diffusion" / "training.json",
            lambda: train_diffusion(
                recipe.diffusion, load_images(data, "train"), load_images(data, "valid"), work, resume
            ),
            ("latents",),
        ),
        "language": Stage(
            work / "language" / "training.json",
            lambda: train_language(recipe.language, images(), work, resume),
            ("data",),
        ),
        "parts": Stage(
            work / "ship" / "sd" / "model_index.json", lambda: round_parts(work, ("sd",)), ("diffusion",)
        ),
    }


def _vae(work: Path) -> object:
    from diffusers import AutoencoderKL

    return AutoencoderKL.from_pretrained(work / "parts" / "vae").eval()
