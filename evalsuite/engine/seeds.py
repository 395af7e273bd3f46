"""Every request's seed comes from the run's seed and the sample's name, never from order or batch."""

from __future__ import annotations

import hashlib


def request_seed(seed: int, task: str, sample: str, step: int) -> int:
    """A seed in [0, 2**31) for one request; every generator of random numbers in use takes that range.

    >>> request_seed(0, "vqav2", "1", 0) == request_seed(0, "vqav2", "1", 0)
    True
    """
    return int.from_bytes(_digest(f"{seed}|request|{task}|{step}|{sample}")[:4], "big") >> 1


def rank(seed: int, task: str, sample: str) -> bytes:
    """The sample's place in the seeded random order that `--limit` takes the first of."""
    return _digest(f"{seed}|subset|{task}|{sample}")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
