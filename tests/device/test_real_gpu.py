"""On a real GPU: `pytest -m gpu`. Skipped where torch sees none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evalsuite.engine.batching import Batch, scope_of
from evalsuite.engine.worker import Worker
from evalsuite.gpu_check import measure, requests, supported
from evalsuite.model import METHODS
from evalsuite.registry import load_registry
from evalsuite.running.resolving import build_model
from evalsuite.spec import ModelSpec, RunSpec
from tests.engine.planted import CAPTIONS, DOCUMENTS, EDITS, IMAGES, LIKELIHOODS, TEXT
from tests.engine.test_self_check import SAMPLES
from tests.engine.test_self_check import requests as prepared

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
]
DTYPES = ("float32", "bfloat16", "float16")


def build(dtype: str, device: str = "cuda"):  # type: ignore[no-untyped-def]
    spec = RunSpec(model=ModelSpec(name="dreamllm-mini", device=device, dtype=dtype), tasks=())
    return build_model(spec, load_registry())


def test_every_capability_runs_in_every_precision() -> None:
    rows = list(measure(load_registry(), "cuda"))
    assert [row.error for row in rows if row.error] == []
    assert len(rows) == len(supported("cuda")) * len(METHODS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("task", [TEXT, CAPTIONS, LIKELIHOODS, IMAGES, EDITS, DOCUMENTS])
def test_batches_are_kept(task: str, dtype: str) -> None:
    items = prepared(task, "float32")
    worker = Worker(build(dtype))
    scope = scope_of(task, items[0])
    result = worker.run(Batch(scope, items))
    assert worker.limit(scope, SAMPLES) == SAMPLES, result.notes


def test_a_seed_means_the_same_image_as_on_the_cpu() -> None:
    request = requests()["image"]
    found = []
    for device in ("cpu", "cuda"):
        model = build("float32", device)
        (answer,) = model.generate_images([model.prepare(request)])
        found.append(np.asarray(answer.images[0].pixels, float))
    assert abs(found[0] - found[1]).mean() < 4
