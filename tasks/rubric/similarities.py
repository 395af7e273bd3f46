"""Similarity of a graded image to the image that the model was given, and to the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.task import Answered, generated_images
from evalsuite.task.networks import Columns, cosines, image_features, text_features

from .settings import Similarity


def similarities(
    answered: Sequence[Answered], columns: Columns, how: Mapping[str, Similarity]
) -> list[dict[str, float]]:
    """For each answer, column -> cosine in [-1, 1]; nothing where the answer is not one image, or where one
    of the compared images is broken or refused by the column's network.

    A network sees each image once, also a source that many samples share.

    Args:
        how: the columns to compute; their networks are among those of `columns`.
    """
    pairs = [(_generated(one), next(iter(one.sample.record.sources), None)) for one in answered]
    images = list({id(image): image for pair in pairs for image in pair if image is not None}.values())
    places = {id(image): place for place, image in enumerate(images)}
    keys = sorted({one.network for one in how.values()})
    found, state = image_features({key: columns.network(key) for key in keys}, images)
    values: list[dict[str, float]] = [{} for _ in answered]
    for name, one in how.items():
        without = state.without(one.network)
        whole = {id(image) for place, image in enumerate(images) if place not in without}
        kept = [
            i
            for i, (made, source) in enumerate(pairs)
            if id(made) in whole and (one.to == "text" or id(source) in whole)
        ]
        if not kept:
            continue
        features = found[one.network]
        if one.to == "source":
            others = features[[places[id(pairs[i][1])] for i in kept]]
        else:
            texts = [answered[i].sample.record.instruction for i in kept]
            others = text_features(columns.text_network(one.network), texts)
        mine = features[[places[id(pairs[i][0])] for i in kept]]
        for i, cosine in zip(kept, cosines(mine, others), strict=True):
            values[i][name] = float(cosine)
    return values


def _generated(one: Answered) -> Image | None:
    try:
        (image,) = generated_images(one.response, 1)
    except SampleError:
        return None
    return image
