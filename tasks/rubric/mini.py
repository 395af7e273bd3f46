"""The rubric of the miniature world: a judge is asked whether an edited image shows what it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import MappingProxyType

from evalsuite.errors import DataError, SampleError
from evalsuite.task import Located
from evalsuite.task.miniature import SceneTruth
from evalsuite.task.readers import magicbrush

from .grading import Graded, Replies
from .records import RubricItem, RubricQuestion

TARGET = "target"
"""Field of an item: the image that the truth knows."""


class Mini:
    """Yes or no about each thing: `edited`, the share of what should change that did; `kept`, of what should
    stay that did; `success` is 1 where both are."""

    columns: tuple[str, ...] = ("success", "edited", "kept")

    def readable(self, reply: str) -> bool:
        return _said(reply) is not None

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        right: dict[str, list[float]] = {"edited": [], "kept": []}
        for name, texts in replies.items():
            said = _said(texts[-1])
            if said is None:
                raise SampleError(f"the judge says neither yes nor no: {texts[-1]!r:.200}")
            kind = name.split()[0]
            right["kept" if kind == "kept" else "edited"].append(float(said != (kind == "gone")))
        values = {name: sum(ones) / len(ones) for name, ones in right.items() if ones}
        return Graded({"success": float(all(value == 1 for value in values.values()))} | values)


def _said(reply: str) -> bool | None:
    word = reply.strip().lower().rstrip(".")
    return {"yes": True, "no": False}.get(word)


def read_mini_edits(source: Located) -> Iterator[RubricItem]:
    """The miniature's MagicBrush folder (`sessions`, `images`, `descriptions`) with its `truth`; the first
    edit of each session.

    Edits that colours and shapes cannot tell (of size) are left out.
    """
    truth = SceneTruth.read(source)
    for session in magicbrush.read_sessions(
        source.path("sessions"), source.folder_of("images"), source.path("descriptions")
    ):
        turn = session.turns[0]
        if turn.target is None:
            raise DataError(
                f"{source.folder}: {session.id} has no target.", "Write the miniature world again."
            )
        before, after = (
            Counter((one.colour, one.shape) for one in truth.scene(image.label).things)
            for image in (turn.source, turn.target)
        )
        asked = {
            "gone": [pair for pair in before if pair not in after],
            "there": [pair for pair in after if pair not in before],
            "kept": [pair for pair in after if pair in before],
        }
        if not asked["gone"] and not asked["there"]:
            continue
        fields = {
            f"{kind} {number}": f"a {colour} {shape}"
            for kind, pairs in asked.items()
            for number, (colour, shape) in enumerate(pairs, start=1)
        }
        yield RubricItem(
            session.id,
            turn.instruction,
            tuple(RubricQuestion(name, name) for name in fields),
            (turn.source,),
            fields=fields | {TARGET: turn.target.label},
            labels=truth.edit_labels(turn.target.label),
        )


READERS = MappingProxyType({"mini-edits": read_mini_edits})
