"""The answer behind the reasoning, in the marks of public models."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.model.reasoning import (
    NOTHING,
    OPENED,
    UNENDED,
    USED_UP,
    answer_in,
    answer_of,
    opening_mark,
    without_reasoning,
)  # fmt: skip
from evalsuite.request import ChoiceResponse, TextResponse

BEHIND = {
    "think": "<think>\nno dog, no cat\n</think>\n\nYes",
    "capitals": "<Think>no</Think> Yes",
    "closing only": "There is no dog.\n</think>\n\nYes",
    "closing twice": "no </think> No? </think> Yes",
    "two thoughts": "<think>no</think><think>no</think>Yes",
    "thinking": "<thinking>no</thinking>Yes",
    "EXAONE": "<thought>\nno\n</thought>\n\nYes",
    "Seed": "<seed:think>no</seed:think>Yes",
    "Magistral": "[THINK]no[/THINK]Yes",
    "Kimi": "◁think▷no◁/think▷Yes",
    "OpenThinker": "<|begin_of_thought|>no<|end_of_thought|><|begin_of_solution|>Yes<|end_of_solution|>",
    "Command A": "<|START_THINKING|>no<|END_THINKING|><|START_RESPONSE|>Yes<|END_RESPONSE|>",
    "Apertus": "<|inner_prefix|>no<|inner_suffix|>Yes",
    "Gemma": "<|channel>thought\nno<channel|>Yes",
    "MedGemma": "<unused94>thought\nno<unused95>Yes",
    "Granite": "Here is my thought process: no. Here is my response: Yes",
    "gpt-oss": (
        "<|channel|>analysis<|message|>no<|end|><|start|>assistant<|channel|>final<|message|>Yes<|return|>"
    ),
    "gpt-oss, plain": "analysisThe user asks, no dog.assistantfinalYes",
    "GLM": "<think>no</think><answer><|begin_of_box|>Yes<|end_of_box|></answer>",
    "GLM, box alone": "The answer is <|begin_of_box|>Yes<|end_of_box|>.",
    "GLM, open box": "<think>no</think>So: <|begin_of_box|>Yes",
    "R1-V": "<think>no</think><answer>Yes</answer>",
    "Keye": "<analysis>no</analysis><think>no</think><answer>Yes</answer>",
    "LLaVA-CoT": "<SUMMARY>no</SUMMARY><REASONING>no</REASONING><CONCLUSION>Yes</CONCLUSION>",
    "Hunyuan": "<think>no</think>\n<answer>\nYes\n</answer>",
    "ERNIE": "no\n</think>\n\n<response>\nYes\n</response>",
}


@pytest.mark.parametrize("name", BEHIND)
def test_what_stands_behind_the_thought_is_the_answer(name: Any) -> None:
    found = answer_of(BEHIND[name])
    assert (found.text, found.reasoned, found.missing) == ("Yes", True, "")


PLAIN = [
    "", " Yes \n", "no", "I think so", "<answer>Yes</answer>", "a < b > c", "Here is my response: no",
    "HTML has <b>tags</b>", "analysis of the scene: a dog", "The tag <think> opens a thought.", "[think]",
    "\\boxed{B}", "assistantfinal", "<|end|>",
]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_what_holds_no_reasoning_stays_to_the_letter(text: Any) -> None:
    response = TextResponse(text)
    assert without_reasoning(response) is response


def test_a_response_without_text_stays() -> None:
    response = ChoiceResponse((0.0,))
    assert without_reasoning(response) is response


@pytest.mark.parametrize(
    ("text", "truncated", "opened", "missing"),
    [
        ("<think>I see a dog, no", True, False, USED_UP),
        ("<think>I see a dog, no", False, False, UNENDED),
        ("I see a dog, no", True, True, USED_UP),
        ("<think>no</think>", False, False, NOTHING),
        ("<think>no</think>\n", True, False, USED_UP),
        ("<|channel|>analysis<|message|>no", True, False, USED_UP),
        ("analysisThe user asks, no", True, False, USED_UP),
        ("", True, True, USED_UP),
    ],
)
def test_a_thought_without_an_answer_is_never_one(
    text: str, truncated: bool, opened: bool, missing: Any
) -> None:
    found = answer_of(text, truncated=truncated, opened=opened)
    assert (found.text, found.missing) == ("", missing)


def test_a_thought_that_the_prompt_opened_ends_in_the_answer() -> None:
    assert answer_of("no </think> Yes", opened=True).text == "Yes"
    assert answer_in(TextResponse("no </think>Yes", details={OPENED: "<think>"})).text == "Yes"


def test_what_was_answered_before_a_second_thought_was_cut_off_stays() -> None:
    assert answer_of("Yes <think>or no", truncated=True).text == "Yes"


@pytest.mark.parametrize("prompt", ["a<think>", "a<think>\n", "a [THINK] ", "a◁think▷"])
def test_templates_that_open_a_thought_are_seen(prompt: str) -> None:
    assert opening_mark(prompt)


@pytest.mark.parametrize("prompt", ["", "assistant:", "<think>\n\n</think>\n\n", "think"])
def test_templates_that_do_not_are_none(prompt: str) -> None:
    assert opening_mark(prompt) == ""


@pytest.mark.slow
def test_many_marks_cost_no_more_than_their_number() -> None:
    text = "<think>" * 200_000
    assert answer_of(text, truncated=True).missing == USED_UP
    assert answer_of("</think>" * 200_000 + "Yes").text == "Yes"
