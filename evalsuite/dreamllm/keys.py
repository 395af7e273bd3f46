"""Names of weights: ours, upstream's, and those of the folders of single parts."""

from __future__ import annotations

from collections.abc import Iterable

MAIN = "main"
VISION, QUERIES, DIFFUSION = "clip_vision_embedding", "dream_embedding", "stable_diffusion_head"
PLUGINS = (VISION, QUERIES, DIFFUSION)
"""Upstream's files beside the main weights: `<name>.bin`."""

INSIDE = {VISION: f"model.{VISION}.", QUERIES: f"model.{QUERIES}.", DIFFUSION: f"{DIFFUSION}."}
"""Prefixes of the plugins' tensors where the main file holds them too (as FSDP training writes it)."""

COMPUTED = (".position_ids", "rotary_emb.inv_freq")
"""Ends of keys that older versions stored although they follow from the configuration."""

_PROJECTOR = "projector.projector."
_TOWER = "clip_vision_model.vision_model."
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def canonical(key: str) -> str:
    """The name under which a tensor is stored: the vision tower's `vision_model.` level, which some versions
    of transformers have and others have not, is left out."""
    prefix = "vision.vision_model."
    return "vision." + key.removeprefix(prefix) if key.startswith(prefix) else key


def modern_attention(key: str) -> str:
    """`…attentions.0.query.weight` -> `…attentions.0.to_q.weight` and so on (old VAE files)."""
    pieces = key.split(".")
    if len(pieces) >= 2 and "attentions" in pieces and pieces[-2] in _OLD_ATTENTION:
        pieces[-2] = _OLD_ATTENTION[pieces[-2]]
    return ".".join(pieces)


def part_names(part: str, keys: Iterable[str]) -> dict[str, str]:
    """Key in a vision, UNet or VAE folder -> name in the whole model; what is not wanted is left out.

    A full CLIP checkpoint gives its image tower.
    """
    keys = list(keys)
    if part == "vision":
        marked = [key for key in keys if "vision_model." in key]
        return {
            key: f"vision.{key.split('vision_model.', 1)[-1]}"
            for key in marked or keys
            if not key.endswith(COMPUTED)
        }
    if part == "vae":
        return {key: f"vae.{modern_attention(key)}" for key in keys}
    return {key: f"{part}.{key}" for key in keys}


def from_upstream(file: str, key: str) -> str | None:
    """Our name for a key of one of upstream's files (MAIN or one of PLUGINS); None for what is computed.

    A key that upstream does not know keeps its name, so that whoever assembles the model refuses it.
    """
    if key.endswith(COMPUTED):
        return None
    if file == MAIN:
        for plugin, prefix in INSIDE.items():
            if key.startswith(prefix):
                return from_upstream(plugin, key.removeprefix(prefix))
        return key
    if file == VISION:
        if key.startswith("clip_vision_model."):
            return "vision." + key.removeprefix("clip_vision_model.").removeprefix("vision_model.")
        if key.startswith("post_layernorm."):
            return "vision_norm." + key.removeprefix("post_layernorm.")
    if key.startswith(_PROJECTOR):
        bridge = "vision_projector." if file == VISION else "condition_projector."
        return bridge + key.removeprefix(_PROJECTOR)
    return modern_attention(key) if key.startswith("vae.") else key


def to_upstream(name: str) -> tuple[str, str]:
    """Upstream's file (MAIN or one of PLUGINS) and key for one of our names; `from_upstream` undone."""
    head, _, rest = name.partition(".")
    if head == "vision":
        return VISION, _TOWER + rest
    if head == "vision_projector":
        return VISION, _PROJECTOR + rest
    if head == "vision_norm":
        return VISION, f"post_layernorm.{rest}"
    if head == "condition_projector":
        return DIFFUSION, _PROJECTOR + rest
    if head in ("unet", "vae"):
        return DIFFUSION, name
    return (QUERIES, name) if name == "dream_queries" else (MAIN, name)
