"""Adapters that run in an interpreter of their own: any adapter file, and those for research repositories."""

from __future__ import annotations

from collections.abc import Iterator

from evalsuite.model import Model, ModelEntry, ModelOptions

from .. import declared


def models() -> Iterator[ModelEntry]:
    """The adapter for any file."""
    yield ModelEntry(
        "isolated",
        "an adapter file in its own environment: isolated:ADAPTER.py --option python=ENV/bin/python",
        frozenset({"text", "choices", "image", "edit", "interleaved"}),
        _build,
        takes_argument=True,
        group="any checkpoint",
        options=declared.ISOLATED,
        more_options=declared.PASSED,
    )


def _build(options: ModelOptions) -> Model:
    from evalsuite.model.isolated import IsolatedModel

    return IsolatedModel(options)
