"""What networks share of an image or of texts changes no bit of what each of them sees or gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evalsuite.content import Image as Encoded
from evalsuite.features import NetworkSpec, load_scorer
from evalsuite.features.extraction import image_features
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, PREPROCESSES, Geometry
from evalsuite.features.scorers.clip_scores import ClipScorer
from evalsuite.features.sharing import once, shared
from tests.data.image_files import encoded
from tests.features.networks import write_clip


def test_once_makes_a_thing_once_within_shared_and_for_the_very_same_object() -> None:
    made: list[str] = []

    def make(name: str) -> Callable[[], str]:
        return lambda: made.append(name) or name  # type: ignore[func-returns-value]

    first, second = [1], [1]
    with shared():
        assert [once("a", make("a"), first), once("a", make("b"), first)] == ["a", "a"]
        assert once("a", make("c"), second) == "c"  # equal, but another object
        with shared():
            assert once("a", make("d"), first) == "d"
        assert once("a", make("e"), first) == "a"
    assert once("a", make("f"), first) == "f"
    assert made == ["a", "c", "d", "f"]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
@pytest.mark.parametrize("size", [(40, 40), (61, 40), (24, 75)])
def test_what_a_network_sees_is_the_same_to_the_bit_beside_others(mode: str, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert(mode)
    geometries = [Geometry(16, 16, CLIP_MEAN, CLIP_STD), Geometry(16, None, CLIP_MEAN, CLIP_STD)]
    alone = [way(image, geometry) for way in PREPROCESSES.values() for geometry in geometries]
    with shared():
        together = [way(image, geometry) for way in PREPROCESSES.values() for geometry in geometries]
    for one, other in zip(alone, together, strict=True):
        assert one.tobytes() == other.tobytes()


def test_two_preprocessings_of_one_network_read_the_texts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(write_clip(tmp_path))
    networks = {
        way: load_scorer(NetworkSpec("hpsv2", folder, way, way), "cpu")
        for way in ("hps", "hps-without-antialias")
    }
    images = [Encoded(encoded("PNG", seed=seed)) for seed in range(3)]
    texts = ["a cat", "a dog", "two cats"]
    alone = {way: image_features({way: one}, images, texts)[0][way] for way, one in networks.items()}
    read: list[int] = []
    whole = ClipScorer._read

    def counted(self: ClipScorer, given: list[str]) -> object:
        read.append(len(given))
        return whole(self, given)

    monkeypatch.setattr(ClipScorer, "_read", counted)
    found, _ = image_features(networks, images, texts)
    assert read == [3]
    for way, values in alone.items():
        assert found[way].tobytes() == values.tobytes()
