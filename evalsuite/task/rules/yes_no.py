"""The rules of yes-or-no questions. An answer that says neither is left unread."""

from __future__ import annotations

from evalsuite.metrics.pope import POPE_RULES, yes_or_no
from evalsuite.task.rules.types import NOT_READ, UNREAD, GroundTruth, Rule, Verdict, rule

SAID = {True: "yes", False: "no"}
_SOURCES = {
    "official": 'POPE\'s evaluation: "yes" unless the first sentence holds "no" or "not"',
    "lmms-eval": 'lmms-eval\'s POPE task: the whole answer is "yes" or "no"',
    "vlmevalkit": 'VLMEvalKit: exactly one of the words "yes" and "no" (POPE, MME, HallusionBench)',
    "mme": 'MME\'s calculation.py: the answer, or "yes" or "no" within its first four characters',
    "mme-lmms": "lmms-eval's MME task: the rule `mme` without outer space and periods; \"y\" and \"n\" count",
}  # fmt: skip


def _rule(name: str) -> Rule:
    def function(answer: str, truth: GroundTruth) -> Verdict:
        said = yes_or_no(answer, name)
        return UNREAD if said is None else Verdict(float(SAID[said] in truth.references), SAID[said])

    function.__doc__ = _SOURCES[name]
    return Rule(name, function, "yes-no")


@rule(kind="yes-no")
def mme(answer: str, truth: GroundTruth) -> Verdict:
    """MME's calculation.py: the answer, or "yes" or "no" within its first four characters."""
    # Its reader takes lines of four fields between tabs: an answer with a tab in it is no line of its own.
    return Verdict(None, NOT_READ, unread=True) if "\t" in answer else _MME(answer, truth)


_MME = _rule("mme")
RULES: tuple[Rule, ...] = (*(_rule(name) for name in POPE_RULES if name != mme.name), mme)
