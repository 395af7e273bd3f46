"""Samples whose images travel as bytes, for a worker on a machine that does not see the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from evalsuite.content import Image
from evalsuite.engine.leases import Lease
from evalsuite.errors import DataError


def with_bytes(lease: Lease) -> Lease:
    """The lease with every image of its samples read; one that cannot be read stays a path, and fails
    there."""
    return replace(lease, samples=tuple(replace(s, record=inlined(s.record)) for s in lease.samples))


def inlined(value: Any) -> Any:
    """A value made of dataclasses and containers, with the bytes of its images in place of their paths.

    >>> inlined({"a": (Image(data=b"x", name="i"), 1)})
    {'a': (Image(path=None, name='i', file_slice=None, problem=''), 1)}
    """
    if isinstance(value, Image):
        if value.data is not None:
            return value
        try:
            return Image(data=value.read(), name=value.label)
        except DataError:
            return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(inlined(item) for item in value))
    if isinstance(value, tuple):
        return tuple(inlined(item) for item in value)
    if isinstance(value, list):
        return [inlined(item) for item in value]
    if isinstance(value, Mapping):
        return type(value)({key: inlined(item) for key, item in value.items()})  # type: ignore[call-arg]
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            field.name: new
            for field in fields(value)
            if field.init and (new := inlined(old := getattr(value, field.name))) is not old
        }
        return replace(value, **changed) if changed else value
    return value
