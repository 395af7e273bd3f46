"""What a model adapter is made of: small protocols, one per capability, and helpers that adapters share.

The modules beside this one: `devices` (device and precision), `memory` (what fits), `weights` (identity of
weights), `schedulers` (diffusion samplers by name), `concurrency` (requests to an API), `endpoint`
(OpenAI-compatible servers)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach
from evalsuite.model.types import (
    METHODS,
    ChoiceScorer,
    ImageGenerator,
    InterleavedGenerator,
    Model,
    ModelInfo,
    Prepared,
    TextGenerator,
    capabilities_of,
)

if TYPE_CHECKING:
    from evalsuite.cache import cache_folder
    from evalsuite.data.checksum import sha256_of
    from evalsuite.data.images import decode
    from evalsuite.data.yamlfile import read_yaml
    from evalsuite.model.card import Card, Weights, read_card
    from evalsuite.model.concurrency import REQUEST_OPTIONS, ConcurrentRequests, RequestLimits
    from evalsuite.model.devices import resolve as resolve_device
    from evalsuite.model.entry import ModelEntry, ModelOptions
    from evalsuite.model.faults import Fault, RetryableError, http_fault
    from evalsuite.model.memory import Estimate, batch_that_fits, cache_per_token, free_memory, require_room
    from evalsuite.model.memory import estimate as estimate_memory
    from evalsuite.model.schedulers import build_scheduler
    from evalsuite.model.weights import configuration as configuration_fingerprint
    from evalsuite.model.weights import count as parameter_count
    from evalsuite.model.weights import fingerprint as weights_fingerprint
    from evalsuite.options import Option, check_options, option_values

__all__ = [
    "METHODS",
    "REQUEST_OPTIONS",
    "Card",
    "ChoiceScorer",
    "ConcurrentRequests",
    "Estimate",
    "Fault",
    "ImageGenerator",
    "InterleavedGenerator",
    "Model",
    "ModelEntry",
    "ModelInfo",
    "ModelOptions",
    "Option",
    "Prepared",
    "RequestLimits",
    "RetryableError",
    "TextGenerator",
    "Weights",
    "batch_that_fits",
    "build_scheduler",
    "cache_folder",
    "cache_per_token",
    "capabilities_of",
    "check_options",
    "configuration_fingerprint",
    "decode",
    "estimate_memory",
    "free_memory",
    "http_fault",
    "option_values",
    "parameter_count",
    "read_card",
    "read_yaml",
    "require_room",
    "resolve_device",
    "sha256_of",
    "weights_fingerprint",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.cache": "cache_folder",
            "evalsuite.data.checksum": "sha256_of",
            "evalsuite.data.images": "decode",
            "evalsuite.data.yamlfile": "read_yaml",
            "evalsuite.model.card": "Card Weights read_card",
            "evalsuite.model.concurrency": "REQUEST_OPTIONS ConcurrentRequests RequestLimits",
            "evalsuite.model.devices": "resolve_device:resolve",
            "evalsuite.model.entry": "ModelEntry ModelOptions",
            "evalsuite.model.faults": "Fault RetryableError http_fault",
            "evalsuite.model.memory": "Estimate batch_that_fits cache_per_token estimate_memory:estimate "
            "free_memory require_room",
            "evalsuite.model.schedulers": "build_scheduler",
            "evalsuite.model.weights": "configuration_fingerprint:configuration parameter_count:count "
            "weights_fingerprint:fingerprint",
            "evalsuite.options": "Option check_options option_values",
        },
    )
