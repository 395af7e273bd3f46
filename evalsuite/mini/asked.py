"""Yes-or-no questions about what an image shows, answered exactly from what a detector sees in it."""

import re
from collections.abc import Sequence

from .detect import Detection
from .world import COLOURS, SHAPES

_QUESTION = re.compile(
    rf"is there an? (?:(?P<colour>{'|'.join(COLOURS)}) )?(?P<shape>{'|'.join(SHAPES)}) ?\?"
)


def holds(question: str, seen: Sequence[Detection]) -> bool:
    """Whether "is there a circle?" or "is there a blue circle?" is so.

    Raises:
        ValueError: a question of another form.
    """
    found = _QUESTION.fullmatch(" ".join(question.lower().split()))
    if found is None:
        raise ValueError(f"{question!r} does not ask whether there is a shape")
    colour, shape = found["colour"], found["shape"]
    return any(one.shape == shape and colour in (None, one.colour) for one in seen)
