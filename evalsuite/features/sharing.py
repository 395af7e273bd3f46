"""Intermediate results that several networks share while they look at the same image, or read the same texts.

A result is shared only where both would compute it from the same input by the same operations: no bit of any
feature depends on which networks are asked together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_LOCAL = threading.local()
_T = TypeVar("_T")


@contextmanager
def shared() -> Iterator[None]:
    """Within it, this thread makes once what it asks for by `once` under one key; all is dropped at its
    end."""
    before = getattr(_LOCAL, "made", None)
    _LOCAL.made = {}
    try:
        yield
    finally:
        _LOCAL.made = before


def once(key: Hashable, make: Callable[[], _T], of: object = None) -> _T:
    """What `make` gives, made once under that key within `shared`, each time elsewhere. Nobody may change it.

    Args:
        key: everything that the result depends on besides `of`.
        of: an object that it is made of; only the very same object counts as equal.

    Examples:
        >>> with shared():
        ...     once("a", list) is once("a", list)
        True
        >>> once("a", list) is once("a", list)
        False
    """
    made: dict[Hashable, tuple[object, Any]] | None = getattr(_LOCAL, "made", None)
    if made is None:
        return make()
    name = (id(of), key)
    if name not in made:
        made[name] = (of, make())  # holds the object, so that no other one gets its id
    found: _T = made[name][1]
    return found
