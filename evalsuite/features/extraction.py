"""Features of many images and texts: what is kept is read, the rest is computed once and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.features.blocks import BLOCK, Block, BlockRows, Done, compute_blocks, decoding_threads, dim_of
from evalsuite.features.decoding import Decoded
from evalsuite.features.keeping import (
    Keeper,
    current_keeper,
    joint_key,
    keeping,
    kept_rows,
    kind_of,
    text_key,
)
from evalsuite.features.loading import NetworkUse, use_of

if TYPE_CHECKING:
    import numpy as np

    from evalsuite.features.base import TextFeatureNetwork
    from evalsuite.store.features import FeatureFolder, FeatureRows

TEXTS = 64
"""Texts of a batch."""


def image_features(
    networks: Mapping[str, Any],
    images: Sequence[Image],
    texts: Sequence[str] | None = None,
    *,
    block: int = BLOCK,
) -> tuple[dict[str, np.ndarray], Decoded]:
    """Features of many encoded images under several networks, each image decoded once.

    While a run is scored, rows that it keeps under a network's fingerprint and the image's digest are read,
    and what is computed is kept there, block by block; `--workers` computes blocks on Ray workers. Memory is
    that of the result and of a few blocks.

    Args:
        networks: feature networks, and scorers of images with texts, by key.
        images: encoded, in the order of their positions.
        texts: one for each image; scorers need them.
        block: images that go through a network together.

    Returns:
        by key: (n, dim) float32, rows of broken images are NaN, and those of images that the network does
        not take; and which images these are. An image that one network refuses has its rows of the others.
    """
    import numpy as np

    found = {key: np.full((len(images), dim_of(net)), np.nan, np.float32) for key, net in networks.items()}
    state = Decoded()
    keeper = current_keeper()
    kept = {key: _rows_of(keeper, network) for key, network in networks.items()}
    keys = _Keys(images, texts, state) if any(rows is not None for rows in kept.values()) else None
    blocks: list[Block] = []
    places: list[list[int]] = []
    computed: dict[str, set[int]] = {key: set() for key in networks}
    for start in range(0, len(images), block):
        at = [p for p in range(start, min(start + block, len(images))) if p not in state.failures]
        missing = tuple(key for key, rows in kept.items() if not _complete(rows, keys, networks[key], at))
        if at and missing:
            wanted = tuple(texts[p] for p in at) if texts is not None else ()
            blocks.append(Block(len(blocks), tuple(images[p] for p in at), missing, wanted))
            places.append(at)

    def done(one: Block, got: BlockRows) -> None:
        at = places[one.number]
        state.failures.update({at[place]: reason for place, reason in got.failures.items()})
        for key in one.networks:
            refused = {at[place]: reason for place, reason in got.refused.get(key, {}).items()}
            if refused:
                state.refused.setdefault(key, {}).update(refused)
                computed[key].update(refused)
        for key, values in got.rows.items():
            taken = [at[place] for place in got.taken(key, len(at))]
            found[key][taken] = values
            computed[key].update(taken)
            if keys is not None and taken:
                keeper.put(kept[key], [keys.of(networks[key], p) for p in taken], values)

    _compute(keeper, networks, blocks, done)
    state.failures = dict(sorted(state.failures.items()))
    state.refused = {key: dict(sorted(places.items())) for key, places in state.refused.items()}
    state.positions = [p for p in range(len(images)) if p not in state.failures]
    for key, rows in kept.items():
        rest = [p for p in state.positions if p not in computed[key]]
        if rest:
            assert rows is not None
            assert keys is not None
            found[key][rest] = rows.read([keys.of(networks[key], p) for p in rest])
    return found, state


def text_features(network: TextFeatureNetwork, texts: Sequence[str]) -> np.ndarray:
    """(n, dim) float32 features of texts, as `network.texts`, kept like those of images."""
    import numpy as np

    kind = kind_of(network, "texts", "text", network.dim)
    found = np.empty((len(texts), network.dim), dtype=np.float32)
    for start in range(0, len(texts), TEXTS):
        batch = list(texts[start : start + TEXTS])
        found[start : start + TEXTS] = kept_rows(
            kind, [text_key(text) for text in batch], partial(network.texts, batch)
        )
    return found


def feature_batches(
    images: Sequence[Image], network: Any, state: Decoded, folder: FeatureFolder | None = None
) -> Iterator[np.ndarray]:
    """(n, dim) features of images, a block at a time and in order, so that memory is flat; broken ones, and
    those that the network does not take, are failures in `state`.

    Args:
        folder: of a run whose kept rows are read; None: nothing is read or kept.
    """
    workers = current_keeper().workers
    for start in range(0, len(images), _TOGETHER):
        part = images[start : start + _TOGETHER]
        with keeping(folder, workers):
            found, got = image_features({"": network}, part)
        failures = got.without("")
        state.failures |= {start + place: reason for place, reason in failures.items()}
        whole = set(range(len(part))) - failures.keys()
        state.positions += [start + place for place in sorted(whole)]
        for first in range(0, len(part), BLOCK):
            at = [place for place in range(first, min(first + BLOCK, len(part))) if place in whole]
            if at:
                yield found[""][at]


_TOGETHER = 64 * BLOCK
"""Images whose features are in memory at a time: 34 MB at 2,048 dimensions."""


class _Keys:
    """Under which keys the rows of images are kept; images that cannot be read go into `state`."""

    def __init__(self, images: Sequence[Image], texts: Sequence[str] | None, state: Decoded) -> None:
        self._digests: list[bytes] = [b""] * len(images)
        self._texts = texts

        def digest(position: int) -> None:
            try:
                self._digests[position] = bytes.fromhex(images[position].sha256())
            except DataError as error:
                state.failures[position] = str(error)

        with ThreadPoolExecutor(decoding_threads(), "digest") as pool:
            for start in range(0, len(images), _HASHED):  # a bounded number of futures
                list(pool.map(digest, range(start, min(start + _HASHED, len(images)))))

    def of(self, network: Any, position: int) -> bytes:
        if not hasattr(network, "scores"):
            return self._digests[position]
        assert self._texts is not None
        return joint_key(self._digests[position], text_key(self._texts[position]))


_HASHED = 2048


def _rows_of(keeper: Keeper, network: Any) -> FeatureRows | None:
    if hasattr(network, "scores"):
        return keeper.rows(kind_of(network, "scores", "image and text", 1))
    output = getattr(network, "output", "features")
    return keeper.rows(kind_of(network, output, "image", dim_of(network)))


def _complete(rows: FeatureRows | None, keys: _Keys | None, network: Any, at: Sequence[int]) -> bool:
    if rows is None or keys is None:
        return False
    return all(keys.of(network, position) in rows for position in at)


def _compute(keeper: Keeper, networks: Mapping[str, Any], blocks: Sequence[Block], done: Done) -> None:
    if keeper.workers is not None and len(blocks) > 1:
        wanted = {key for block in blocks for key in block.networks}
        uses: dict[str, NetworkUse | None] = {key: use_of(networks[key]) for key in wanted}
        known = {key: use for key, use in uses.items() if use is not None}
        if len(known) == len(wanted):
            keeper.workers.compute(known, blocks, done)
            return
    for block, rows in compute_blocks(blocks, networks):
        done(block, rows)
