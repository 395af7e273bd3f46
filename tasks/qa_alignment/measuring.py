"""Distances between the images of a prompt, by a feature network here instead of from a file."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.task.images_as import as_jpeg
from evalsuite.task.networks import Columns, image_features

from .answers import Values

NETWORK = "distance"
"""Key of the network, in the option `weights` too."""


def distances(columns: Columns, prompts: Sequence[Sequence[Image]], *, jpeg: bool) -> list[Values | str]:
    """Of each prompt, image by image, the mean distance (1 - cosine) to the prompt's other images: their mean
    is that over all pairs. Where there is none, why.

    Args:
        prompts: the images of each; none for a prompt that is not measured.
        jpeg: images are encoded as JPEG first (PIL's default quality).
    """
    import numpy as np

    images = [as_jpeg(image) if jpeg else image for shown in prompts for image in shown]
    found, state = image_features({NETWORK: columns.network(NETWORK)}, images)
    wide = found[NETWORK].astype(np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    failures = state.without(NETWORK)
    values: list[Values | str] = []
    start = 0
    for shown in prompts:
        its = range(start, start + len(shown))
        start = its.stop
        broken = next((failures[place] for place in its if place in failures), "")
        if broken or len(shown) < 2:
            values.append(broken or "a single image has no other to be compared with")
            continue
        rows = unit[its.start : its.stop]
        apart = 1 - rows @ rows.T
        np.fill_diagonal(apart, 0.0)
        values.append([[float(one)] for one in apart.sum(axis=1) / (len(shown) - 1)])
    return values


def given(measured: Values | str) -> Values:
    """Raises SampleError where there is none."""
    if isinstance(measured, str):
        raise SampleError(measured)
    return measured
