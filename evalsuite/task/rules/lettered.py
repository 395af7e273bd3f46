"""The rules of questions with options: which letter an answer means. What none means is left unread."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evalsuite.metrics.choice import CHOICE_RULES
from evalsuite.metrics.letters import LETTER_RULES
from evalsuite.task.rules.types import UNREAD, GroundTruth, Rule, Verdict

_SOURCES = {
    "llava-scienceqa": "LLaVA's eval_science_qa.py: a letter in front, or one behind \"The answer is\"",
    "lmms-scienceqa": "lmms-eval's ScienceQA task: the letter alone, or in front of a period",
    "equal": "the answer is the letter (LLaVA's SEED-Bench)",
    "first-letter": "the first character is the letter (lmms-eval's SEED-Bench)",
    "mmmu": "MMMU's parser: \"(B)\", \"B\", or the text of an option",
    "vlmevalkit": "VLMEvalKit, the tool chain of MMBench: one letter, or the text of one option",
    "lmms-eval": "lmms-eval's MMBench task: one letter with its marks, or the text of one option",
    "mmstar": "MMStar's evaluation: the letter in front, or behind \"(\", \"option \" or \"the answer is \"",
    "blink": "BLINK's evaluation without its judge: one \"(B)\" in the answer or behind its last blank line",
    "ai2d-lmms": "lmms-eval's AI2D task: a letter in front of a period, else the whole answer",
    "ai2d-cambrian": "Cambrian's AI2D evaluation: the letter behind the last \"answer is\"",
    "internvl": "the answer is the letter, in either case (InternVL's exact match)",
    "lmms-mcq": "lmms-eval's shared extractor of letters (since 2026)",
    "blink-lmms": "lmms-eval's BLINK task: the first letter, whatever word it begins",
    "in-parentheses": "the answer is the letter between parentheses (BLINK's judge)",
    "mmmu-pro": "MMMU-Pro's parser: one letter behind the last \"Answer:\", else nearly as `mmmu`",
    "mmvp-bagel": "BAGEL's and InternVL's MMVP evaluation: a letter in front, or the text of an option",
    "mmvp-cambrian": "Cambrian's MMVP evaluation: the letter or the option behind the last \"answer is\"",
    "mmvp-lmms": "lmms-eval's MMVP task: the first of five patterns that finds A or B",
    "unieval": "UniEval's check_answer: the last letter at a parenthesis, at the end, or an option's text",
    "mme-unify": "the letter behind the last \"Answer:\", or the answer itself (the form MME-Unify asks for)",
    "realunify": "RealUnify's evaluation: the first capital letter from A to D",
    "realunify-lmms": "lmms-eval's RealUnify task: the first letter from A to D in either case",
    "mmsi": "lmms-eval's UniG2U, MMSI: the letter between backticks, or the first alone",
    "visual-puzzles": "lmms-eval's UniG2U, VisualPuzzles: the first of nine forms that finds a letter",
}  # fmt: skip


def letter_rule(
    name: str,
    read: Callable[[str, Mapping[str, str]], str | None],
    title: str = "",
    *,
    guesses: bool = False,
) -> Rule:
    """A rule of a function that reads the letter an answer means (None: cannot decide).

    The value is 1 where that letter is among the right ones, else 0.
    """

    def function(answer: str, truth: GroundTruth) -> Verdict:
        pick = read(answer, truth.options)
        return UNREAD if not pick else Verdict(float(pick in truth.references), pick)

    function.__doc__ = title or read.__doc__
    return Rule(name, function, "letters", guesses=guesses)


RULES: tuple[Rule, ...] = (
    *(letter_rule(name, read, _SOURCES[name]) for name, read in LETTER_RULES.items()),
    *(letter_rule(name, read, _SOURCES[name]) for name, read in CHOICE_RULES.items()),
    letter_rule(
        "mmmu-guessing",
        LETTER_RULES["mmmu"],
        "The rule `mmmu`, with the official random option for an unread answer (seed 42)",
        guesses=True,
    ),
)
