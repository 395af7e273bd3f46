"""Digests that show that two runs made the same requests about the same samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.request import fingerprint
from evalsuite.task import Sample

Digest = Callable[[Image], str]


def remembering() -> Digest:
    """A digest function that reads each image object once; for the images of one sample."""
    known: dict[int, tuple[Image, str]] = {}

    def digest(image: Image) -> str:
        if id(image) not in known:
            known[id(image)] = (image, image.sha256())
        return known[id(image)][1]

    return digest


def sample_hash(sample: Sample, digest: Digest = Image.sha256) -> str:
    """sha256 over id, cluster, labels and record; images by the digest of their bytes, wherever they lie.

    Raises DataError when an image of the sample cannot be read, SampleError for a record that has no
    canonical form.
    """
    return fingerprint(
        [sample.id, sample.cluster, describe(sample.labels, digest), describe(sample.record, digest)]
    )


def _as_before(field: Field[Any], value: Any) -> bool:
    """Whether a field says nothing that a record said before it had the field; see `request.ADDED`."""
    if not field.metadata.get("added"):
        return False
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return bool(value == default)


def describe(value: Any, digest: Digest = Image.sha256) -> Any:
    """A canonical JSON-able form of a value made of dataclasses, containers, images, arrays and plain values.

    >>> describe({"b": (1, 2), "a": {"y", "x"}})
    {'b': [1, 2], 'a': ['x', 'y']}
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Image):
        return {"image": digest(value)}
    if isinstance(value, Mapping):
        return {str(key): describe(item, digest) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item, digest) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: describe(getattr(value, field.name), digest)
            for field in fields(value)
            if not _as_before(field, getattr(value, field.name))
        }
    if isinstance(value, set | frozenset):
        return sorted((describe(item, digest) for item in value), key=repr)
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, PurePath):
        return value.name  # where the data folder lies must not matter
    if isinstance(value, Enum):
        return describe(value.value, digest)
    if hasattr(value, "model_dump"):
        return describe(value.model_dump(), digest)
    if hasattr(value, "tobytes") and hasattr(value, "shape"):
        return {"array": hashlib.sha256(value.tobytes()).hexdigest(), "shape": list(value.shape)}
    raise SampleError(
        f"A sample's record holds a {type(value).__name__}, which has no canonical form.",
        "Records are made of dataclasses, containers, images, arrays and plain values.",
    )
