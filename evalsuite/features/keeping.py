"""Where computed features are kept while a run is scored, and who computes them.

Scoring opens a keeper around a task's scorer. Inside, `image_features`, `text_features`, `kept_rows` and
`kept_value` look for rows that were computed before, and keep what they compute. Outside of it (a folder of
images, a scorer called by itself) nothing is kept and all is computed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

    from evalsuite.features.blocks import Block, Done
    from evalsuite.features.loading import NetworkUse
    from evalsuite.store.features import FeatureFolder, FeatureKind, FeatureRows


class Workers(Protocol):
    """Where blocks of images are computed by others than this process."""

    def compute(self, uses: Mapping[str, NetworkUse], blocks: Sequence[Block], done: Done) -> None:
        """Each block once, in any order; hands over its rows as they come."""
        ...


@dataclass(frozen=True, slots=True)
class Keeper:
    """What holds rows while something is scored.

    Args:
        folder: of the run; None keeps nothing.
        workers: compute blocks of images; None: this process does.
    """

    folder: FeatureFolder | None = None
    workers: Workers | None = None

    def rows(self, kind: FeatureKind | None) -> FeatureRows | None:
        """The rows of a kind; None where nothing is kept."""
        return None if self.folder is None or kind is None else self.folder.rows(kind)

    def put(self, rows: FeatureRows | None, keys: Sequence[bytes], values: np.ndarray) -> None:
        """Keeps rows where that is allowed: a run that is only read stays as it is."""
        if rows is not None and rows.writable:
            rows.append(keys, values)


_NOTHING = Keeper()
_current: ContextVar[Keeper] = ContextVar("keeper", default=_NOTHING)


@contextmanager
def keeping(folder: FeatureFolder | None, workers: Workers | None = None) -> Iterator[Keeper]:
    """Inside, features of images are kept in `folder` and reused from there."""
    keeper = Keeper(folder, workers)
    token = _current.set(keeper)
    try:
        yield keeper
    finally:
        _current.reset(token)


def current_keeper() -> Keeper:
    """The innermost keeper; outside of any, one that keeps nothing."""
    return _current.get()


def kind_of(network: object, output: str, of: str, dim: int, dtype: str = "<f4") -> FeatureKind | None:
    """Under what a network's rows are kept; None for one that does not say who it is."""
    from evalsuite.store.features import FeatureKind

    fingerprint = getattr(network, "fingerprint", None)
    if not isinstance(fingerprint, str):
        return None
    name, preprocess = (str(getattr(network, field, "")) for field in ("name", "preprocess"))
    return FeatureKind(name, fingerprint, dim, output, of, preprocess, dtype)


def text_key(text: str) -> bytes:
    """The key of what is computed of a text alone."""
    return hashlib.sha256(b"text\0" + text.encode("utf-8", "surrogatepass")).digest()


def joint_key(*parts: bytes) -> bytes:
    """The key of what is computed of several things together, such as an image and a text."""
    return hashlib.sha256(b"\0".join((str(len(parts)).encode(), *parts))).digest()


def kept_rows(
    kind: FeatureKind | None, keys: Sequence[bytes], compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """(n, dim) rows of one batch: read where all of them are kept, else computed, all together, and kept.

    A batch is never computed in part, because the rounding of a row may depend on the size of its batch.

    Args:
        kind: of the rows; None keeps nothing.
        keys: of the rows, 32 bytes each.
        compute: gives the rows; shape (n, dim), or (n,) where dim is 1.
    """
    keeper = _current.get()
    rows = keeper.rows(kind)
    if rows is not None and all(key in rows for key in keys):
        return rows.read(keys)
    values = compute()
    if kind is not None:
        values = values.reshape(len(keys), kind.dim)
    keeper.put(rows, keys, values)
    return values


def kept_each(
    kind: FeatureKind | None, keys: Sequence[bytes], compute: Callable[[int], np.ndarray]
) -> np.ndarray:
    """(n, 1) values that are computed one by one: those that are kept are read, the others computed and kept.

    Args:
        kind: of the rows, with `dim` 1; None keeps nothing.
        keys: of the values, 32 bytes each.
        compute: place among the keys -> (1,) value.
    """
    import numpy as np

    keeper = _current.get()
    rows = keeper.rows(kind)
    found = np.empty((len(keys), 1), dtype=np.float64 if kind is None else kind.dtype)
    missing = [at for at, key in enumerate(keys) if rows is None or key not in rows]
    for at in missing:
        found[at] = compute(at)
    if rows is not None:
        known = sorted(set(range(len(keys))) - set(missing))
        found[known] = rows.read([keys[at] for at in known])
        keeper.put(rows, [keys[at] for at in missing], found[missing])
    return found


def kept_value(keeper: Keeper, what: str, parts: Sequence[bytes], compute: Callable[[], float]) -> float:
    """A number that is slow to compute, such as a distance of two large sets.

    Args:
        keeper: where it is kept; `current_keeper` at the time when the scorer ran.
        what: name of the computation with its version; of another name, nothing is found.
        parts: digests of everything that the number is computed of.
    """
    import numpy as np

    if keeper.folder is None:
        return compute()
    from evalsuite.store.features import FeatureKind

    kind = FeatureKind(what, hashlib.sha256(what.encode()).hexdigest(), 1, "values", "the inputs", "", "<f8")
    rows = keeper.rows(kind)
    assert rows is not None
    key = joint_key(*parts)
    if key not in rows:
        value = compute()
        keeper.put(rows, [key], np.array([[value]]))
        return value
    return float(rows.read([key])[0, 0])


def digest_of(array: Any) -> bytes:
    """sha256 of an array's shape, type and values."""
    import numpy as np

    whole = np.ascontiguousarray(array)
    found = hashlib.sha256(f"{whole.dtype.str}{whole.shape}".encode())
    found.update(whole.reshape(-1).view(np.uint8).data)
    return found.digest()
