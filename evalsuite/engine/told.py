"""What the request loop tells whoever reads from it, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.pickling import quick_state
from evalsuite.store.records import Record


@quick_state
@dataclass(frozen=True, slots=True)
class Answered:
    """Records of one batch of a lease, in order; their images may have to be encoded still."""

    ticket: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a reader of the results should know."""

    task: str
    text: str


@quick_state
@dataclass(frozen=True, slots=True)
class Through:
    """Every sample of a lease has its last record."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Asking:
    """The next sample of a lease that is asked one at a time; told before anything of it is touched."""

    ticket: int
    sample: str


Told = Answered | Asking | Remark | Through
