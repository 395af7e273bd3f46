"""What the answers of a run took: device time, tokens, images; of served models also retries, names and
money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalsuite.request import DocumentResponse, ImageResponse, Response, TextResponse
from evalsuite.store import Cost, RunReader, RunWriter

PRICES = ("price_in", "price_out")
"""Where a served model's details keep the prices of a million tokens that the user gave."""
PRICE_OF_IMAGE = "price_image"
"""Likewise the price of one generated image."""


def usage_of(run: RunReader | RunWriter, key: str) -> Cost:
    """The sum over all answers of one task. A sum with an unknown part is unknown."""
    seconds, tokens, images, retries = 0.0, 0, 0, 0
    prompts: list[int | None] = []
    generated: list[int | None] = []
    served: dict[str, None] = {}
    for record in run.records(key):
        seconds += record.seconds
        if record.response is None:
            continue
        match record.response:
            case TextResponse(tokens=int(count)):
                tokens += count
            case ImageResponse(images=made):
                images += len(made)
            case DocumentResponse(parts=parts):
                images += sum(hasattr(part, "sha256") for part in parts)
        details = record.response.details
        if not {"model", "prompt_tokens"} & details.keys():
            continue  # a local model: its tokens cost nothing but time
        prompts.append(_count(details.get("prompt_tokens")))
        generated.append(_generated(record.response))
        retries += _count(details.get("retries")) or 0
        if name := str(details.get("model") or ""):
            served[name] = None
    told_in, told_out = _total(prompts), _total(generated)
    return Cost(
        seconds=round(seconds, 3),
        tokens=tokens,
        images=images,
        prompt_tokens=told_in,
        completion_tokens=told_out,
        retries=retries,
        served=tuple(served),
        charged=_charged(run, told_in, told_out, images),
    )


def _generated(response: Response) -> int | None:
    counted = response.tokens if isinstance(response, TextResponse) else None
    return _count(response.details.get("completion_tokens")) if counted is None else counted


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _charged(
    run: RunReader | RunWriter, prompts: int | None, generated: int | None, images: int
) -> float | None:
    model = run.manifest.model
    details: dict[str, Any] = dict(model.details) if model is not None else {}
    prices = [details.get(name) for name in PRICES]
    per_image = details.get(PRICE_OF_IMAGE)
    for_images = images * per_image if isinstance(per_image, int | float) else None
    if for_images is not None and prices == [None, None]:
        return float(for_images)
    if prompts is None or generated is None or not all(isinstance(price, int | float) for price in prices):
        return None
    for_tokens = (prompts * float(prices[0]) + generated * float(prices[1])) / 1e6  # type: ignore[arg-type]
    return for_tokens + (for_images or 0.0)
