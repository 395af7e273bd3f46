"""Uni-MMMU's jigsaw: the completed images against the true ones, by DreamSim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.features import NetworkSpec, load_network
from evalsuite.request import ImageResponse, TextResponse
from evalsuite.task import Answered
from evalsuite.task.networks import cosines
from tests.features.dreamsim_weights import write_dreamsim
from tests.tasks.asking import build, write_json
from tests.tasks.tables import PHOTOS
from tests.tasks.unified_files import CHOICE, samples_of, write_photo


def test_the_jigsaws_images_are_compared_with_the_true_ones(tmp_path: Path) -> None:
    for n, name in enumerate(("ref.png", "c0.png", "c1.png")):
        write_photo(tmp_path / name, n)
    item = {"id": "j1", "label": 1, "ref_panel": {"ref_image_path": "ref.png"}}
    item |= {"candidate_paths": ["c0.png", "c1.png"]}
    item |= {"gt_completed_2x2_path": "c1.png", "gt_wrong_2x2_path": "c0.png"}
    write_json(tmp_path / "metadata.json", {"items": [item]})
    folder = write_dreamsim(tmp_path / "dreamsim")
    task: Any = build("uni-mmmu-jigsaw", tmp_path, options={"weights": f"dreamsim={folder}"})
    assert [one.name for one in task.info.metrics] == ["accuracy", "image score"]
    sample = samples_of(task)
    # With the label 1 the completed image is that of the second candidate.
    assert [sample.record.images[name][0].label for name in ("true_first", "true_second")] == [
        "c0.png",
        "c1.png",
    ]
    images = [ImageResponse((Image(PHOTOS[n]),)) for n in (1, 0)]
    scores = task.score([Answered(sample, (*images, TextResponse(CHOICE)))])
    network = load_network(NetworkSpec("dreamsim", str(folder), "squashed"), "cpu")
    features = network.images([decode(Image(PHOTOS[n])) for n in (0, 2)])
    half = cosines(features[:1], features[1:])[0]
    assert scores.rows[0].values["image score"] == pytest.approx((1 + half) / 2, abs=1e-5)
    standard: Any = build("uni-mmmu-jigsaw", tmp_path, protocol="standard")
    found = standard.score([Answered(samples_of(standard), (TextResponse(CHOICE),))])
    assert "weights fetch dreamsim_ensemble" in found.missing["image score"]
    assert found.rows[0].values["accuracy"] == 1
