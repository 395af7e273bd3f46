"""The samples that the tests share, and a process of a group that measures its part of them."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

COUNT = 23
_WORDS = [
    "a",
    "the",
    "dog's",
    "red-ball",
    "two",
    "cats,",
    "sitting",
    "on",
    "grass",
    "don't",
    "U.S.",
    "$5",
    "café",
    "�",
    "street.",
]


def answers() -> tuple[list[str], list[list[str]]]:
    source = random.Random(3)
    said = [source.choice(["red", "Two dogs", "the dog", "no"]) for _ in range(COUNT)]
    true = [[source.choice(["red", "2 dogs", "dog", "No."]) for _ in range(10)] for _ in range(COUNT)]
    return said, true


def yes_no() -> tuple[list[str], list[bool]]:
    source = random.Random(4)
    said = [source.choice(["Yes", "No, none", "perhaps"]) for _ in range(COUNT)]
    return said, [source.random() < 0.5 for _ in range(COUNT)]


def captions() -> tuple[list[str], list[list[str]]]:
    source = random.Random(5)

    def caption() -> str:
        return " ".join(source.choice(_WORDS) for _ in range(source.randint(2, 9)))

    return [caption() for _ in range(COUNT)], [[caption() for _ in range(3)] for _ in range(COUNT)]


def features() -> tuple[np.ndarray, np.ndarray]:
    source = np.random.RandomState(6)
    return (
        source.standard_normal((COUNT, 5)).astype(np.float32),
        (source.standard_normal((COUNT, 5)) + 0.5).astype(np.float32),
    )


def metrics() -> dict[str, Any]:
    from evalsuite.torchmetrics import (
        BLEU,
        CMMD,
        POPE,
        ROUGEL,
        CaptionMetrics,
        CIDEr,
        FrechetDistance,
        KernelDistance,
        VQAAccuracy,
    )

    return {
        "vqa": VQAAccuracy(),
        "pope": POPE("f1", "lmms-eval"),
        "captions": CaptionMetrics(),
        "cider": CIDEr(),
        "rouge": ROUGEL(),
        "bleu": BLEU(2),
        "frechet": FrechetDistance(network=None),
        "kid": KernelDistance(network=None, subsets=5, subset_size=10),
        "cmmd": CMMD(network=None),
    }


def update(made: dict[str, Any], chosen: Iterable[int], indices: bool = True) -> None:
    """Gives the samples at these positions to all metrics, in batches of four."""
    rows = list(chosen)
    generated, real = features()
    for start in range(0, len(rows), 4):
        batch = rows[start : start + 4]
        places = batch if indices else None
        inputs: dict[str, tuple[Any, Any]] = {
            "vqa": answers(), "pope": yes_no(), "captions": captions(), "cider": captions(),
            "rouge": captions(), "bleu": captions(),
        }  # fmt: skip
        for name, (first, second) in inputs.items():
            made[name].update([first[i] for i in batch], [second[i] for i in batch], indices=places)
        for name in ("frechet", "kid", "cmmd"):
            made[name].update(torch.from_numpy(generated[batch]), real=False, indices=places)
            made[name].update(torch.from_numpy(real[batch]), real=True, indices=places)


def values(made: dict[str, Any]) -> dict[str, Any]:
    """Exact values: floats as hex."""

    def exact(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: exact(one) for name, one in value.items()}
        assert value.dtype == torch.float64
        return value.item().hex()

    return {name: exact(metric.compute()) for name, metric in made.items()}


if __name__ == "__main__":
    rank, meeting, out, parts = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4])
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    found = metrics()
    update(found, parts[rank])
    out.write_text(json.dumps(values(found)))
    for metric in found.values():
        metric.reset()
    torch.distributed.destroy_process_group()
