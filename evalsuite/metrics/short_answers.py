"""Whether a short answer is right: within 5 % of a number (ChartQA), or with the right text in it (OCRBench).

Both equal the named code on every recorded answer (tests/golden/test_short_answers.py).
"""

from __future__ import annotations

__all__ = ["TOLERANCE", "contains", "relaxed_match"]

TOLERANCE = 0.05
"""By how much a number may differ, as a share of the right one (Masry et al. 2022, section 5)."""

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
"""Full-width forms of the ASCII characters -> the characters."""


def relaxed_match(target: str, prediction: str, tolerance: float = TOLERANCE) -> bool:
    """ChartQA's relaxed correctness of one answer against one right answer.

    Both are numbers: |prediction - target| / |target| <= tolerance. Otherwise, and where the target is 0,
    the texts must be equal but for case. A percent sign at the end divides by 100. Nothing is stripped
    beyond what Python's `float` takes (google-research/pix2struct `pix2struct/metrics.py`,
    `relaxed_correctness`, which Qwen-VL, InternVL, lmms-eval and VLMEvalKit copy).

    Args:
        target: the right answer.
        prediction: the model's answer.
        tolerance: share of the right number, officially 0.05.

    >>> relaxed_match("14", "14.5"), relaxed_match("14", "15"), relaxed_match("Yes", "yes")
    (True, False, True)
    """
    said, right = _number(prediction), _number(target)
    if said is not None and right:
        return abs(said - right) / abs(right) <= tolerance
    return prediction.lower() == target.lower()


def _number(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def contains(target: str, prediction: str, *, squeezed: bool = False, fold: bool = False) -> bool:
    """OCRBench's comparison: the right text occurs in the answer.

    Line feeds become spaces, outer white space goes; then either case goes, or all spaces do (`squeezed`, the
    comparison of formulas). An empty right answer is always contained. Source: Yuliang-Liu/MultimodalOCR
    `OCRBench/example.py`.

    Args:
        target: the right answer.
        prediction: the model's answer.
        squeezed: drop all spaces instead of the case.
        fold: turn full-width ASCII into ASCII first, as lmms-eval does.

    >>> contains("STOP", "The sign says stop."), contains("x ^ 2", "$x^2$", squeezed=True)
    (True, True)
    """
    return _plain(target, squeezed, fold) in _plain(prediction, squeezed, fold)


def _plain(text: str, squeezed: bool, fold: bool) -> str:
    if fold:
        text = text.translate(_FULL_WIDTH)
    if squeezed:
        return text.strip().replace("\n", " ").replace(" ", "")
    return text.lower().strip().replace("\n", " ")
