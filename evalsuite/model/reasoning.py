"""Reasoning in front of an answer: the marks that public models put around it, and the answer behind it.

A reasoning model thinks in its output. Scored with it, right answers are wrong: the first "no" of a thought
is POPE's answer, the first letter MMBench's. What stands between the marks is no answer; what is left is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from evalsuite.request import Response, TextResponse

Reasoning = Literal["strip", "keep"]
"""What scoring does with reasoning; stored answers keep it in any case."""

OPENED = "reasoning_opened"
"""Name in a response's details: the prompt ended with this mark, so that the answer begins inside it."""

_PAIRS: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),  # DeepSeek-R1, Qwen3, QwQ, GLM-4.5, MiniMax, ERNIE, Hunyuan, InternVL, MiMo …
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),  # EXAONE Deep
    ("<reasoning>", "</reasoning>"),  # LLaVA-CoT, Reka
    ("<analysis>", "</analysis>"),  # Keye-VL
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<longcat_think>", "</longcat_think>"),
    ("<mm:think>", "</mm:think>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("◁think▷", "◁/think▷"),  # Kimi-VL
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # OpenThinker, Sky-T1
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A Reasoning
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("<unused94>thought", "<unused95>"),  # MedGemma
    ("Here is my thought process:", "Here is my response:"),  # Granite 3.2
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),  # gpt-oss
)
"""What opens and what closes a thought; several models leave the first to their chat template."""

_WRAPS: tuple[tuple[str, str], ...] = (
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<conclusion>", "</conclusion>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
)
"""What such models put around the answer behind a thought."""

_BOX = ("<|begin_of_box|>", "<|end_of_box|>")
"""GLM's marks around the final answer, with a thought or without."""

_ENDS = re.compile(r"(<\|(end|return|im_end|start)\|>|</s>|<\|eot_id\|>)\s*$")


def _key(mark: str) -> str:
    """Tags are known in any case, other marks in their own only."""
    return mark.lower() if mark.startswith("<") else mark


_OPENING = {_key(opening): i for i, (opening, _) in enumerate(_PAIRS)}
_CLOSING = {_key(closing): i for i, (_, closing) in enumerate(_PAIRS)}
_MARKS = re.compile(
    "|".join(
        f"(?i:{re.escape(mark)})" if mark.startswith("<") else re.escape(mark)
        for mark in sorted([*_OPENING, *_CLOSING], key=len, reverse=True)
    )
)
_PERHAPS = re.compile(
    r"[<\[◁]|^\s*analysis|"
    + "|".join(re.escape(mark) for mark in (*_OPENING, *_CLOSING) if mark[0] not in "<[◁")
)
"""Found in every text that holds a mark, and in few others: a tenth of the cost of looking for all marks."""
_HARMONY = re.compile(r"^\s*analysis(?=[A-Z\"'(]).*?assistantfinal", re.DOTALL)
"""gpt-oss without its special tokens: `analysisThe user asks …assistantfinalNo.`"""
_HARMONY_OPEN = re.compile(r"^\s*analysis(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Args:
        text: without reasoning; as it was where there was none.
        reasoned: something was taken away.
        closed_only: there was a closing mark without an opening one: the prompt opens the thought.
        missing: why there is no answer behind the reasoning; empty where there is one.
    """

    text: str
    reasoned: bool = False
    closed_only: bool = False
    missing: str = ""


USED_UP = "the token limit was used up by reasoning: there is no answer"
UNENDED = "the reasoning does not end: there is no answer"
NOTHING = "nothing follows the reasoning: there is no answer"


def answer_of(text: str, *, opened: bool = False, truncated: bool = False) -> Answer:
    """The answer behind the reasoning.

    Args:
        text: as generated.
        opened: it begins inside a thought (see `OPENED`).
        truncated: the token limit ended it.

    >>> answer_of("<think>no dog, no cat</think>Yes").text
    'Yes'
    >>> answer_of("it may be a dog</think> no").text
    'no'
    >>> answer_of("<think>I see a", truncated=True).missing
    'the token limit was used up by reasoning: there is no answer'
    """
    found = _without_thought(text, opened=opened, truncated=truncated)
    if found is None:
        boxed = _boxed(text)
        return Answer(text) if boxed is None else Answer(boxed, reasoned=True)
    left, inside, closed_only = found
    left = _ENDS.sub("", left.strip()).strip()
    if not left:
        missing = (USED_UP if truncated else UNENDED) if inside else (USED_UP if truncated else NOTHING)
        return Answer("", True, closed_only, missing)
    boxed = _boxed(left)
    return Answer(_unwrapped(left) if boxed is None else boxed, True, closed_only)


def answer_in(response: TextResponse, *, opens: bool = False) -> Answer:
    """The answer in a response.

    Args:
        opens: other answers of the model show that its template opens every thought.
    """
    opened = bool(response.details.get(OPENED)) or (opens and response.truncated)
    return answer_of(response.text, opened=opened, truncated=response.truncated)


def without_reasoning(response: Response, *, opens: bool = False) -> Response:
    """The response with its answer alone; the same object where it holds no reasoning."""
    if not isinstance(response, TextResponse):
        return response
    found = answer_in(response, opens=opens)
    return replace(response, text=found.text) if found.reasoned else response


def opening_mark(prompt: str) -> str:
    """The mark that a prompt ends with, so that the answer begins inside a thought; empty for none.

    >>> opening_mark("assistant\\n<think>\\n"), opening_mark("<think>\\n\\n</think>\\n\\n")
    ('<think>', '')
    """
    end = prompt.rstrip().lower()
    return next((opening for opening, _ in _PAIRS if end.endswith(opening.lower())), "")


def _without_thought(text: str, *, opened: bool, truncated: bool) -> tuple[str, bool, bool] | None:
    """What stands outside of thoughts, whether the last one does not end, and whether one only ends; None for
    a text without any."""
    if not opened and not _PERHAPS.search(text):
        return None
    if harmony := _HARMONY.match(text):
        return text[harmony.end() :], False, False
    if truncated and _HARMONY_OPEN.match(text):
        return "", True, False
    marks = list(_MARKS.finditer(text))
    if not marks and not opened:
        return None
    parts: list[str] = []
    inside: int | None = -1 if opened else None
    at, begun, closed_only, seen = 0, 0, False, opened
    for mark in marks:
        word = _key(mark.group())
        if inside is None and word in _OPENING:
            parts.append(text[at : mark.start()])
            inside, begun = _OPENING[word], mark.start()
        elif word in _CLOSING and inside in (_CLOSING[word], -1):
            inside, at, seen = None, mark.end(), True
        elif inside is None and word in _CLOSING:
            if _PAIRS[_CLOSING[word]][1][0] not in "<[◁":
                continue  # words that an answer may hold
            parts.clear()  # whatever came before belonged to the thought
            at, closed_only, seen = mark.end(), True, True
    if inside is None:
        return ("".join([*parts, text[at:]]), False, closed_only) if seen else None
    before = "".join(parts)
    if before.strip() and not truncated:  # an answer that speaks of such a mark
        return ("".join([before, text[begun:]]), False, closed_only) if seen else None
    return before, True, closed_only


def _boxed(text: str) -> str | None:
    opening, closing = _BOX
    start = text.rfind(opening)
    if start < 0:
        return None
    return text[start + len(opening) :].partition(closing)[0].strip()


def _unwrapped(text: str) -> str:
    lower = text.lower()
    for opening, closing in _WRAPS:
        start = lower.rfind(opening.lower())
        if start >= 0:
            inner = text[start + len(opening) :]
            end = inner.lower().find(closing.lower())
            return (inner if end < 0 else inner[:end]).strip()
    return text
