"""The run specification: what was asked for, typed, saved into the run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskSpec(_Frozen):
    """One task of a run."""

    name: str
    protocol: str | None = None
    """Named protocol; None is the benchmark's default, resolved before it is saved."""
    rules: str | None = None
    """Named scoring rules; None is the default."""
    data: Path | None = None
    """Folder with the benchmark's files."""
    options: dict[str, str] = Field(default_factory=dict)
    """Further options of the task's family."""


class ModelSpec(_Frozen):
    """The model of a run."""

    name: str
    """As typed: `dreamllm-mini`, `dreamllm:FOLDER`."""
    device: str = "auto"
    dtype: str = "auto"
    options: dict[str, str] = Field(default_factory=dict)
    """Further options of the adapter."""
    blind: bool = False
    """It is shown no images: how much of a benchmark can be answered without looking."""


class RunSpec(_Frozen):
    """Everything that decides what a run asks; two runs of equal specification ask the same.

    What only decides how fast it goes (batch size, threads) is not here.
    """

    model: ModelSpec
    tasks: tuple[TaskSpec, ...]
    seed: int = 0
    """Seeds of all samples are derived from it."""
    limit: int | None = Field(default=None, ge=1)
    """Maximum samples per task: a seeded random subset, the same for every model."""
    plugins: tuple[Path, ...] = ()
    """Plugin files in use."""
    reasoning: Literal["strip", "keep"] = "strip"
    """What scoring does with reasoning in front of an answer (`<think>…</think>`); stored answers keep it."""

    def difference(self, other: RunSpec) -> list[str]:
        """One line per field that differs, `field: ours -> theirs`; empty when equal."""
        return _difference(self.model_dump(mode="json"), other.model_dump(mode="json"), "")


class ExecutionOptions(_Frozen):
    """How a run is carried out; changes nothing in its results."""

    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 32
    """Upper limit, halved when memory runs out; `auto` finds the largest that fits and remembers it."""
    prepare_threads: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Threads that decode and tokenise ahead of the device; `auto`: one per core, at most 8, where the model
    is on a GPU, else one."""
    prefetch: int = Field(default=256, ge=1, validation_alias=AliasChoices("prefetch", "prepare_ahead"))
    """Maximum number of prepared requests that wait in memory (`prepare_ahead` in runs of version 0.1)."""
    max_failures: float = Field(default=0.0, ge=0)
    """Failed samples allowed: a fraction of all when below 1, else a count. More make the exit status 1."""
    self_check: bool = True
    """Compare a batch with one at a time at the start of each group and fall back to 1 where batching has a
    bug."""
    batch_invariant: bool = False
    """Fall back to 1 when a batch gives other bits, too: rounding depends on the shape of a batch."""
    equal_failures: int = Field(default=25, ge=0)
    """Number of samples in a row that fail with the same reason after which the run stops; 0: never."""
    retry_failed: bool = False
    """Retry samples that failed in an earlier session of this run."""
    workers: Annotated[int, Field(ge=1)] | Literal["auto"] | None = None
    """Ray workers that answer: a number, or `auto` for one per GPU; None: the process itself answers."""
    ray_address: str | None = None
    """A Ray cluster, `auto` or HOST:PORT; None with `workers` starts a local one."""
    gpus_per_worker: float = Field(default=1.0, ge=0)
    """GPUs of each worker; several for a model that is spread over them, a fraction to share one."""
    cpus_per_worker: float = Field(default=1.0, gt=0)
    """Processor cores of each worker; its preparing threads and torch use them."""
    worker_timeout: float | None = Field(default=None, gt=0)
    """Seconds of silence after which others take over a worker's samples; None: ten times the slowest batch,
    at least 600."""
    same_gpus: bool = False
    """Refuse workers whose GPU is of another kind than the first one's."""
    image_shards: int | None = Field(default=None, ge=0)
    """Images of one tar archive; 0: every image is a file of its own; None: archives where there are more
    than 20,000."""
    image_format: Literal["png", "webp"] = "png"
    """How generated images are stored, always lossless; webp is smaller and takes longer."""
    image_level: int | None = Field(default=None, ge=0, le=9)
    """Effort of that, 0 (fast, large) to 9 (slow, small); None: Pillow's own. It changes no pixel."""


def slug(model: str) -> str:
    """A folder name for a model: `dreamllm:/data/my ckpt` is `dreamllm-my-ckpt`."""
    name, _, argument = model.partition(":")
    last = argument.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._]+", "-", f"{name}-{last}" if last else name).strip("-.") or "model"


def _difference(ours: Any, theirs: Any, path: str) -> list[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted(ours.keys() | theirs.keys())
        return [
            line
            for key in keys
            for line in _difference(ours.get(key), theirs.get(key), f"{path}.{key}".lstrip("."))
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            line
            for i, (a, b) in enumerate(zip(ours, theirs, strict=True))
            for line in _difference(a, b, f"{path}[{i}]")
        ]
    if ours == theirs:
        return []
    return [f"{path}: {_brief(ours)} -> {_brief(theirs)}"]


def _brief(value: Any) -> str:
    """A list of named parts by their names, anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(part, dict) and "name" in part for part in value):
        return ", ".join(str(part["name"]) for part in value)
    return repr(value)
