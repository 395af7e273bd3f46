"""Is an answer what was asked for?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalsuite.errors import AdapterError, SampleError, UnavailableError
from evalsuite.model import Prepared
from evalsuite.request import (
    ChoiceResponse,
    DocumentResponse,
    GenerateImages,
    ImageResponse,
    Response,
    ScoreChoices,
    TextResponse,
)

_KINDS: dict[str, type] = {
    "generate_text": TextResponse,
    "score_choices": ChoiceResponse,
    "generate_images": ImageResponse,
    "generate_documents": DocumentResponse,
}


Answer = Response | SampleError | UnavailableError
"""What a device step gives for one request: its response, why this one alone has none, or why none can be had
any more."""


def check_contract(model: str, method: str, batch: Sequence[Prepared], responses: object) -> list[Answer]:
    """The responses as a list. Raises AdapterError, naming the adapter, unless each is what was asked for.

    A log-likelihood that is NaN ranks nothing: its request has no response, but a SampleError.
    """
    where = f"Model {model!r}: {method}"
    remedy = "This is a bug of the adapter, not of the data."
    if not isinstance(responses, Sequence):
        raise AdapterError(
            f"{where} returned {type(responses).__name__}, not a sequence of responses.", remedy
        )
    if len(responses) != len(batch):
        raise AdapterError(f"{where} returned {len(responses)} responses for {len(batch)} requests.", remedy)
    answers: list[Answer] = list(responses)
    for i, (prepared, response) in enumerate(zip(batch, responses, strict=True)):
        if isinstance(response, SampleError | UnavailableError):
            continue
        if not isinstance(response, _KINDS[method]):
            raise AdapterError(
                f"{where} returned a {type(response).__name__} instead of a {_KINDS[method].__name__}.",
                remedy,
            )
        output = prepared.request.output
        if isinstance(response, TextResponse) and not isinstance(response.text, str):
            raise AdapterError(f"{where} returned a text that is a {type(response.text).__name__}.", remedy)
        if isinstance(response, ChoiceResponse) and isinstance(output, ScoreChoices):
            scored, wanted = len(response.log_likelihoods), len(output.choices)
            if scored != wanted:
                raise AdapterError(f"{where} scored {scored} of {wanted} choices.", remedy)
            if any(math.isnan(value) for value in response.log_likelihoods):
                answers[i] = SampleError(
                    f"{where} gave a log-likelihood that is not a number.",
                    "Half precision may overflow: try --dtype float32.",
                )
        if isinstance(response, ImageResponse) and isinstance(output, GenerateImages):
            drawn = len(response.images)
            if drawn != output.count:
                raise AdapterError(
                    f"{where} drew {drawn} images where {output.count} were asked for.", remedy
                )
    return answers
