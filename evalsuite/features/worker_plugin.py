"""Feature networks as a model of the request loop; workers load this file as a plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalsuite.features.blocks import Prepared as PreparedBlock
from evalsuite.features.blocks import prepare_block, rows_of_block
from evalsuite.features.leases import MODEL, block_of, uses_of_text
from evalsuite.model import ModelInfo, Prepared
from evalsuite.model.entry import ModelEntry, ModelOptions
from evalsuite.request import Request, TextResponse, fingerprint


class FeatureNetworks:
    """Several networks that see the same decoded images.

    Args:
        uses: of the networks, as `uses_as_text` writes them.

    Raises UnavailableError where weights are not on this machine, CheckpointError where they are others.
    """

    independent_requests = True

    def __init__(self, uses: str) -> None:
        found = uses_of_text(uses)
        self._networks: dict[str, Any] = {key: use.load() for key, use in found.items()}
        self.info = ModelInfo(MODEL, fingerprint({key: use.fingerprint for key, use in found.items()}))

    def prepare(self, request: Request) -> Prepared:
        """Decodes a block; broken and refused images are part of the answer."""
        block = block_of(request)
        return Prepared(request, prepare_block(block, self._networks))

    def generate_text(self, batch: Sequence[Prepared]) -> Sequence[TextResponse]:
        """The rows of each block, in `details`."""
        return [self._answer(prepared.payload) for prepared in batch]

    def _answer(self, prepared: PreparedBlock) -> TextResponse:
        got = rows_of_block(prepared, self._networks)
        details = {"rows": dict(got.rows), "failures": dict(got.failures), "refused": dict(got.refused)}
        return TextResponse("", details=details)


def models() -> list[ModelEntry]:
    """The entry that workers find."""

    def build(options: ModelOptions) -> FeatureNetworks:
        return FeatureNetworks(options.options["uses"])

    return [ModelEntry(MODEL, "feature networks", frozenset({"text"}), build)]
