"""What is sent to a server is what a local adapter shows; photographs upright only where that is asked."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.endpoint.pixels import encoded
from evalsuite.errors import DataError

RNG = numpy.random.default_rng(0)
RGB = pil.fromarray(RNG.integers(0, 256, (24, 32, 3), dtype=numpy.uint8))
OTHER = RGB.rotate(180)


def saved(image: pil.Image, form: str, **more: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **more)
    return stream.getvalue()


def turned() -> pil.Exif:
    exif = pil.Exif()
    exif[0x0112] = 6
    return exif


def with_alpha(mode: str = "RGBA") -> pil.Image:
    image = RGB.convert(mode)
    image.putalpha(pil.linear_gradient("L").resize(RGB.size))
    return image


SAME: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: saved(RGB, "JPEG"),
    "progressive JPEG": lambda: saved(RGB, "JPEG", progressive=True),
    "grey JPEG": lambda: saved(RGB.convert("L"), "JPEG"),
    "PNG": lambda: saved(RGB, "PNG"),
    "grey PNG": lambda: saved(RGB.convert("L"), "PNG"),
    "opaque PNG": lambda: saved(RGB.convert("RGBA"), "PNG"),
    "WebP": lambda: saved(RGB, "WEBP"),
}
CHANGED: dict[str, Callable[[], bytes]] = {
    "RGBA": lambda: saved(with_alpha(), "PNG"),
    "grey with alpha": lambda: saved(with_alpha("LA"), "PNG"),
    "16-bit grey": lambda: saved(pil.fromarray(RNG.integers(0, 65536, (24, 32), dtype=numpy.uint16)), "PNG"),
    "palette": lambda: saved(RGB.quantize(16), "PNG"),
    "transparent palette": lambda: saved(RGB.quantize(16), "PNG", transparency=0),
    "transparent colour": lambda: saved(RGB, "PNG", transparency=RGB.getpixel((0, 0))),
    "bilevel": lambda: saved(RGB.convert("1"), "PNG"),
    "CMYK": lambda: saved(RGB.convert("CMYK"), "JPEG"),
    "EXIF in a JPEG": lambda: saved(RGB, "JPEG", exif=turned()),
    "EXIF in a PNG": lambda: saved(RGB, "PNG", exif=turned()),
    "EXIF in a WebP": lambda: saved(RGB, "WEBP", exif=turned()),
    "GIF": lambda: saved(RGB, "GIF"),
    "animated GIF": lambda: saved(RGB, "GIF", save_all=True, append_images=[OTHER]),
    "animated PNG": lambda: saved(RGB, "PNG", save_all=True, append_images=[OTHER]),
    "animated WebP": lambda: saved(RGB, "WEBP", save_all=True, append_images=[OTHER]),
    "RGBA WebP": lambda: saved(with_alpha(), "WEBP"),
    "BMP": lambda: saved(RGB, "BMP"),
    "TIFF": lambda: saved(RGB, "TIFF"),
    "16-bit TIFF": lambda: saved(pil.fromarray(RNG.integers(0, 65536, (9, 9), dtype=numpy.uint16)), "TIFF"),
}


def upright(data: bytes) -> numpy.ndarray[Any, Any]:
    """The pixels as a server with PIL sees them, that turns by EXIF and puts alpha on white."""
    from PIL import ImageOps

    with pil.open(io.BytesIO(data)) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            image = pil.alpha_composite(pil.new("RGBA", image.size, "white"), image)
        return numpy.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", SAME)
def test_bytes_in_which_every_reader_sees_the_same_are_sent_as_they_are(name: str) -> None:
    data = SAME[name]()
    sent = encoded(Image(data))
    assert (sent.data, sent.change) == (data, "")
    assert numpy.array_equal(upright(data), numpy.asarray(decode(Image(data))))


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.parametrize("form", ["auto", "png", "webp"])
def test_others_are_sent_as_a_local_adapter_sees_them_and_it_is_told(name: str, form: Any) -> None:
    data = CHANGED[name]()
    sent = encoded(Image(data), form)
    assert sent.kind == ("image/webp" if form == "webp" else "image/png")
    assert numpy.array_equal(upright(sent.data), numpy.asarray(decode(Image(data))))
    assert " of " in sent.change


@pytest.mark.parametrize("form", ["auto", "png", "webp"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_upright_turns_a_photograph_as_its_exif_says_and_no_server_turns_it_again(
    kind: str, turn: int, form: Any
) -> None:
    exif = pil.Exif()
    exif[0x0112] = turn
    data = saved(RGB, kind, exif=exif)
    sent = encoded(Image(data), form, "upright")
    wanted = upright(data)
    assert numpy.array_equal(upright(sent.data), wanted)
    with pil.open(io.BytesIO(sent.data)) as opened:
        assert numpy.array_equal(numpy.asarray(opened.convert("RGB")), wanted)
    if turn > 1:
        assert "rotated by EXIF" in sent.change
        assert sent.data != data
    elif form == "auto":
        assert sent.data == data


def test_lossy_and_original_are_there_for_who_asks() -> None:
    data = CHANGED["RGBA"]()
    assert encoded(Image(data), "original").data == data
    sent = encoded(Image(data), "jpeg")
    assert (sent.kind, sent.change) == ("image/jpeg", "JPEG of RGBA PNG")
    assert encoded(Image(CHANGED["TIFF"]()), "original").kind == "image/png", "no server reads TIFF"


def test_a_truncated_image_is_refused_as_local_adapters_refuse_it() -> None:
    with pytest.raises(DataError, match="damaged or truncated"):
        encoded(Image(SAME["JPEG"]()[:-200]))
