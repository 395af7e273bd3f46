"""One box for one expression about an image, scored by its intersection over union with the right one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import SampleError, SpecError, suggest
from evalsuite.request import Request, Response, TextResponse
from evalsuite.task import Answered, FamilyTask, Plan, Sample, SampleScore, Scores, row_of
from evalsuite.task.metrics import SINGLE_PRECISION, boxes_in, center_inside, iou

from .readers import READERS, Expression
from .settings import ProtocolSettings

RECORD = Expression
EXAMPLE = Expression(
    "example",
    "the bowl on the left",
    Image(data=b"", name="example"),
    "",
    (8.0, 16.0, 120.0, 96.0),
    (640, 480),
)
"""An expression that shows how a protocol asks (`evalsuite show task`)."""
THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)
RULES = {
    "first-box": "the first box that the answer names",
    "best-box": "of all boxes that the answer names the one that fits best",
}
COLUMNS = (*(f"acc@{one}" for one in THRESHOLDS), "IoU", "center")
_NOTHING = (0.0, 0.0, 0.0, 0.0)


def build(plan: Plan) -> LocateTask:
    """The task of a localisation benchmark. Raises SpecError for an unknown rule, metric or reader."""
    if plan.rule_name not in RULES:
        raise SpecError(
            f"{plan.benchmark.name}: there is no rule {plan.rule_name!r} for boxes.",
            suggest(plan.rule_name, RULES),
        )
    plan.check_metrics(COLUMNS)
    plan.source.paths(next(iter(plan.source.files)))
    return LocateTask(plan)


class LocateTask(FamilyTask):
    """A localisation benchmark in one protocol; template fields: `image`, `expression`.

    An answer without a box in the protocol's form names the box 0, 0, 0, 0, as in the programs of the field:
    a miss, and an unread answer.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._read = partial(plan.reader(READERS, RECORD), plan.source)
        self._form = plan.settings(ProtocolSettings, protocol=True).boxes

    def _samples(self) -> Iterator[Sample]:
        for one in self._read():
            yield Sample(one.id, one, cluster=one.image_name)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if earlier:
            return None
        asked: Expression = sample.record
        if asked.problem:
            raise SampleError(asked.problem)
        return self.plan.request({"image": asked.image, "expression": asked.text})

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The right box in the protocol's form."""
        asked: Expression = sample.record
        (x1, y1, x2, y2), (width, height) = asked.box, asked.size
        if self._form in ("json", "json-pixels"):
            return TextResponse(f"[{x1}, {y1}, {x2}, {y2}]")
        over = {"qwen-vl": 999, "internvl": 1000, "unit": 1}[self._form]
        digits = 4 if over == 1 else 1
        a, b, c, d = (
            round(number * over / side, digits)
            for number, side in zip((x1, y1, x2, y2), (width, height) * 2, strict=True)
        )
        return TextResponse(f"({a},{b}),({c},{d})" if over == 999 else f"[[{a}, {b}, {c}, {d}]]")

    def target(self, sample: Sample) -> Any:
        return list(sample.record.box)

    def score(self, answered: Sequence[Answered]) -> Scores:
        return self.scores([self._row(one) for one in answered])

    def _row(self, one: Answered) -> SampleScore:
        row = row_of(one)
        asked: Expression = one.sample.record
        try:
            said = self.answer(one)
        except SampleError as error:
            return row(failure=str(error))
        found = boxes_in(said, self._form, *asked.size)
        bits = 32 if self._form in SINGLE_PRECISION else 64
        named = found[:1] if self.plan.rule_name == "first-box" else found
        overlap, box = max(
            ((iou(each, asked.box, bits=bits), each) for each in named),
            default=(0.0, _NOTHING),
            key=lambda x: x[0],
        )
        values = {f"acc@{threshold}": float(overlap >= threshold) for threshold in THRESHOLDS}
        values |= {"IoU": overlap, "center": float(bool(found) and center_inside(box, asked.box))}
        parsed = ", ".join(f"{number:.1f}" for number in box) if found else "?"
        return row(values=values, parsed=parsed, unread=not found)
