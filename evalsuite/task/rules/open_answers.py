"""The rules of open questions: a short text against the right answers."""

from __future__ import annotations

from collections.abc import Callable

from evalsuite.metrics.anls import anls
from evalsuite.metrics.letters import mmmu_open_hit
from evalsuite.metrics.short_answers import contains, relaxed_match
from evalsuite.metrics.vqa import VQA_RULES, normalize_answer, vqa_accuracy
from evalsuite.task.rules.types import GroundTruth, Rule, Verdict, rule


@rule()
def exact(answer: str, truth: GroundTruth) -> Verdict:
    """Equal to a right answer but for case, outer white space and one final period."""
    return _equal(answer, truth, lambda text: text.strip().lower().removesuffix("."))


@rule()
def exact_lmms(answer: str, truth: GroundTruth) -> Verdict:
    """Equal to a right answer but for case, outer white space and final periods (lmms-eval, RealWorldQA)."""
    return _equal(answer, truth, lambda text: text.lower().strip().rstrip("."))


@rule()
def verbatim(answer: str, truth: GroundTruth) -> Verdict:
    """Equal to a right answer as it stands (GQA)."""
    return _equal(answer, truth, str)


@rule("anls", column="ANLS")
def _anls(answer: str, truth: GroundTruth) -> Verdict:
    """Average normalised Levenshtein similarity to the nearest right answer (DocVQA, InfographicVQA)."""
    return Verdict(anls(answer, truth.references), answer)


@rule()
def relaxed(answer: str, truth: GroundTruth) -> Verdict:
    """Within 5 % of a right number, or equal to a right text but for case (ChartQA's relaxed accuracy)."""
    return _any(answer, truth, relaxed_match)


@rule()
def relaxed_strip(answer: str, truth: GroundTruth) -> Verdict:
    """The rule `relaxed` for the answer without outer white space (VLMEvalKit, Qwen-VL)."""
    return _any(answer.strip(), truth, relaxed_match)


@rule("contains")
def _contains(answer: str, truth: GroundTruth) -> Verdict:
    """A right answer occurs in the answer; case and outer white space do not count (OCRBench)."""
    return _any(answer, truth, contains)


@rule()
def contains_squeezed(answer: str, truth: GroundTruth) -> Verdict:
    """A right answer occurs in the answer, both without spaces and with their case (OCRBench's formulas)."""
    return _any(answer, truth, lambda reference, said: contains(reference, said, squeezed=True))


@rule()
def contains_lmms(answer: str, truth: GroundTruth) -> Verdict:
    """The rule `contains` with full-width ASCII folded on both sides (lmms-eval, OCRBench)."""
    return _any(answer, truth, lambda reference, said: contains(reference, said, fold=True))


@rule()
def mmmu_open(answer: str, truth: GroundTruth) -> Verdict:
    """A number or text behind words like "is" equals a right answer (MMMU's open questions)."""
    return Verdict(float(mmmu_open_hit(answer, truth.references)), answer)


def _vqa(name: str) -> Rule:
    def function(answer: str, truth: GroundTruth) -> Verdict:
        return Verdict(vqa_accuracy(answer, truth.references, name), normalize_answer(answer, name))

    function.__doc__ = f"Accuracy against ten human answers as {_VQA_SOURCES[name]} computes it."
    return Rule(name, function)


_VQA_SOURCES = {
    "official": "VQA's official evaluation (VQAv2, OK-VQA)",
    "m4c": "the TextVQA server's evaluator (m4c)",
    "vizwiz": "the VizWiz API",
    "lmms-eval": "lmms-eval's VQAv2 task",
    "lmms-eval-textvqa": "lmms-eval's TextVQA, OK-VQA and VizWiz tasks",
    "vlmevalkit": "VLMEvalKit",
}


def _equal(answer: str, truth: GroundTruth, normal: Callable[[str], str]) -> Verdict:
    said = normal(answer)
    return Verdict(float(said in {normal(reference) for reference in truth.references}), said)


def _any(answer: str, truth: GroundTruth, match: Callable[[str, str], bool]) -> Verdict:
    return Verdict(float(any(match(reference, answer) for reference in truth.references)), answer)


RULES: tuple[Rule, ...] = (
    exact,
    exact_lmms,
    verbatim,
    _anls,
    relaxed,
    relaxed_strip,
    _contains,
    contains_squeezed,
    contains_lmms,
    mmmu_open,
    *map(_vqa, VQA_RULES),
)
