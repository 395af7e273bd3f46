"""What runs are called where several of one model stand side by side: by step, by seed, by folder."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.store import RunReader
from evalsuite.tracking.gathering import place_of_run


def labels_of(readers: Sequence[RunReader]) -> list[str]:
    """A different name for each run: the model's, and what tells them apart: step, seeds, folder."""
    found: list[str] = []
    for reader in readers:
        name = reader.model_name
        peers = [other for other in readers if other.model_name == name]
        label = name
        for kind, values in _aspects(reader, peers):
            if len(set(values)) > 1:
                own = values[next(i for i, peer in enumerate(peers) if peer is reader)]
                label += f" {kind} {own}" if own is not None else ""
        found.append(label)
    labels: list[str] = []
    for reader, label in zip(readers, found, strict=True):
        name = f"{label} [{reader.path.name}]" if found.count(label) > 1 else label
        while name in labels:  # the same model in folders of the same name
            name += "′"
        labels.append(name)
    return labels


def _aspects(reader: RunReader, peers: Sequence[RunReader]) -> list[tuple[str, Sequence[int | None]]]:
    if len(peers) == 1:
        return []
    places = [place_of_run(peer) for peer in peers]
    return [
        ("step", [place.step for place in places]),
        ("training seed", [place.seed for place in places]),
        ("seed", [peer.spec.seed for peer in peers]),
    ]


def in_order(readers: Sequence[RunReader]) -> list[int]:
    """Places of the runs so that those of one model stand together, by step and seed; models as they come."""
    names = [reader.model_name for reader in readers]

    def key(i: int) -> tuple[int, int, int]:
        first = names.index(names[i])
        if names.count(names[i]) == 1:
            return first, -1, 0
        step = place_of_run(readers[i]).step
        return first, -1 if step is None else step, readers[i].spec.seed

    return sorted(range(len(readers)), key=key)
