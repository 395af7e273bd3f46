"""The miniature's checkpoints under their names; `checkpoints/README.md` says how they were made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from evalsuite.dreamllm.options import OPTIONS as DREAMLLM_OPTIONS
from evalsuite.model import Model
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import Capability

from ..declared import CALL, DIFFUSERS, with_defaults

CHECKPOINTS = Path(__file__).parent / "checkpoints"

UNDERSTANDING: frozenset[Capability] = frozenset({"text", "choices"})
CREATION: frozenset[Capability] = frozenset({"image", "edit"})
INTERLEAVING: frozenset[Capability] = frozenset({"interleaved"})

DREAMLLM = {
    "dreamllm-mini": (
        "dreamllm",
        UNDERSTANDING | CREATION | INTERLEAVING,
        "the miniature DreamLLM, trained to understand and to create",
    ),
    "dreamllm-mini-comprehension": (
        "dreamllm-comprehension",
        UNDERSTANDING,
        "its ablation trained to understand only",
    ),
    "dreamllm-mini-creation": ("dreamllm-creation", CREATION, "its ablation trained to create only"),
    "dreamllm-mini-stage1": (
        "dreamllm-stage1",
        UNDERSTANDING | CREATION,
        "after stage I: projectors and dream queries trained",
    ),
}
"""Name -> folder, what it was trained for, title."""

DRAWING = {"steps": "10", "guidance_scale": "3.0", "scheduler": "dpm++"}
"""How all miniature models draw, so that they can be compared. 20 steps draw no better: `sd-mini` has 66.5 %
of 200 prompts right with 20 steps and 67.0 % with 10."""

SDEDIT_STRENGTH = "0.7"
"""Share of the noise schedule that `sd-mini` runs when it edits."""

SD_DEFAULTS = {"name": "sd-mini", "strength": SDEDIT_STRENGTH, **DRAWING}


def models() -> Iterator[ModelEntry]:
    for name, (folder, capabilities, title) in DREAMLLM.items():
        yield ModelEntry(
            name,
            title,
            capabilities,
            partial(_dreamllm, name, folder),
            group="miniature",
            options=with_defaults(DREAMLLM_OPTIONS, _defaults(name)),
        )
    yield ModelEntry(
        "sd-mini",
        "the miniature's latent diffusion model with its own text encoder (edits by SDEdit)",
        frozenset({"image", "edit"}),
        _sd,
        group="miniature",
        options=with_defaults(DIFFUSERS, SD_DEFAULTS),
        more_options=CALL,
    )


def _dreamllm(name: str, folder: str, options: ModelOptions) -> Model:
    from evalsuite.dreamllm import load_adapter as load

    chosen = {**_defaults(name), **options.options}
    return load(replace(options, argument=str(CHECKPOINTS / folder), options=chosen))


def _defaults(name: str) -> dict[str, str]:
    return {"name": name, "template": "vicuna-without-system", **DRAWING}


def _sd(options: ModelOptions) -> Model:
    from ..diffusion import load

    chosen = {**SD_DEFAULTS, **options.options}
    return load(replace(options, argument=str(CHECKPOINTS / "sd"), options=chosen))
