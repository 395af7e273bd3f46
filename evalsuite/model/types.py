"""What a model adapter is: small protocols, one per capability. An adapter implements those it can."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from evalsuite.deprecation import Moved, warn
from evalsuite.request import (
    Capability,
    ChoiceResponse,
    DocumentResponse,
    ImageResponse,
    Request,
    TextResponse,
)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model is, for the record.

    Args:
        name: as it stands in leaderboards.
        fingerprint: digest of weights and configuration, so that two runs can be shown to have used the same.
        parameters: number of parameters, None where there are none.
        details: dtype, device, image processor backend … (JSON-able).
    """

    name: str
    fingerprint: str
    parameters: int | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request made ready on the CPU: images decoded, text tokenised.

    Args:
        request: the request it came from.
        payload: whatever the adapter's device step wants.
        cost: relative work or length; the engine puts alike costs into one batch.
        group: only requests of equal group share a batch (decoding parameters, image size …).
    """

    request: Request
    payload: Any
    cost: float = 1.0
    group: Hashable = None


@runtime_checkable
class Model(Protocol):
    """Every adapter: an identity and the CPU step.

    `prepare` is called from several threads at once. It raises SampleError (or DataError) for a request
    that this model cannot take; the sample is then recorded as failed and the run continues. Device steps
    raise OutOfMemoryError (torch's own is recognised too) for a batch that does not fit, and UnavailableError
    when nothing more can be answered at all: the run then stops, and resumes when it is started again.

    Optional attributes help the engine. `probe(request)` is called once before a task, with its first
    request: it raises UnavailableError where the model cannot do what the task needs, and gives notes for
    readers of the results. `independent_requests = True`: requests of a batch never meet (each goes to a
    server by itself), so that comparing a batch with single requests says nothing about batching; a device
    step may then give a SampleError in place of a single response, and an UnavailableError in place of each
    that came too late, so that those before it are kept.
    `batch_that_fits(prepared)`: an estimate of how many requests like this one memory will hold at once.
    `networks`: the torch modules that answer. The engine's self-check looks at their next-token logits and,
    in half precision, widens their weights to float32 for a few requests, which separates bugs of batching
    from rounding; a device step must therefore take precision from the weights, not from what it was loaded
    with.
    """

    @property
    def info(self) -> ModelInfo: ...

    def prepare(self, request: Request) -> Prepared: ...


@runtime_checkable
class TextGenerator(Model, Protocol):
    def generate_text(self, batch: Sequence[Prepared]) -> Sequence[TextResponse]:
        """One response per request, in order."""
        ...


@runtime_checkable
class ChoiceScorer(Model, Protocol):
    def score_choices(self, batch: Sequence[Prepared]) -> Sequence[ChoiceResponse]:
        """One response per request, in order."""
        ...


@runtime_checkable
class ImageGenerator(Model, Protocol):
    def generate_images(self, batch: Sequence[Prepared]) -> Sequence[ImageResponse]:
        """One response per request, in order; images must not depend on the rest of the batch."""
        ...


@runtime_checkable
class InterleavedGenerator(Model, Protocol):
    def generate_documents(self, batch: Sequence[Prepared]) -> Sequence[DocumentResponse]:
        """One response per request, in order."""
        ...


METHODS: dict[Capability, str] = {
    "text": "generate_text",
    "choices": "score_choices",
    "image": "generate_images",
    "edit": "generate_images",
    "interleaved": "generate_documents",
}
"""The device step that serves each capability."""


def capabilities_of(model: Model) -> frozenset[Capability]:
    """The capabilities whose device step the adapter has; its entry says whether it can edit images."""
    return frozenset(
        capability for capability, method in METHODS.items() if callable(getattr(model, method, None))
    )


def independent_requests(model: Model) -> bool:
    """Whether requests of a batch never meet in the adapter; see `Model`."""
    if hasattr(model, "answers_apart"):
        warn("Model.answers_apart", Moved("Model.independent_requests"))
        return bool(model.answers_apart)
    return bool(getattr(model, "independent_requests", False))
