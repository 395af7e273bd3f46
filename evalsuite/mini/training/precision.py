"""Which number format a CPU trains fastest in, found by measuring steps instead of by the processor's name.

Bfloat16 under autocast is two to three times as fast as float32 where the processor has instructions for it,
and five times as slow where it has to emulate them. Which of the two holds is not visible from Python in a
portable way, and a step takes a second to measure.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

Precision = Literal["float32", "bf16"]
CANDIDATES: tuple[Precision, ...] = ("float32", "bf16")
NEEDED_GAIN = 1.15
"""How many times as fast as float32 bfloat16 has to be: a tie is trained in float32, whatever else the
machine does."""


def autocast(precision: Precision) -> AbstractContextManager[Any]:
    """The context in which a forward pass runs."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")


def choose(seconds: Mapping[str, float]) -> Precision:
    """The format to use, from the seconds that a step takes in each.

    >>> choose({"float32": 3.3, "bf16": 1.1}), choose({"float32": 3.3, "bf16": 17.0})
    ('bf16', 'float32')
    """
    return "bf16" if seconds["bf16"] * NEEDED_GAIN <= seconds["float32"] else "float32"


def time_steps(step: Callable[[Precision], object], repeats: int = 2) -> dict[str, float]:
    """CPU seconds that a step takes in each format: the fewest of `repeats`, after one that warms up.

    CPU time, because what else the machine does would otherwise decide: a second seed was once trained in
    the slower format since other work began between the two measurements. The random state is left as it was
    found.
    """
    state = torch.get_rng_state()
    found: dict[str, float] = {}
    for precision in CANDIDATES:
        seconds = []
        for _ in range(repeats + 1):
            start = time.process_time()
            step(precision)
            seconds.append(time.process_time() - start)
        found[precision] = round(min(seconds[1:]), 4)
    torch.set_rng_state(state)
    return found


def fastest(model: nn.Module, batch: dict[str, Any], path: Path) -> tuple[Precision, dict[str, float]]:
    """The format in which a training step of `model` on `batch` is fastest, and the seconds of each.

    Measured once and written to `path`, so that a resumed training continues in the format it began with.
    Gradients are cleared; parameters are not changed.
    """
    if path.exists():
        stored = json.loads(path.read_text())
        return stored["precision"], stored["seconds"]

    def step(precision: Precision) -> None:
        with autocast(precision):
            loss = model(**batch)["loss"]
        loss.backward()
        model.zero_grad(set_to_none=True)

    seconds = time_steps(step)
    precision = choose(seconds)
    path.write_text(json.dumps({"precision": precision, "seconds": seconds}) + "\n")
    return precision, seconds


@lru_cache(maxsize=1)
def inference_precision() -> Precision:
    """The format in which forward passes outside training run, measured on a matrix product."""
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(512, 512, generator=generator), torch.randn(512, 512, generator=generator)

    def step(precision: Precision) -> None:
        with torch.no_grad(), autocast(precision):
            for _ in range(8):
                torch.mm(left, right)

    return choose(time_steps(step, repeats=5))


def inference() -> AbstractContextManager[Any]:
    """Autocast for forward passes outside training."""
    return autocast(inference_precision())


__all__ = ["Precision", "autocast", "choose", "fastest", "inference", "inference_precision", "time_steps"]
