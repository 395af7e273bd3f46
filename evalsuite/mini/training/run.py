"""The whole training from one recipe: stages in order, each skipped when it is done, each resumed when it
was cut off."""

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ...errors import EvalsuiteError, suggest
from .caches import make_documents, make_features, make_latents
from .clip import train_clip
from .data import Pictures, load_pictures, make_data, training_pictures
from .diffusion import train_diffusion
from .dream import train_chain
from .language import train_language
from .recipe import Recipe, load_recipe
from .ship import round_parts, ship
from .vae import train_vae

log = logging.getLogger(__name__)


def find_recipe(name: Path | str) -> Path:
    """A recipe file, or the shipped recipe of a name.

    Raises:
        EvalsuiteError: neither exists.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return Path(name)
    import evalsuite_baselines.mini

    folder = Path(str(evalsuite_baselines.mini.__file__)).parent / "recipes"
    path = folder / f"{name}.yaml"
    if not path.exists():
        known = sorted(p.stem for p in folder.glob("*.yaml"))
        raise EvalsuiteError(f"There is no recipe {str(name)!r}.", suggest(str(name), known))
    return path


def train(recipe: Path | str, work: Path, resume: bool = True, stages: Sequence[str] | None = None) -> Path:
    """Train the miniature.

    Args:
        recipe: name of a shipped recipe, or a YAML file.
        work: folder for caches, checkpoints and results; give the same one again to go on after an
            interruption.
        resume: go on from what `work` holds; otherwise train the chosen stages anew.
        stages: which to run, from `stage_names`; None for all. Each needs what comes before it.

    Returns:
        The folder with the finished checkpoints, laid out as they are shipped: `work/ship`.

    Raises:
        EvalsuiteError: the recipe is missing or malformed, or a stage is unknown.
    """
    plan = load_recipe(find_recipe(recipe))
    known = _stages(plan, work, resume)
    for name in stages or ():
        if name not in known:
            raise EvalsuiteError(f"Recipe {plan.name!r} has no stage {name!r}.", suggest(name, known))
    # More threads than one make small matrices slower, and much slower on a machine that does something
    # else too.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for name, (done, start) in known.items():
        if stages is not None and name not in stages:
            continue
        if resume and done.exists():
            log.info("stage %s is done: %s", name, done)
            continue
        log.info("stage %s", name)
        start()
    return work / "ship"


def stage_names(recipe: Path | str) -> list[str]:
    """The stages of a recipe in the order in which they are trained."""
    return list(_stages(load_recipe(find_recipe(recipe)), Path(), True))


def _stages(recipe: Recipe, work: Path, resume: bool) -> dict[str, tuple[Path, Callable[[], object]]]:
    """Name -> (file that exists when the stage is done, what to do)."""
    data = work / "data"

    def pictures() -> list[Pictures]:
        return list(training_pictures(recipe.data, data))

    def features() -> None:
        from diffusers import AutoencoderKL
        from transformers import CLIPModel

        round_parts(work, ("clip",))
        make_documents(recipe, data)
        clip: Any = CLIPModel.from_pretrained(work / "ship" / "clip", dtype=torch.float32)
        clip.eval()
        make_features(recipe, clip.vision_model, data)
        make_latents(AutoencoderKL.from_pretrained(work / "parts" / "vae").eval(), data)

    found: dict[str, tuple[Path, Callable[[], object]]] = {
        "data": (
            data / ("easy.jsonl" if recipe.data.easy_vqa else "valid.jsonl"),
            lambda: make_data(recipe.data, data),
        ),
        "vae": (work / "vae" / "training.json", lambda: train_vae(recipe.vae, pictures(), work, resume)),
        "clip": (
            work / "clip" / "training.json",
            lambda: train_clip(recipe.clip, pictures(), load_pictures(data, "valid"), work, resume),
        ),
        "diffusion": (
            work / "diffusion" / "training.json",
            lambda: train_diffusion(
                recipe.diffusion, load_pictures(data, "train"), load_pictures(data, "valid"), work, resume
            ),
        ),
        "language": (
            work / "language" / "training.json",
            lambda: train_language(recipe.language, pictures(), work, resume),
        ),
        "features": (data / "stories-latents.npy", features),
        "parts": (work / "ship" / "sd" / "model_index.json", lambda: round_parts(work, ("sd",))),
    }
    for name, chain in recipe.dream.items():
        last = work / "dream" / name / f"stage-{chain.stages[-1].stage}.safetensors"
        found[f"dream-{name}"] = (last, partial(train_chain, recipe, name, work, resume))
    found["ship"] = (work / "ship" / "done.txt", lambda: ship(recipe, work))
    return found
