"""How a benchmark reads its judge and scores: a reply is readable or asked again, replies become columns."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from evalsuite.errors import SampleError
from evalsuite.task.metrics import (
    omnicontext_grade,
    omnicontext_reply,
    rise_complete,
    rise_grades,
    rise_numbers,
    rise_score,
    wiscore,
    wise_grades,
    wise_verdict,
)

from .document_rubrics import Mmie, Opening, OpeningPair
from .edit_rubrics import ComplexEdit, DreamBenchPlusPlus, Kris
from .grading import Graded as Graded
from .grading import Replies, Rubric
from .mini import Mini
from .records import RubricItem

_GRADES = ("consistency", "realism", "aesthetic_quality")


class Wise:
    """WISE's three grades from 0 to 2; an image without all of them is left out."""

    columns: tuple[str, ...] = ("wiscore", *_GRADES)

    def readable(self, reply: str) -> bool:
        return set(_GRADES) <= wise_grades(reply).keys()

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        found = wise_grades(replies["quality"][-1])
        if not set(_GRADES) <= found.keys():
            lacking = ", ".join(name for name in _GRADES if name not in found)
            raise SampleError(f"the judge's reply lacks {lacking}: {replies['quality'][-1]!r:.200}")
        grades = {name: found[name] for name in _GRADES}
        return Graded({"wiscore": wiscore(**grades)} | grades)


class WiseVerified:
    """WISE_Verified's 0 or 1; thoughts are cut off, an image without a verdict is left out."""

    columns: tuple[str, ...] = ("wiscore",)

    def readable(self, reply: str) -> bool:
        return wise_verdict(_thought(reply)) is not None

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        verdict = wise_verdict(_thought(replies["quality"][-1]))
        if verdict is None:
            raise SampleError(f"the judge's reply holds no score 0 or 1: {replies['quality'][-1]!r:.200}")
        return Graded({"wiscore": verdict})


def _thought(reply: str) -> str:
    """The reply without what a reasoning model thought before."""
    reply = re.sub(r"<think>.*?</think>\s*", "", reply, flags=re.DOTALL)
    return re.sub(r"</think>\s*", "", reply).strip()


class Rise:
    """RISEBench's grades from 1 to 5; an image with a reply that cannot be read is not accurate, and has no
    score."""

    columns: tuple[str, ...] = ("accuracy", "score", "consistency", "reasoning", "plausibility")

    def readable(self, reply: str) -> bool:
        return bool(rise_numbers(reply))

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        category = item.labels["category"]
        names = {"consistency": None, "reasoning": None, "plausibility": None}
        given = [replies[name][-1] if name in replies else None for name in names]
        if "plausibility" not in replies:
            given.pop()
        grades = rise_grades(category, given)
        if grades is None:
            return Graded({"accuracy": 0.0}, unread=True)
        score = rise_score(category, grades, free_column=item.free_column)
        found = {"accuracy": rise_complete(grades), "score": 25 * (score - 1) / 100}
        for name in names:
            value = getattr(grades, name)
            if value is not None:
                found[name] = 25 * (value - 1) / 100
        return Graded(found)


class OmniContext:
    """OmniContext's prompt following (PF) and subject consistency (SC) from 0 to 10, and the root of their
    product.

    The last readable pair counts: SC is read only where PF of its round could be.
    """

    columns: tuple[str, ...] = ("PF", "SC", "overall")

    def readable(self, reply: str) -> bool:
        try:
            omnicontext_reply(reply)
        except SampleError:
            return False
        return True

    def grade(self, item: RubricItem, replies: Replies) -> Graded:
        followed = replies["PF"]
        kept = [sc for pf, sc in zip(followed, replies["SC"], strict=True) if self.readable(pf)]
        pf, sc = omnicontext_grade(followed), omnicontext_grade(kept)
        return Graded({"PF": pf, "SC": sc, "overall": math.sqrt(pf * sc)})


RUBRICS: Mapping[str, Rubric] = MappingProxyType(
    {
        "complex-edit": ComplexEdit(),
        "dreambench++": DreamBenchPlusPlus(),
        "kris": Kris(),
        "mini": Mini(),
        "mmie": Mmie(),
        "omnicontext": OmniContext(),
        "opening": Opening(),
        "opening-pair": OpeningPair(),
        "rise": Rise(),
        "wise": Wise(),
        "wise-verified": WiseVerified(),
    }
)
