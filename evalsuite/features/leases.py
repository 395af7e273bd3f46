"""Blocks of images as samples of a task: what the workers of a run are asked when features are computed.

The feature networks are a model to the request loop and its leases: a block is a request, its rows are the
response. So dead workers, blocks that kill them, machines that do not see the images and slow machines are
treated as they are when a model answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evalsuite.content import Message, Text
from evalsuite.errors import EvalsuiteError
from evalsuite.features.base import NetworkSpec
from evalsuite.features.blocks import Block, BlockRows
from evalsuite.features.loading import NetworkUse
from evalsuite.request import GenerateText, Request, Response
from evalsuite.task import Metric, Sample, Scores, TaskInfo

if TYPE_CHECKING:
    from evalsuite.task import Answered

KEY = "features"
"""Key of the task."""
MODEL = "feature-networks"
"""Name of the model that workers load."""


@dataclass(frozen=True)
class FeatureTask:
    """The blocks as samples; pickled without them, since workers are sent samples.

    Args:
        blocks: to be computed.
    """

    blocks: tuple[Block, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return FeatureTask, ()

    @property
    def info(self) -> TaskInfo:
        return TaskInfo(KEY, "1", "text", "", "", "", (Metric(KEY, headline=True),))

    def fingerprint(self) -> str:
        """Nothing but the blocks themselves is asked about."""
        return KEY

    def samples(self) -> Iterator[Sample]:
        return (Sample(str(block.number), block) for block in self.blocks)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        block: Block = sample.record
        wish = json.dumps({"networks": block.networks, "texts": block.texts})
        return Request((Message("user", (Text(wish), *block.images)),), GenerateText())

    def target(self, sample: Sample) -> Any:
        return None

    def score(self, answered: Sequence[Answered]) -> Scores:
        """Blocks have no scores."""
        return Scores((), ())


def block_of(request: Request) -> Block:
    """The block that a request of `FeatureTask` is about."""
    parts = request.messages[0].parts
    assert isinstance(parts[0], Text)
    wish = json.loads(parts[0].text)
    return Block(0, request.images, tuple(wish["networks"]), tuple(wish["texts"]))


def uses_as_text(uses: Mapping[str, NetworkUse]) -> str:
    """As an option of the model."""
    return json.dumps({key: asdict(use) for key, use in uses.items()})


def uses_of_text(text: str) -> dict[str, NetworkUse]:
    """What `uses_as_text` wrote."""
    found = json.loads(text)
    return {key: NetworkUse(**{**use, "spec": NetworkSpec(**use["spec"])}) for key, use in found.items()}


def rows_of(response: Response | None, error: str, block: Block) -> BlockRows:
    """What a worker computed of a block. Raises EvalsuiteError where it could not."""
    if response is None:
        raise EvalsuiteError(
            f"The features of {len(block.images)} images from {block.images[0].where} on could not be "
            f"computed ({error}).",
            "What was computed is kept: run the same command again.",
        )
    return BlockRows(**response.details)
