"""Structure distance against the definition written out in torch, and its bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evalsuite.errors import SampleError
from evalsuite.metrics.structure import self_similarity, structure_distance


def official(first: np.ndarray, second: np.ndarray) -> float:
    """Cosines of all pairs of tokens, mean squared difference, as PIE-Bench's program computes it."""

    def cosines(keys: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(keys)
        return torch.nn.functional.cosine_similarity(x[:, None], x[None], dim=-1)

    return float(torch.nn.functional.mse_loss(cosines(first), cosines(second)))


def test_the_distance_is_the_mean_square_of_the_change_of_all_cosines() -> None:
    random = np.random.default_rng(0)
    for tokens, dim in ((5, 8), (17, 3)):
        a, b = random.normal(size=(2, tokens, dim)).astype(np.float32)
        assert structure_distance(a, b) == pytest.approx(official(a, b), abs=1e-7)
        assert structure_distance(a, a) == 0


def test_appearance_does_not_count_only_layout_does() -> None:
    keys = np.random.default_rng(1).normal(size=(9, 4))
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
    assert structure_distance(keys, 3 * keys @ rotation) == pytest.approx(0, abs=1e-15)
    assert structure_distance(keys, keys[::-1]) > 0.01


def test_a_key_of_length_zero_is_like_nothing() -> None:
    similarity = self_similarity([[0.0, 0.0], [1.0, 0.0]])
    assert similarity.tolist() == [[0, 0], [0, 1]]


def test_keys_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(SampleError, match="2 and 3 patches"):
        structure_distance(np.ones((2, 4)), np.ones((3, 4)))
    with pytest.raises(SampleError, match="tokens, dim"):
        self_similarity(np.ones(4))
