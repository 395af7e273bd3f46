"""Editing distances: properties and refusals; compared with the official code's output in tests/golden."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evalsuite.errors import DataError, SampleError
from evalsuite.metrics.images import (
    cosine,
    decode_mask,
    mse,
    pair_turns,
    pixel_distance,
    psnr,
    ssim,
)


def test_equal_images_have_no_distance() -> None:
    image = np.random.RandomState(0).randint(0, 256, (12, 9, 3)).astype(np.uint8)
    assert psnr(image, image) == math.inf
    assert mse(image, image) == 0
    assert ssim(image, image) == pytest.approx(1)
    assert pixel_distance(image, image).l1 == 0


def test_a_zero_vector_has_no_direction() -> None:
    assert cosine(np.zeros(4), np.ones(4)) == 0


def test_sessions_without_a_turn_are_refused_by_name() -> None:
    with pytest.raises(DataError, match="'7'"):
        pair_turns({"7": ["7_1.png", "7_iter_2.png"]}, {"7": ["7-output1.png", "7-output2.png"]})
    with pytest.raises(DataError, match="one side"):
        pair_turns({"7": ["7_1.png"]}, {})


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SampleError):
        mse(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(SampleError, match="mask"):
        mse(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), np.zeros((4, 4)))
    with pytest.raises(DataError):
        decode_mask([1, 2, 3])
