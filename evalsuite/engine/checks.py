"""Is an answer what was asked for?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalsuite.content import Image, RawImage
from evalsuite.errors import AdapterError, DataError, SampleError, UnavailableError
from evalsuite.model import Prepared
from evalsuite.request import (
    ChoiceResponse,
    DocumentResponse,
    GenerateImages,
    ImageResponse,
    Response,
    ScoreChoices,
    TextResponse,
    require_length,
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
        if isinstance(response, TextResponse) and isinstance(response.text, str):
            answers[i] = _of_length(response)
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
            generated = len(response.images)
            if generated != output.count:
                raise AdapterError(
                    f"{where} generated {generated} images where {output.count} were requested.", remedy
                )
        if isinstance(response, ImageResponse | DocumentResponse):
            answers[i] = _readable(response)
    return answers


def _of_length(response: TextResponse) -> Answer:
    try:
        require_length(response.text, "The answer")
    except SampleError as error:
        return error
    return response


def _readable(response: ImageResponse | DocumentResponse) -> Answer:
    """The response, or why one of its images cannot be stored: the file that it names is gone."""
    parts = response.images if isinstance(response, ImageResponse) else response.parts
    for part in parts:
        if isinstance(part, Image) and part.data is None and not isinstance(part, RawImage):
            try:
                part.read()
            except DataError as error:
                return SampleError(f"The model's image cannot be read: {error.what}", error.remedy)
    return response
