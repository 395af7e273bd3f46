"""What a benchmark of interleaved documents says beyond the common fields."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.task.networks import NetworkSettings


class ColumnSettings(BaseModel):
    """How a column is computed.

    `frechet`: distance of all generated to all true images in a network's features;
    `similarity`: of an image and the text before it, by a named formula, mean over the images;
    `image_similarity`: cosine of an image and the true one at its place (given text only);
    `CIDEr`, `ROUGE-L`: of the document's text and the true text;
    `form`: 1 for a document that keeps all limits (see `form.py`); `images`: how many it has;
    `truth`: the column of that name of the exact detector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal[
        "frechet", "similarity", "image_similarity", "CIDEr", "ROUGE-L", "form", "num_images", "truth"
    ]
    network: str = ""
    formula: str = "cosine"


class Limits(BaseModel):
    """What a document must keep to be in form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_images_per_document: int = Field(default=1, ge=0)
    max_images_per_document: int | None = Field(default=None, ge=0)
    """Null: the protocol's `max_images`."""
    least_words: int = Field(default=1, ge=0)
    text_first: bool = True
    """A document begins with text."""
    text_between: bool = True
    """No two images follow each other without text."""
    ended: bool = True
    """The model ended it, no limit did."""


class Settings(BaseModel):
    """What a benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: dict[str, NetworkSettings] = Field(default_factory=dict)
    columns: dict[str, ColumnSettings]
    limits: Limits = Limits()
    truth: Literal["", "mini-world"] = ""


class ProtocolSettings(BaseModel):
    """What a protocol says under `settings`.

    For documents from an instruction, `opening`: `none`, or the document's first text is given to the model
    as the beginning of its answer and belongs to the document that is scored.

    For images for the true text, `context`: what the model sees before it generates: `own`, the true text so
    far with its own images; `true`, with the true images; `text`, all text so far without images;
    `last-text`, only the text since the image before (what a text-to-image model can take).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    opening: Literal["none", "prefill"] = "none"
    context: Literal["own", "true", "text", "last-text"] = "own"
