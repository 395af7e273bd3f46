"""Decoding: complete or refused, never half; the message names the file."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as pil
from PIL import ImageFile

from evalsuite.content import Image
from evalsuite.data.images import decode, image_size
from evalsuite.errors import DataError
from tests.data.image_files import encoded, pixels

KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def saved(picture: pil.Image, kind: str, **options: object) -> Image:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return Image(data=out.getvalue(), name=f"picture.{kind.lower()}")


def test_a_png_comes_back_pixel_for_pixel() -> None:
    assert np.array_equal(np.asarray(decode(Image(data=encoded()))), pixels())


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@settings(max_examples=60, deadline=None)
@given(cut=st.floats(min_value=0.0, max_value=0.97))
def test_a_file_cut_off_anywhere_is_refused(kind: str, cut: float) -> None:
    whole = encoded(kind, width=64, height=48)
    with pytest.raises(DataError, match=r"photo\.x"):
        decode(Image(data=whole[: int(len(whole) * cut)], name="photo.x"))


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_file_is_refused_in_every_format(kind: str) -> None:
    whole = encoded(kind, width=64, height=48)
    with pytest.raises(DataError, match=r"damaged or truncated|not an image"):
        decode(Image(data=whole[: len(whole) // 2]))


def test_a_file_whose_decoder_gives_up_with_a_runtime_error_is_refused() -> None:
    data = bytearray(saved(pil.new("RGB", (16, 16)), "DDS").read())
    data[80] = 1  # a kind of pixels that PIL does not know
    with pytest.raises(DataError, match=r"broken\.dds"):
        decode(Image(data=bytes(data), name="broken.dds"))
    with pytest.raises(DataError, match=r"broken\.dds"):
        image_size(Image(data=bytes(data), name="broken.dds"))


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200) | st.binary(max_size=120).map(lambda tail: encoded()[:60] + tail))
def test_garbage_is_refused_with_our_error_or_decoded(data: bytes) -> None:
    message = ""
    try:
        decode(Image(data=data))
    except DataError as error:
        message = str(error)
    assert "\n" not in message


def test_a_truncated_file_is_refused_even_when_a_library_allowed_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole = encoded("JPEG", width=64, height=48)
    with pytest.raises(DataError, match="truncated"):
        decode(Image(data=whole[: len(whole) // 2]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jpg cannot be read"):
        decode(Image(path=tmp_path / "nowhere.jpg"))


def test_an_empty_file_and_a_text_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "page.png").write_text("<html>404</html>")
    with pytest.raises(DataError, match=r"empty\.png is empty"):
        decode(Image(path=tmp_path / "empty.png"))
    with pytest.raises(DataError, match=r"page\.png is not an image"):
        decode(Image(path=tmp_path / "page.png"))


def test_more_pixels_than_allowed_are_refused_before_decoding() -> None:
    with pytest.raises(DataError, match="24×16, more than 383 pixels"):
        decode(Image(data=encoded()), max_pixels=383)
    assert decode(Image(data=encoded()), max_pixels=384).size == (24, 16)


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    small = encoded()
    header = b"IHDR" + struct.pack(">II", 60_000, 60_000) + small[24:29]
    bomb = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    with pytest.raises(DataError, match="'bomb' is too large to be decoded safely"):
        decode(Image(data=bomb, name="bomb"))


def test_other_modes_become_rgb_as_pil_converts_them() -> None:
    grey = pil.fromarray(pixels()[..., 0])
    colour = pil.fromarray(pixels())
    alpha = pil.fromarray(np.dstack([pixels(), pixels(seed=1)[..., 0]]))
    palette = colour.quantize(16)
    for picture, kind in ((grey, "PNG"), (alpha, "PNG"), (palette, "PNG"), (colour.convert("CMYK"), "TIFF")):
        made = decode(saved(picture, kind))
        assert made.mode == "RGB"
        assert np.array_equal(np.asarray(made), np.asarray(picture.convert("RGB")))
    assert np.array_equal(np.asarray(decode(saved(alpha, "PNG"))), pixels()), "alpha is dropped, not blended"


def test_orientation_is_left_alone_unless_asked_for() -> None:
    exif = pil.Exif()
    exif[0x0112] = 6
    photo = saved(pil.fromarray(pixels(24, 16)), "JPEG", exif=exif, quality=95)
    assert decode(photo).size == (24, 16)
    assert decode(photo, apply_orientation=True).size == (16, 24)
