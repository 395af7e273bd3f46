"""Scorers as torchmetrics' metrics: the functions' values, bit by bit, in one process and in two."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("torchmetrics", reason="the extra evalsuite[torchmetrics] is not installed")

from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.captions import score_captions
from evalsuite.metrics.feature_sets import cmmd, kernel_distance
from evalsuite.metrics.frechet import frechet_distance, gaussian_of
from evalsuite.metrics.pope import pope_report, yes_or_no
from evalsuite.metrics.vqa import vqa_accuracy
from tests.torchmetrics import samples

pytestmark = pytest.mark.slow


def _expected() -> dict[str, Any]:
    """What the functions say, as hex."""
    said, true = samples.answers()
    accuracies = [vqa_accuracy(a, b) for a, b in zip(said, true, strict=True)]
    answers, labels = samples.yes_no()
    report = pope_report(labels, [yes_or_no(answer, "lmms-eval") for answer in answers], "lmms-eval")
    table = score_captions(*samples.captions()).summary()
    generated, real = samples.features()
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (generated, real)]
    return {
        "vqa": (sum(accuracies) / len(accuracies)).hex(),
        "pope": report.f1.hex(),
        "captions": {name: value.hex() for name, value in table.items()},
        "cider": table["CIDEr"].hex(),
        "rouge": table["ROUGE_L"].hex(),
        "bleu": table["Bleu_2"].hex(),
        "frechet": frechet_distance(gaussian_of(generated), gaussian_of(real)).hex(),
        "kid": kernel_distance(generated, real, subsets=5, subset_size=10).mean.hex(),
        "cmmd": cmmd(*unit).hex(),
    }


def test_values_are_those_of_the_functions_to_the_last_bit_and_reset_forgets() -> None:
    made = samples.metrics()
    for indices in (True, False):
        samples.update(made, range(samples.COUNT), indices)
        assert samples.values(made) == _expected()
        for metric in made.values():
            metric.reset()
    for metric in made.values():
        with pytest.raises(SampleError):
            metric.compute()


def test_parts_merge_in_any_order() -> None:
    left, right = samples.metrics(), samples.metrics()
    samples.update(left, range(9, samples.COUNT))
    samples.update(right, range(9))
    for name, metric in left.items():
        metric.merge_state(right[name])
    assert samples.values(left) == _expected()


@pytest.mark.parametrize("rest", ["shared", "none"])
def test_two_processes_give_the_value_of_one(tmp_path: Path, rest: str) -> None:
    """Dealt out alternately with repeated samples, as `DistributedSampler` does; and all to one process."""
    count = samples.COUNT
    parts = [[*range(0, count, 2)], [*range(1, count, 2), 0]] if rest == "shared" else [[*range(count)], []]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.torchmetrics.samples", str(rank), str(tmp_path / "meeting"),
             str(tmp_path / f"{rank}.json"), json.dumps(parts)],
            stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent.parent,
        )
        for rank in range(2)
    ]  # fmt: skip
    for process in processes:
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
    for rank in range(2):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == _expected()


def test_what_cannot_be_is_refused() -> None:
    from evalsuite.torchmetrics import BLEU, POPE, CaptionMetrics, FrechetDistance, VQAAccuracy

    with pytest.raises(SpecError, match="official"):
        VQAAccuracy("offical")
    with pytest.raises(SpecError, match="f1"):
        POPE("f2")
    with pytest.raises(SpecError, match="POPE rule"):
        POPE(rule="strict")
    with pytest.raises(SpecError, match="needs a mode"):
        FrechetDistance()
    with pytest.raises(SampleError, match="BLEU-5"):
        BLEU(5)
    metric = VQAAccuracy()
    with pytest.raises(SampleError, match="2 predictions came with 1"):
        metric.update(["a", "b"], [["a"]])
    with pytest.raises(SampleError, match="1 indices"):
        metric.update(["a", "b"], [["a"] * 10] * 2, indices=[1])
    metric.update(["a"], [["a"] * 10], indices=[1])
    metric.update(["a"], [["a"] * 10])
    with pytest.raises(SampleError, match="1 of 2 samples came without an index"):
        metric.compute()
    with pytest.raises(SampleError, match="lists is empty"):
        CaptionMetrics().update(["a"], [[]])
    frechet = FrechetDistance(network=None)
    with pytest.raises(SampleError, match="shape"):
        frechet.update(torch.zeros(3), real=True)
    with pytest.raises(SampleError, match="NaN"):
        frechet.update(torch.full((2, 2), torch.nan), real=True)


def test_the_real_side_can_stay_over_epochs() -> None:
    from evalsuite.torchmetrics import FrechetDistance

    generated, real = samples.features()
    metric = FrechetDistance(network=None, reset_real_features=False)
    metric(real, real=True)
    for _ in range(2):
        metric(generated, real=False)
        assert metric.compute().item() == frechet_distance(gaussian_of(generated), gaussian_of(real))
        metric.reset()


def test_a_network_sees_images_as_the_command_does(tmp_path: Path) -> None:
    import torch
    from PIL import Image

    from evalsuite.api.tools import distance
    from evalsuite.torchmetrics import FrechetDistance
    from tests.features.networks import write_clip

    network = f"clip:{write_clip(tmp_path / 'clip')}"
    source = np.random.RandomState(0)
    sides = {side: source.randint(0, 256, (12, 20, 24, 3)).astype(np.uint8) for side in ("a", "b")}
    for side, arrays in sides.items():
        (tmp_path / side).mkdir()
        for i, array in enumerate(arrays):
            Image.fromarray(array).save(tmp_path / side / f"{i:02d}.png")
    metric = FrechetDistance("openai", network)
    metric.update(torch.from_numpy(sides["a"]).permute(0, 3, 1, 2), real=False)
    metric.update([Image.fromarray(array) for array in sides["b"]], real=True)
    told = distance(tmp_path / "a", tmp_path / "b", "openai", network=network, device="cpu")
    assert metric.compute().item() == told.values["frechet"]
    with pytest.raises(SampleError, match="uint8"):
        metric.update(torch.zeros(1, 3, 4, 4), real=True)
