"""What a text-to-image benchmark's file says beyond the common fields."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.task.networks import NetworkSettings


class ColumnSettings(BaseModel):
    """How a column is computed.

    `frechet`, `frechet-infinity`, `kid`, `cmmd`, `precision`, `recall`: of generated to reference images in a
    network's features; `inception-score`: of the generated ones alone; `similarity`: of image and prompt in a
    network's common space; `score`: what a network that looks at image and prompt says (preference,
    aesthetics …); `truth`: the column of that name of the exact detector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal[
        "frechet",
        "frechet-infinity",
        "kid",
        "cmmd",
        "precision",
        "recall",
        "inception-score",
        "similarity",
        "score",
        "truth",
    ]
    network: str = ""
    formula: str = "cosine"
    """Of a similarity (see `tasks/columns.py`); of KID the tool whose subsets are sampled: `clean-fid` or
    `torch-fidelity`."""
    optional: bool = False
    """Computed only when `metrics=` asks for it."""
    images: Literal["selected", "first"] = "selected"
    """Of several images per prompt: the one selected, or the first, which is what one seed alone gives."""


class Deviation(BaseModel):
    """A standard deviation beside columns of scores: of the means of neighbouring prompts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    """Label: groups never hold prompts of two of its values."""
    group: int = Field(ge=1)
    """Prompts in a group; the last one of a label's value may have fewer."""


class Settings(BaseModel):
    """What a text-to-image benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: int | None = None
    """Length of the sampled list; null: one caption of every image."""
    seed: int = 0
    """Of the sampled list."""
    networks: dict[str, NetworkSettings] = Field(default_factory=dict)
    columns: dict[str, ColumnSettings]
    every_caption: bool = False
    """Every caption is a prompt, none is sampled."""
    gallery: bool = False
    """Images are generated even where the headline's network is not here: they are made to be looked at."""
    distances_by: str = ""
    """Label: Fréchet distances are also reported for each of its values, to that part of the reference."""
    deviation: Deviation | None = None
    """What the run's record of details gets for every column of measure `score`."""
    select: str = ""
    """Network that selects among several images per prompt; empty: the first is taken."""
    reference: Literal["all", "listed"] = "all"
    """Which images of the annotation file are the reference: all, or those of the list."""
    truth: Literal["", "mini-world"] = ""


class ProtocolSettings(BaseModel):
    """What a protocol says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    select_by: Literal["prompt", "any-caption"] = "prompt"
    """Similarity that selects: to the prompt, or the largest to any caption of the image (DreamLLM's
    script)."""
    pairing: Literal["prompt", "shuffled"] = "prompt"
    """What the images of a sample are generated for: its own caption, or each for another one of the list, in
    an order that differs for each image's number (DreamLLM's script)."""
