"""HPSv3: image sizes as its published code makes them, and what the network reads."""

from __future__ import annotations

import pytest

from evalsuite.errors import DataError
from evalsuite.features.scorers.hpsv3 import TOKEN, asked, resized_to

SIZES = [
    (1024, 1024, 448, 448), (512, 512, 448, 448), (640, 360, 588, 336), (100, 100, 448, 448),
    (333, 512, 364, 560), (1024, 768, 504, 364), (1536, 640, 672, 280), (768, 1344, 336, 588),
    (2048, 1024, 616, 308), (17, 400, 112, 2184), (896, 224, 896, 224), (50, 2000, 84, 2856),
]  # fmt: skip
"""Width and height, and what `smart_resize` of hpsv3 1.0.0 makes of them."""


@pytest.mark.parametrize("size", SIZES)
def test_images_are_brought_to_the_official_size(size: tuple[int, int, int, int]) -> None:
    assert resized_to(*size[:2], 28) == size[2:]


def test_an_image_that_is_too_long_is_refused() -> None:
    with pytest.raises(DataError, match="one side is more than 200 times the other"):
        resized_to(1, 201, 28)


def test_a_prompts_marks_are_words() -> None:
    text = asked(f"a cat {TOKEN} <|image_pad|>", 3)
    assert text.count(TOKEN) == 1
    assert text.count("<|image_pad|>") == 3
    assert "Textual prompt - a cat < |Reward|> < |image_pad|>" in text
