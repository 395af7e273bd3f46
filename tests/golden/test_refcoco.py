"""RefCOCO: boxes out of answers in three conventions, their overlap, and whether they count as hits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.metrics.boxes import boxes_in, iou
from tests.goldens import case_files, read_json

Compared = Callable[[str, int], None]
FORMS = {"qwen_vl": "qwen-vl", "internvl": "internvl"}


@pytest.mark.parametrize("path", case_files("*refcoco_cases*.json*"), ids=lambda path: path.name)
def test_boxes_fit_as_in_three_programs(path: Path, compared: Compared) -> None:
    cases = read_json(path)["answers"]
    for case in cases:
        height, width = case["hw"]
        truth = tuple(case["gt_bbox"])
        for name, form in FORMS.items():
            found = boxes_in(case["answer"], form, width, height)
            got = iou(found[0], truth) if found else 0.0
            if "error" in case[name]:  # the program stops there; here it is a miss
                assert got == 0, case
                continue
            assert got == pytest.approx(case[name]["iou"] or 0.0, abs=1e-6), (name, case)
            assert (got >= 0.5) == case[name]["hit"], (name, case)
        found = boxes_in(case["answer"], "json-pixels", width, height)
        assert [list(box) for box in found] == case["lmms_grounding"]["boxes"], case
        best = max((iou(box, truth, bits=64) for box in found), default=0.0)
        assert best == pytest.approx(case["lmms_grounding"]["iou"], abs=1e-6), case
    compared("RefCOCO answers", 3 * len(cases))
