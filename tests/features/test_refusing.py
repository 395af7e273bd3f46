"""An image that one network does not take fails in that network's column; the others keep their value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.features.blocks import Block, BlockRows, prepare_block, rows_of_block
from evalsuite.features.decoding import Decoded
from evalsuite.features.extraction import feature_batches, image_features
from evalsuite.features.keeping import keeping
from evalsuite.features.leases import rows_of
from evalsuite.features.statistics import statistics_of
from evalsuite.features.worker_plugin import FeatureNetworks
from evalsuite.store.features import FeatureFolder
from tests.tasks.image_files import flat, png

TALL = (2, 60)
TEXTS = ["a", "bb", "ccc", "dddd", "eeeee"]


class Scorer:
    """Brightness and length of the text; its batches are on record. Takes no image taller than `limit`."""

    preprocess, dtype = "", "float32"

    def __init__(self, name: str, limit: int = 1000) -> None:
        self.name, self.limit = name, limit
        self.fingerprint = name * 64
        self.batches: list[int] = []

    def prepare(self, image: pil.Image) -> float:
        if image.height > self.limit:
            raise DataError(f"{image.height} pixels are too tall.")
        return float(np.asarray(image).mean())

    def scores(self, prepared: Sequence[float], texts: Sequence[str]) -> np.ndarray:
        self.batches.append(len(prepared))
        return np.array([value + len(text) for value, text in zip(prepared, texts, strict=True)])


class Features:
    """Two features of an image; takes no image taller than 50 pixels."""

    name, preprocess, dtype, dim, means = "features", "", "float32", 2, "float64"
    fingerprint = weights_sha256 = "f" * 64

    def prepare(self, image: pil.Image) -> np.ndarray:
        if image.height > 50:
            raise DataError(f"{image.height} pixels are too tall.")
        array = np.asarray(image)
        return np.array([array.mean(), array.std()], np.float32)

    def features(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack(prepared)


def five() -> list[Image]:
    """The third is one that the strict scorer does not take."""
    return [flat(value, TALL if value == 30 else (8, 8)) for value in (10, 20, 30, 40, 50)]


def test_a_refused_image_lacks_that_networks_value_alone() -> None:
    strict, easy = Scorer("s", 50), Scorer("e")
    found, state = image_features({"strict": strict, "easy": easy}, five(), TEXTS)
    assert found["easy"][:, 0].tolist() == [11, 22, 33, 44, 55]
    assert found["strict"][[0, 1, 3, 4], 0].tolist() == [11, 22, 44, 55]
    assert np.isnan(found["strict"][2, 0])
    assert not state.failures
    assert state.positions == [0, 1, 2, 3, 4]
    assert state.refused == {"strict": {2: "60 pixels are too tall."}}
    assert state.without("strict") == {2: "60 pixels are too tall."}
    assert state.without("easy") == {}
    assert (strict.batches, easy.batches) == ([4], [5])  # a batch lacks only what that network refused


def test_broken_images_fail_everywhere_and_refused_by_all_in_each() -> None:
    images = [flat(10, (8, 8)), Image(b"none", name="broken"), flat(30, TALL)]
    found, state = image_features({"a": Scorer("a", 50), "b": Scorer("b", 50)}, images, TEXTS[:3], block=1)
    assert list(state.failures) == [1]
    assert state.positions == [0, 2]
    assert {key: list(state.without(key)) for key in "ab"} == {"a": [1, 2], "b": [1, 2]}
    assert all(np.isnan(rows[1:]).all() for rows in found.values())


def test_networks_that_see_an_image_alike_refuse_it_alike() -> None:
    class Sharing(Scorer):
        seen_as = "the same"
        asked = 0

        def prepare(self, image: pil.Image) -> float:
            Sharing.asked += 1
            return super().prepare(image)

    _, state = image_features({"a": Sharing("a", 50), "b": Sharing("b", 50)}, [flat(9, TALL)], ["x"])
    assert list(state.refused) == ["a", "b"]
    assert Sharing.asked == 1


def test_what_is_kept_on_disk_is_reused_beside_a_refusal(tmp_path: Path) -> None:
    def measured() -> tuple[dict[str, np.ndarray], Decoded, Scorer, Scorer]:
        strict, easy = Scorer("s", 50), Scorer("e")
        with keeping(FeatureFolder(tmp_path, writable=True)):
            found, state = image_features({"strict": strict, "easy": easy}, five(), TEXTS)
        return found, state, strict, easy

    first, told, *_ = measured()
    second, again, strict, easy = measured()
    assert easy.batches == []  # all five are kept
    assert strict.batches == [4]  # its block is computed whole again, as one with a broken image is
    for key, rows in first.items():
        np.testing.assert_array_equal(rows, second[key])
    assert told == again


def test_rows_that_an_earlier_version_kept_are_read(tmp_path: Path) -> None:
    """Earlier versions kept no network's row of an image that any of them refused."""
    images = five()
    whole = [image for i, image in enumerate(images) if i != 2]
    texts = [text for i, text in enumerate(TEXTS) if i != 2]
    with keeping(FeatureFolder(tmp_path, writable=True)):
        image_features({"strict": Scorer("s", 50), "easy": Scorer("e")}, whole, texts)
    easy = Scorer("e")
    with keeping(FeatureFolder(tmp_path, writable=True)):
        image_features({"easy": easy}, whole, texts)
        assert easy.batches == []
        found, _ = image_features({"easy": easy}, images, TEXTS)
    assert easy.batches == [5]
    assert found["easy"][:, 0].tolist() == [11, 22, 33, 44, 55]


def test_a_set_of_one_network_counts_a_refused_image_as_a_failure() -> None:
    images = [*(png(pil.fromarray(np.full((8, 8, 3), i, np.uint8))) for i in range(4)), flat(1, TALL)]
    state = Decoded()
    (rows,) = feature_batches(images, Features(), state)
    assert rows.shape == (4, 2)
    assert (state.positions, list(state.failures)) == ([0, 1, 2, 3], [4])
    with pytest.raises(DataError, match=r"1 of 5 reference images cannot be read.*too tall"):
        statistics_of(images, Features())  # type: ignore[arg-type]


def test_a_worker_hands_over_what_was_refused() -> None:
    networks: Any = {"strict": Scorer("s", 50), "easy": Scorer("e")}
    block = Block(0, tuple(five()), ("strict", "easy"), tuple(TEXTS))
    worker = FeatureNetworks.__new__(FeatureNetworks)
    worker._networks = networks
    answer = worker._answer(prepare_block(block, networks))
    got = rows_of(answer, "", block)
    assert got.refused == rows_of_block(prepare_block(block, networks), networks).refused
    assert (got.taken("strict", 5), got.taken("easy", 5)) == ([0, 1, 3, 4], [0, 1, 2, 3, 4])
    assert BlockRows({}, {}).refused == {}
