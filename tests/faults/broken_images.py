"""Image files that are broken, odd or hostile, made here: name -> bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image as pil

from tests.data.image_files import encoded, pixels

KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "TGA", "ICO")
_SUFFIX = {"JPEG": "jpg", "JPEG2000": "jp2"}


def broken() -> dict[str, bytes]:
    """About 150 files that cannot be decoded, or only to less than they say."""
    found = {}
    for kind in KINDS:
        data = _encoded(kind)
        suffix = _SUFFIX.get(kind, kind.lower())
        for name, harm in _HARMS.items():
            found[f"{name}.{suffix}"] = harm(data)
    found.update(_foreign())
    found.update(_bombs())
    return found


def odd() -> dict[str, bytes]:
    """Files that are unusual and whole: what a model is shown of them is in docs/reliability.md."""
    found: dict[str, bytes] = {}
    picture = pil.fromarray(pixels(24, 16))
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16", "CMYK", "YCbCr", "F", "I"):
        kind = {"CMYK": "JPEG", "YCbCr": "JPEG", "F": "TIFF", "I": "TIFF", "I;16": "PNG"}.get(mode, "PNG")
        stream = io.BytesIO()
        grey = picture.convert("L")
        made = picture.convert("L").convert("I").convert("I;16") if mode == "I;16" else None
        (made or (grey if mode in ("F", "I") else picture).convert(mode)).save(stream, kind)
        found[f"mode-{mode.replace(';', '')}.{_SUFFIX.get(kind, kind.lower())}"] = stream.getvalue()
    frames = [pil.fromarray(pixels(24, 16, seed)) for seed in range(3)]
    for kind in ("GIF", "WEBP", "TIFF", "PNG"):
        stream = io.BytesIO()
        frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
        found[f"animated.{kind.lower()}"] = stream.getvalue()
    found["wrong-suffix.jpg"] = encoded("PNG")
    found["no-suffix"] = encoded("PNG")
    found["tail.png"] = encoded("PNG") + b"GIF89a and more" * 100
    found["tail.jpg"] = encoded("JPEG") + b"<script>alert(1)</script>"
    found["one-pixel.png"] = encoded("PNG", width=1, height=1)
    found["a-line.png"] = encoded("PNG", width=5000, height=1)
    exif = pil.Exif()
    exif[0x0112] = 6
    found["turned.jpg"] = encoded("JPEG", exif=exif.tobytes())
    return found


def _encoded(kind: str) -> bytes:
    if kind == "ICO":
        return encoded(kind, width=32, height=32)
    return encoded(kind)


_HARMS: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "quarter": lambda data: data[: len(data) // 4],
    "head": lambda data: data[:12],
    "byte": lambda data: data[:1],
    "zeros": lambda data: data[: len(data) // 3] + bytes(len(data) - len(data) // 3),
    "ones": lambda data: data[:20] + b"\xff" * (len(data) - 20),
    "size": lambda data: _enlarged(data),
    "reversed": lambda data: data[::-1],
    "as-text": lambda data: data.decode("latin-1").encode("utf-8"),
    "crlf": lambda data: data.replace(b"\n", b"\r\n")[: len(data) // 2],
}


def _enlarged(data: bytes) -> bytes:
    """Width and height of 24 and 16 (or 32) replaced by huge ones wherever they stand."""
    for number, width in ((24, 4), (16, 4), (32, 4), (24, 2), (16, 2)):
        for order in (">", "<"):
            form = f"{order}{'I' if width == 4 else 'H'}"
            data = data.replace(struct.pack(form, number), struct.pack(form, 60_000 if width == 2 else 2**30))
    return data[: max(len(data) // 2, 40)]


def _foreign() -> dict[str, bytes]:
    return {
        "empty.png": b"",
        "space.png": b" " * 100,
        "page.jpg": b"<!DOCTYPE html><html><body>404</body></html>",
        "pointer.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n",
        "json.png": b'{"error": "not found"}',
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
        "epsf.jpg": b"\xc5\xd0\xd3\xc6"
        + struct.pack("<7I", 30, 100, 0, 0, 0, 0, 0)
        + b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "vector.png": b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        "document.jpg": b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n",
        "archive.png": b"PK\x03\x04" + bytes(40),
        "packed.png": zlib.compress(encoded("PNG")),
        "pickle.png": b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.",
        "array.png": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
        "metafile.png": b"\xd7\xcd\xc6\x9a" + bytes(60),
        "fits.png": b"SIMPLE  =                    T" + bytes(2850),
        "grib.png": b"GRIB" + bytes(40),
        "hdf5.png": b"\x89HDF\r\n\x1a\n" + bytes(40),
        "psd.png": b"8BPS\x00\x01" + bytes(60),
        "dds.png": b"DDS " + struct.pack("<I", 124) + bytes(200),
        "flic.png": b"\x00\x00\x00\x00\x11\xaf" + bytes(140),
        "xbm.png": b"#define a_width 8\n#define a_height 8\nstatic char a_bits[] = {0x00};\n",
        "xpm.png": b'/* XPM */\nstatic char *a[] = {"1 1 1 1", "a c #000000", "a"};\n',
        "font.png": b"\x01fcp" + bytes(40),
        "mpeg.png": b"\x00\x00\x01\xb3" + bytes(40),
        "eight-bytes.png": b"\x89PNG\r\n\x1a\n",
    }


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, data: bytes, depth: int = 8, colour: int = 2, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + more + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    )


def _bombs() -> dict[str, bytes]:
    line = zlib.compress(bytes(1000), 9)
    return {
        "huge.png": _png(100_000, 100_000, line),
        "wide.png": _png(2**31 - 1, 1, line),
        "too-wide.png": _png(2**32 - 1, 2**32 - 1, line),
        "nothing.png": _png(0, 0, line),
        "flat.png": _png(10, 0, line),
        "short.png": _png(64, 64, line),
        "garbage.png": _png(8, 8, b"no zlib at all"),
        "text-bomb.png": _png(
            8, 8, line, more=_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000), 9))
        ),
        "profile-bomb.png": _png(
            8, 8, line, more=_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(80_000_000), 9))
        ),
        "depth.png": _png(8, 8, line, depth=7),
        "colour.png": _png(8, 8, line, colour=5),
        "no-palette.png": _png(8, 8, line, colour=3),
        "huge.gif": b"GIF89a"
        + struct.pack("<HH", 65535, 65535)
        + b"\x00\x00\x00,"
        + struct.pack("<HHHH", 0, 0, 65535, 65535)
        + b"\x00\x02\x01\x00;",
        "huge.bmp": b"BM"
        + struct.pack("<IHHI", 100, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
        "negative.bmp": b"BM"
        + struct.pack("<IHHI", 100, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, -8, -8, 1, 24, 0, 0, 0, 0, 0, 0)
        + bytes(40),
        "huge.ppm": b"P6 99999 99999 255\n" + bytes(100),
        "digits.ppm": b"P6 " + b"9" * 5000 + b" 1 255\n",
        "zero.ppm": b"P6 0 0 255\n",
    }


def noise(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Whole files of every format with some bytes changed at random."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        data = bytearray(_encoded(kind))
        for _ in range(int(rng.integers(1, 30))):
            data[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
        yield f"noise-{number}.{_SUFFIX.get(kind, kind.lower())}", bytes(data)
