"""The recipe file: every hyper-parameter and seed of the miniature, read from YAML and checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, PositiveInt

from ...data.yamlfile import read_yaml, validated
from ...errors import EvalsuiteError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(_Part):
    """How long and how fast one stage is trained: AdamW (or Muon with it), linear warm-up, cosine to zero.

    `precision` "auto" measures a step in float32 and in bfloat16 at the start and takes the faster.
    """

    steps: int
    batch: int
    lr: float
    warmup: int = 50
    weight_decay: float = 0.01
    beta2: float = 0.99
    clip: float = 1.0
    precision: Literal["auto", "float32", "bf16"] = "auto"
    muon: bool = False
    save_every: int = 200
    log_every: int = 25
    seed: int = 0


class DataRecipe(_Part):
    """Sizes of the caches: scenes of one, two and three things for training, scenes for validation, edits."""

    ones: int
    twos: int
    threes: int
    validation: int
    edits: int
    stories: int
    easy_vqa: bool = True
    seed: int = 1


class VaeRecipe(_Part):
    """`AutoencoderKL` with one down-sampling by two between each two of `channels`."""

    channels: tuple[int, ...]
    latent_channels: int
    groups: int
    layers: int
    kl: float
    schedule: Schedule


class ClipRecipe(_Part):
    """`CLIPModel`: towers of one width; `words` weighs the recovery of the caption's words from patch
    features."""

    width: int
    layers: int
    text_layers: int
    heads: int
    mlp: int
    patch: int
    projection: int
    words: float
    easy_share: float
    hard_pairs: bool
    schedule: Schedule


class DiffusionRecipe(_Part):
    """UNet over latents with its own text encoder.

    `latents`: how many scenes of one, two, three things are encoded; `shares`: their shares of a batch;
    `blind`: share of a batch that starts from pure noise (see `DiffusionTraining`).
    """

    channels: tuple[int, ...]
    layers: int
    transformer_layers: int
    head_dim: int
    groups: int
    context: int
    text_layers: int
    text_heads: int
    text_mlp: int
    max_length: int
    drop_caption: float
    canonical: float
    snr_gamma: float | None
    blind: float = 0.0
    latents: tuple[int, int, int]
    shares: tuple[float, float, float]
    check_every: int
    check_scenes: int
    schedule: Schedule


class LanguageRecipe(_Part):
    """Stage-0 Llama decoder, trained on text alone.

    `drills`: share of documents of terse questions; `lists`: share of lists of options with their letters;
    `lettered`: multiple-choice questions for every eight open ones.
    """

    hidden: int
    layers: int
    heads: int
    mlp: int
    positions: int
    drills: float
    lists: float = 0.0
    lettered: int = 2
    schedule: Schedule


class DreamStage(_Part):
    """One stage of DreamLLM: what a batch is made of (rows of each kind) and the weights of the two
    losses."""

    stage: int
    rows: dict[str, int]
    lm_weight: float
    vm_weight: float
    align_weight: float = 0.0
    drop_prompt: float = 0.0
    check_every: int = 200
    schedule: Schedule


Kind = Literal["joint", "comprehension", "creation"]
"""What a chain learns: to read and to generate, or one of them."""


class DreamRecipe(_Part):
    """A chain of stages that ends in one checkpoint.

    Args:
        queries: number of dream queries.
        kind: what is learnt; by default what the chain's name says, else "joint".
        labelled: how many images of the world have questions, from 1; None: all. Captions and images are not
            limited. A smaller set is part of every larger one.
        check_scenes: validation scenes of one and of two objects each that a check looks at.
        seed: of this chain alone, in place of the recipe's. In a recipe file, `seeds: [0, 1, 2]` makes a
            chain of each, called NAME-s0 and so on, whose schedules have that seed too.
    """

    queries: int
    stages: tuple[DreamStage, ...]
    kind: Kind | None = None
    labelled: PositiveInt | None = None
    check_scenes: PositiveInt = 32
    seed: int | None = None


class Recipe(_Part):
    """A whole recipe.

    Args:
        processes: how many stages run beside each other, each on one core.
        parts: "train" trains the encoder, the decoder and the language model first; "shipped" takes those of
            `baselines/mini/checkpoints`, so that only the chains of `dream` are trained.
    """

    name: str
    seed: int
    processes: int = 1
    parts: Literal["train", "shipped"] = "train"
    data: DataRecipe
    vae: VaeRecipe
    clip: ClipRecipe
    diffusion: DiffusionRecipe
    language: LanguageRecipe
    dream: dict[str, DreamRecipe]

    def kind_of(self, chain: str) -> Kind:
        """What a chain learns."""
        named = self.dream[chain].kind
        return named or (chain if chain in ("comprehension", "creation") else "joint")  # type: ignore[return-value]

    def seed_of(self, chain: str) -> int:
        """The seed of a chain's fresh weights."""
        own = self.dream[chain].seed
        return self.seed if own is None else own


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file. `base: NAME` takes every key that it lacks from `NAME.yaml` beside it.

    Raises:
        EvalsuiteError: the file is missing, is not YAML, or a key is missing, unknown or of the wrong type.
    """
    values = _with_base(path)
    if isinstance(values, dict) and isinstance(values.get("dream"), dict):
        values = values | {"dream": _with_seeds(values["dream"])}
    return validated(path, values, Recipe)


def _with_base(path: Path, seen: tuple[Path, ...] = ()) -> Any:
    if not path.is_file():
        raise EvalsuiteError(f"There is no recipe file {path}.", "Recipes lie in baselines/mini/recipes.")
    values = read_yaml(path)
    if not isinstance(values, dict) or "base" not in values:
        return values
    if path in seen:
        raise EvalsuiteError(f"{path} is its own base.", "Remove one of the `base` keys.")
    base = _with_base(path.with_name(f"{values['base']}.yaml"), (*seen, path))
    return {**base, **{key: value for key, value in values.items() if key != "base"}}


def _with_seeds(chains: dict[str, Any]) -> dict[str, Any]:
    """Each chain with `seeds` becomes one for each seed; what is not of that form is left to the check."""
    found: dict[str, Any] = {}
    for name, chain in chains.items():
        if not isinstance(chain, dict) or not isinstance(chain.get("seeds"), list):
            found[name] = chain
            continue
        rest = {key: value for key, value in chain.items() if key != "seeds"}
        for seed in chain["seeds"]:
            found[f"{name}-s{seed}"] = _reseeded(rest, seed) | {"seed": seed}
    return found


def _reseeded(part: Any, seed: Any) -> Any:
    """The same values, the seed of every schedule in them replaced."""
    if isinstance(part, dict):
        return {
            key: ({**value, "seed": seed} if key == "schedule" else _reseeded(value, seed))
            for key, value in part.items()
        }
    return [_reseeded(one, seed) for one in part] if isinstance(part, (list, tuple)) else part


def seeded(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with another seed of every stage. The data stay the same, so that the difference between two
    seeds is the noise of training.

    Raises:
        EvalsuiteError: the recipe's chains have seeds of their own.
    """
    own = [name for name, chain in recipe.dream.items() if chain.seed is not None]
    if own:
        raise EvalsuiteError(
            f"Recipe {recipe.name!r} names the seeds itself ({', '.join(own[:3])}).",
            "Leave --seed out, or change `seeds` in a copy of the recipe.",
        )
    found = _reseeded(recipe.model_dump(), seed)
    return Recipe.model_validate(found | {"seed": seed})


def keep_recipe(recipe: Recipe, work: Path, *, resume: bool) -> Path:
    """Writes the recipe beside what is trained by it, in `work/recipe.yaml`; returns that file.

    Raises:
        EvalsuiteError: the folder holds stages of a recipe that says otherwise, and `resume` would mix them.
    """
    path = work / "recipe.yaml"
    wanted = recipe.model_dump(mode="json")
    if resume and path.is_file():
        differences = list(_differences(load_recipe(path).model_dump(mode="json"), wanted))
        if differences:
            raise EvalsuiteError(
                f"{work} holds a training by another recipe: {'; '.join(differences[:5])}.",
                "Name another folder, or train all stages from scratch with --fresh.",
            )
    work.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(yaml.safe_dump(wanted, sort_keys=False))
    part.replace(path)
    return path


_FREE = ("name", "processes")
"""Keys of a recipe on which the result does not depend."""


def _differences(before: Any, now: Any, where: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(key for key in now if key not in before)]:
            if where or key not in _FREE:
                yield from _differences(before.get(key), now.get(key), f"{where}.{key}" if where else key)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for place, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(old, new, f"{where}[{place}]")
    elif before != now:
        yield f"{where} {before} there, {now} here"
