"""Named preprocessing: to the pixel what the named code does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil

from evalsuite.errors import CheckpointError
from evalsuite.features.preprocess import (
    CLIP_MEAN,
    CLIP_STD,
    Geometry,
    cmmd,
    openai,
    read_geometry,
    tensor_bicubic,
)
from tests.features.networks import pictures

PLAIN = Geometry(16, 16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_openai_is_transformers_clip_processor_where_margins_are_even() -> None:
    processor = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    geometry = Geometry(16, 16, CLIP_MEAN, CLIP_STD)
    for size in ((40, 24), (24, 36), (64, 32), (16, 16), (8, 10)):
        image = pictures(1)[0].resize(size)
        width, height = size
        short = min(size)
        assert (int(16 * max(size) / short) - 16) % 2 == 0, "an odd margin is another test"
        expected = processor([image], return_tensors="np")["pixel_values"][0]
        np.testing.assert_allclose(openai(image, geometry), expected, atol=1e-6, err_msg=f"{width}x{height}")


@pytest.mark.parametrize(("width", "left"), [(17, 0), (19, 2), (21, 2), (23, 4)])
def test_odd_margins_are_rounded_to_even_as_torchvision_does(width: int, left: int) -> None:
    # torchvision.transforms.functional.center_crop: int(round((width - 16) / 2.0)); transformers rounds down.
    image = pictures(1)[0].resize((width, 16))
    expected = np.asarray(image, dtype=np.float32)[:, left : left + 16].transpose(2, 0, 1) / 255
    np.testing.assert_allclose(openai(image, PLAIN), expected, atol=1e-7)


def test_tensor_bicubic_is_instructpix2pix() -> None:
    for image in pictures():
        pixels = torch.from_numpy(np.array(image) / 255).float().permute(2, 0, 1)[None]
        expected = torch.nn.functional.interpolate(pixels, size=16, mode="bicubic", align_corners=False)
        if image.size[0] == image.size[1]:
            np.testing.assert_allclose(tensor_bicubic(image, PLAIN), expected[0].numpy(), atol=1e-6)
        assert tensor_bicubic(image, PLAIN).shape == (3, 16, 16)


def test_cmmd_crops_the_largest_square_before_it_resizes() -> None:
    # cmmd-pytorch, io_util.py: margins are rounded down.
    image = pictures(1)[0].resize((41, 24))
    expected = np.asarray(image.crop((8, 0, 32, 24)).resize((16, 16), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(cmmd(image, PLAIN), expected.transpose(2, 0, 1) / 255, atol=1e-6)
    assert np.abs(cmmd(image, PLAIN) - openai(image, PLAIN)).max() > 0.01


def test_the_two_ways_differ_where_images_are_made_smaller() -> None:
    image = pictures(1)[0].resize((48, 48))
    assert np.abs(openai(image, PLAIN) - tensor_bicubic(image, PLAIN)).max() > 0.05


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "1"])
def test_every_mode_of_image_is_taken(mode: str) -> None:
    image = pictures(1)[0].convert(mode)
    for transform in (openai, tensor_bicubic):
        np.testing.assert_array_equal(transform(image, PLAIN), transform(image.convert("RGB"), PLAIN))


def test_an_image_of_one_pixel_is_taken() -> None:
    image = Image.new("RGB", (1, 1), (255, 0, 51))
    for transform in (openai, tensor_bicubic):
        np.testing.assert_allclose(transform(image, PLAIN)[:, 5, 7], [1, 0, 0.2], atol=1e-6)


def geometry_of(folder: Path, **config: object) -> Geometry:
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return read_geometry(folder, Geometry(224, 224, CLIP_MEAN, CLIP_STD))


def test_sizes_come_from_the_checkpoint(tmp_path: Path) -> None:
    assert read_geometry(tmp_path, PLAIN) == PLAIN
    assert geometry_of(tmp_path, size=224, crop_size=224) == Geometry(224, 224, CLIP_MEAN, CLIP_STD)
    found = geometry_of(tmp_path, size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224})
    assert (found.resize, found.size) == (256, 224)
    square = geometry_of(
        tmp_path,
        size={"height": 64, "width": 64},
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    assert square == Geometry(64, None, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_a_malformed_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a square"):
        geometry_of(tmp_path, size={"height": 64, "width": 32}, do_center_crop=False)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be used"):
        read_geometry(tmp_path, PLAIN)
