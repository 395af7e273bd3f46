"""Editing distances against the recorded output of MagicBrush, PIE-Bench and InstructPix2Pix."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evalsuite.errors import DataError, SampleError
from evalsuite.metrics.images import (
    cosine,
    decode_mask,
    edit_similarity,
    masked_quality,
    mse,
    pair_turns,
    pixel_distance,
    psnr,
    ssim,
)
from tests.goldens import load_json
from tests.metrics.test_frechet import _generators


def _editing(name: str):
    return load_json("oracles", "editing_cases.json.gz")[name]


def test_magicbrush_distances_agree():
    make = _generators().edit_image
    for generated, target, l1, l2 in _editing("magicbrush_distance")["rows"]:
        distance = pixel_distance(np.asarray(make(*generated)), np.asarray(make(*target)))
        assert distance.l1 == pytest.approx(l1, abs=1e-6)
        assert distance.l2 == pytest.approx(l2, abs=1e-6)


def test_magicbrush_turns_are_paired_as_officially():
    pairs = _editing("magicbrush_pairs")
    every, final = pair_turns(pairs["gen"], pairs["gt"])

    def paths(found):
        return [[f"gen/{p.session}/{p.generated}", f"gt/{p.session}/{p.target}"] for p in found]

    assert paths(every) == pairs["all_turn"]
    assert paths(final) == pairs["final_turn"]


def _blended(row):
    from PIL import Image

    make = _generators().edit_image
    source, edited = make(*row[0]), make(*row[1])
    return np.asarray(source), np.asarray(Image.blend(source, edited, 0.1) if row[2] else edited)


def test_piebench_masks_and_qualities_agree():
    rows = _editing("piebench")["rows"]
    for row in rows:
        mask, expected = decode_mask(row[3]), row[5]
        assert mask.sum() == row[4]
        found = masked_quality(*_blended(row), mask)
        regions = {"": found.whole, "_unedit_part": found.unedited, "_edit_part": found.edited}
        for suffix, region in regions.items():
            for name in ("psnr", "mse", "ssim"):
                official = float(expected[name + suffix])
                if math.isnan(official):
                    assert region is None
                elif math.isinf(official):
                    assert math.isinf(region.psnr)
                else:
                    ours = getattr(region, name)
                    assert ours == pytest.approx(official, rel=1e-6, abs=1e-6), (row[0], name)


def test_instructpix2pix_similarities_agree():
    for seed, expected in _editing("ip2p")["rows"]:
        source = np.random.RandomState(seed)
        features = [source.standard_normal((3, 16)).astype(np.float32) for _ in range(4)]
        if seed == 0:
            features[1] = features[0]
        if seed == 1:
            features[3] = features[2]
        for index in range(3):
            found = edit_similarity(*(feature[index] for feature in features))
            values = [found.before, found.after, found.direction, found.image]
            assert values == pytest.approx([column[index] for column in expected], abs=1e-6)


def test_equal_images_have_no_distance():
    image = np.random.RandomState(0).randint(0, 256, (12, 9, 3)).astype(np.uint8)
    assert psnr(image, image) == math.inf
    assert (mse(image, image), ssim(image, image)) == (0, pytest.approx(1))
    assert pixel_distance(image, image).l1 == 0


def test_a_zero_vector_has_no_direction():
    assert cosine(np.zeros(4), np.ones(4)) == 0


def test_sessions_without_a_turn_are_refused_by_name():
    with pytest.raises(DataError, match="'7'"):
        pair_turns({"7": ["7_1.png", "7_iter_2.png"]}, {"7": ["7-output1.png", "7-output2.png"]})
    with pytest.raises(DataError, match="one side"):
        pair_turns({"7": ["7_1.png"]}, {})


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(SampleError):
        mse(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(SampleError, match="mask"):
        mse(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), np.zeros((4, 4)))
    with pytest.raises(DataError):
        decode_mask([1, 2, 3])
