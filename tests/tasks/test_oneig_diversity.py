"""OneIG's diversity, measured by DreamSim in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.data.images import decode
from evalsuite.features import NetworkSpec, load_network
from evalsuite.task.images_as import as_jpeg
from evalsuite.task.networks import cosines
from tests.features.dreamsim_weights import write_dreamsim
from tests.tasks.test_qa_alignment import drawn, judged, measured, square


def test_diversity_is_the_mean_distance_of_all_pairs(tmp_path: Path) -> None:
    weights = write_dreamsim(tmp_path / "dreamsim")
    task = judged("oneig-diversity", measured(tmp_path), options={"weights": f"distance={weights}"})
    assert task.info.judge == "DreamSim ensemble"
    several = list(task.samples())
    images = [square("red"), square("blue"), square("black"), square("green")]
    alone = [square("red"), *[square("black")] * 3]
    scores = task.score([drawn(several[0], 4, images=images), drawn(several[1], 4, images=alone)])
    network = load_network(NetworkSpec("dreamsim", str(weights), "squashed"), "cpu")
    # The black tile is no image; the others are measured as JPEG.
    features = network.images([decode(as_jpeg(images[place])) for place in (0, 1, 3)])
    pairs = [1 - float(cosines(features[[a]], features[[b]])[0]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert scores.rows[0].values["score"] == pytest.approx(sum(pairs) / 3, abs=1e-6)
    assert "no other to be compared with" in scores.rows[1].failure
    assert scores.details["distance"]["name"] == "DreamSim ensemble"
