"""Data as scripts: pages opened from disk may not fetch files, but may load scripts that hand data over."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

_TAGS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def plain(value: Any) -> Any:
    """The value as standard JSON holds it: NaN and infinities, which it lacks, become their names."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def to_json(value: Any) -> str:
    """ASCII JSON without `<`, `>` and `&`: no text in it can end a script or a line, whatever it holds.

    Lone surrogates and U+2028 are written as escapes, which JSON and JavaScript both read back.

    >>> to_json("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_TAGS)


def script(name: str, text: str) -> bytes:
    """A script that registers JSON under a name.

    The JSON stands in a string and is read by `JSON.parse`, so that none of it is ever code: not even a key
    `__proto__`, which means something in an object literal.
    """
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"Evalsuite.register('{name}','{quoted}');\n".encode("ascii")


def pack(values: Sequence[Any]) -> dict[str, Any]:
    """A column for the index: its distinct values, and for each row a one- or two-byte place among them.

    More than 65,535 distinct values, which only numbers reach, are 32-bit floats; None is NaN there.
    """
    import numpy

    places: dict[Any, int] = {}
    codes = numpy.fromiter(
        (places.setdefault(value, len(places)) for value in values), numpy.uint32, len(values)
    )
    if len(places) > 0xFFFF:
        floats = numpy.array([math.nan if value is None else value for value in values], "<f4")
        return {"f": _base64(floats.tobytes())}
    width = 1 if len(places) <= 0x100 else 2
    return {"u": plain(list(places)), "b": width, "d": _base64(codes.astype(f"<u{width}").tobytes())}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
