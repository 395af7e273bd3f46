"""Blocks of images through several networks: each image decoded once, by threads, ahead of the networks.

A block is the unit that is computed: consecutive images, cut by position. Since the rounding of a feature may
depend on how many images a batch has, a block is computed whole or not at all, here or on any worker, and
gives the same bits.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.errors import CheckpointError, DataError
from evalsuite.features.sharing import shared

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PilImage

BLOCK = 64
"""Images of a block."""
_AHEAD = 2
"""Blocks that are decoded ahead of the networks."""


@dataclass(frozen=True, slots=True)
class Block:
    """Images that go through networks together.

    Args:
        number: of the block in its set.
        images: encoded.
        networks: keys of the networks that are to see them.
        texts: one for each image where a network scores images with texts.
    """

    number: int
    images: tuple[Image, ...]
    networks: tuple[str, ...]
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockRows:
    """What was computed of a block.

    Args:
        rows: by network, (n, dim) float32 of the images that could be decoded and that it takes, in order.
        failures: place in the block -> reason, of those that could not be decoded.
        refused: by network, place in the block -> reason, of decoded images that it does not take.
    """

    rows: Mapping[str, np.ndarray] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def taken(self, network: str, count: int) -> list[int]:
        """Places of the network's rows in a block of `count` images."""
        refused = self.refused.get(network, {})
        return [place for place in range(count) if place not in self.failures and place not in refused]


Done = Callable[[Block, BlockRows], None]
"""Takes what was computed of a block."""


def decoding_threads() -> int:
    """Threads that decode: the cores that this process may use, at most eight."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    return max(1, min(8, cores))


def compute_blocks(
    blocks: Iterable[Block], networks: Mapping[str, Any], threads: int | None = None
) -> Iterator[tuple[Block, BlockRows]]:
    """Each block with its rows, in order; memory is that of three blocks, however many there are.

    Args:
        networks: by key: feature networks (`images`) and scorers of images with texts (`scores`). What has
            `prepare` is prepared in the decoding threads.
        threads: None: `decoding_threads`.
    """
    with ThreadPoolExecutor(threads or decoding_threads(), "decode") as pool:
        waiting: deque[tuple[Block, list[Future[_Ready]]]] = deque()

        def begin(block: Block) -> None:
            used = {key: networks[key] for key in block.networks}
            waiting.append((block, [pool.submit(_decoded, image, used) for image in block.images]))

        def finish(block: Block, futures: Sequence[Future[_Ready]]) -> tuple[Block, BlockRows]:
            return block, rows_of_block((block, [future.result() for future in futures]), networks)

        try:
            for block in blocks:
                begin(block)
                if len(waiting) > _AHEAD:
                    yield finish(*waiting.popleft())
            while waiting:
                yield finish(*waiting.popleft())
        finally:
            for _, futures in waiting:
                for future in futures:
                    future.cancel()


@dataclass(frozen=True, slots=True)
class _Ready:
    """An image, ready for each network, or why there is none: for all networks, or by network."""

    inputs: Mapping[str, Any]
    failure: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)


Prepared = tuple[Block, list[_Ready]]


def prepare_block(block: Block, networks: Mapping[str, Any]) -> Prepared:
    """Decodes the images of a block, in this thread."""
    used = {key: networks[key] for key in block.networks}
    return block, [_decoded(image, used) for image in block.images]


def _decoded(image: Image, networks: Mapping[str, Any]) -> _Ready:
    try:
        inputs, refused = inputs_of(decode(image), networks)
    except DataError as error:
        return _Ready({}, str(error))
    return _Ready(inputs, refused=refused)


def inputs_of(image: PilImage, networks: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """By network, what its own preparing makes of an image, the image where it has none; and by network why
    it does not take the image. What several networks see alike is made once, and refused once."""
    alike: dict[object, Any] = {}
    inputs: dict[str, Any] = {}
    refused: dict[str, str] = {}
    with shared():
        for key, network in networks.items():
            if not hasattr(network, "prepare"):
                inputs[key] = image
                continue
            seen = getattr(network, "seen_as", key)
            if seen not in alike:
                try:
                    alike[seen] = network.prepare(image)
                except DataError as error:  # of a form that this network does not take
                    alike[seen] = error
            if isinstance(alike[seen], DataError):
                refused[key] = str(alike[seen])
            else:
                inputs[key] = alike[seen]
    return inputs, refused


def rows_of_block(prepared: Prepared, networks: Mapping[str, Any]) -> BlockRows:
    """Runs a prepared block through the networks that are to see it."""
    block, ready = prepared
    failures = {place: one.failure for place, one in enumerate(ready) if one.failure}
    refused: dict[str, dict[int, str]] = {}
    for place, one in enumerate(ready):
        for key, reason in one.refused.items():
            refused.setdefault(key, {})[place] = reason
    rows: dict[str, np.ndarray] = {}
    with shared():
        for key in block.networks:
            taken = [place for place, one in enumerate(ready) if key in one.inputs]
            if taken:
                texts = [block.texts[place] for place in taken] if block.texts else None
                rows[key] = _rows(networks[key], [ready[place].inputs[key] for place in taken], texts)
    return BlockRows(rows, failures, refused)


def _rows(network: Any, inputs: Sequence[Any], texts: Sequence[str] | None) -> np.ndarray:
    import numpy as np

    if hasattr(network, "scores"):
        found = network.scores(inputs, texts if texts is not None else [""] * len(inputs))
    elif hasattr(network, "prepare"):
        found = network.features(inputs)
    else:
        found = network.images(inputs)
    rows = np.asarray(found, dtype=np.float32).reshape(len(inputs), -1)
    if rows.shape[1] != dim_of(network):
        raise CheckpointError(
            f"{getattr(network, 'name', 'The network')} gave {rows.shape[1]} values for each image, "
            f"not {dim_of(network)}.",
            "This is a bug of the network's class.",
        )
    return rows


def dim_of(network: Any) -> int:
    """Values that a network gives for each image: a scorer gives one."""
    return 1 if hasattr(network, "scores") else int(network.dim)
