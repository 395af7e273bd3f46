"""What an editing benchmark's file says beyond the common fields."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.task.networks import NetworkSettings


class ColumnSettings(BaseModel):
    """How a column is computed.

    `L1`, `L2`: mean absolute and squared difference of pixels in [0, 1], the result resized to the size of
    what it is compared with;
    `PSNR`, `MSE`, `SSIM`: of result and source, one region kept and the rest black on both sides;
    `LPIPS`, `structure`: a network's distance of result and source, the same region kept;
    `image`: cosine in a network's features; `text`: similarity of the result and its description;
    `source text`: of the source and its description; `target text`: of the accepted result and the
    description, what a perfect result would get;
    `direction`: cosine of the change of the images and the change of the descriptions;
    `truth`: the column of that name of the exact detector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Literal[
        "L1", "L2", "PSNR", "MSE", "SSIM", "LPIPS", "structure", "image", "text", "source text",
        "target text", "direction", "truth",
    ]  # fmt: skip
    network: str = ""
    against: Literal["target", "source"] = "target"
    """For L1, L2 and image: what the result is compared with."""
    region: Literal["whole", "unedited", "edited"] = "whole"
    """By the benchmark's mask; an image whose region is empty has no value in the column."""
    formula: str = "cosine"
    """Of text similarities (`tasks/columns.py`)."""


class Settings(BaseModel):
    """What an editing benchmark's file says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: dict[str, NetworkSettings] = Field(default_factory=dict)
    columns: dict[str, ColumnSettings]
    rules: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Scoring rule -> network -> preprocessing, where a rule differs from what `networks` says."""
    exclude: dict[str, list[str]] = Field(default_factory=dict)
    """Named rule -> captions that it takes for placeholders (see `ProtocolSettings.exclude`)."""
    truth: Literal["", "mini-world"] = ""


class ProtocolSettings(BaseModel):
    """What a protocol says under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    turns: Literal["single", "multi"] = "multi"
    """`single`: every turn is a sample and starts from the official image before it. `multi`: a session is
    a sample, each turn edits the model's own previous result, and the last result is scored; where sessions
    are single edits, that is all there is."""
    exclude: list[str] = Field(default_factory=list)
    """Rows that are left out and counted: `identical-captions`, or a rule of `Settings.exclude`."""
