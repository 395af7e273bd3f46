"""MMBench with a judge: asked only where the rules leave a letter open, in the official wording, never at
random."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import evalsuite_tasks.choice
import pytest

from evalsuite.endpoint import Chat
from evalsuite.judging import Judged
from evalsuite.task import Answered, Judgement, Sample, SampleScore
from tests.tasks.asking import answer
from tests.tasks.test_choice import build, rows, written

OPEN = "a small furry animal that barks, I would say, and it barks a lot at night, which nobody likes at all"


def built(folder: Path, **changes: dict[str, str]) -> tuple[Judged, Sample]:
    task = build("mmbench-dev-en", data=written(folder, rows(**changes)), rules="official+judge")
    assert isinstance(task, Judged)
    return task, next(task.samples())


def ask(task: Judged, one: Answered, *said: str) -> Chat | None:
    return task.question(one, tuple(Judgement(text) for text in said))


def score(task: Judged, one: Answered, *runs: tuple[str, ...], failure: str = "") -> SampleScore:
    told = tuple(tuple(Judgement(text) for text in said) for said in runs)
    if failure:
        told = ((Judgement(failure=failure),),)
    (row,) = task.score([Answered(one.sample, one.responses, told)]).rows
    return row


def test_the_wording_is_the_official_one() -> None:
    wording = json.loads((Path(evalsuite_tasks.choice.__path__[0]) / "vlmevalkit-judge.json").read_text())
    digests = {name: hashlib.sha256(wording[name].encode()).hexdigest() for name in ("english", "chinese")}
    # Of the strings that build_prompt and build_prompt_cn of VLMEvalKit format.
    assert digests == {
        "english": "133b2beaa0ce149aab95c6d01d4629f034e8861c723fc302ab3853a41e690c86",
        "chinese": "6cd5198da4ff3d4179a6db5bf17eeb181fa9e55caba876e632f7c583ac0eeb7c",
    }


def test_an_answer_that_the_rules_cannot_read_goes_to_the_judge_with_its_own_options(tmp_path: Path) -> None:
    task, sample = built(tmp_path)
    chat = ask(task, answer(sample, "B", OPEN, "C"))
    assert chat is not None
    (message,) = chat.messages
    assert message.text.endswith(
        "Example 3: \nQuestion: what is it??\nOptions: There are several options: \nA. dog\nB. bird\nC. cat\n"
        f"\nAnswer: {OPEN}\nYour output: "
    )
    assert (chat.temperature, chat.max_tokens) == (0.0, 2048)


def test_a_chinese_question_is_asked_in_chinese(tmp_path: Path) -> None:
    changes = {f"r{name}": {"question": "这是什么"} for name in ("1", "1000001", "2000001")}
    task, sample = built(tmp_path, **changes)
    chat = ask(task, answer(sample, "B", OPEN, "C"))
    assert chat is not None
    assert "问题: 这是什么?\n选项: There are several options: \nA. dog" in chat.messages[0].text


def test_nothing_is_asked_where_the_rules_decide(tmp_path: Path) -> None:
    task, sample = built(tmp_path)
    assert ask(task, answer(sample, "B", "A", "C")) is None
    # A rotation that is wrong by the rules ends the question, whatever the others say …
    assert ask(task, answer(sample, "B", OPEN, "A")) is None
    # … but for the first one, which the vanilla score needs.
    assert ask(task, answer(sample, OPEN, "A", "A")) is not None
    assert ask(task, answer(sample, OPEN, OPEN, "A"), "B") is None


def test_the_judges_letters_count_and_a_wrong_one_ends_the_question(tmp_path: Path) -> None:
    task, sample = built(tmp_path)
    one = answer(sample, OPEN, OPEN, "C")
    assert ask(task, one, "B") is not None
    assert ask(task, one, "B", "A") is None
    assert score(task, one, ("B", "A")).values == {"circular": 1.0, "vanilla": 1.0, "undecided": 0.0}
    assert ask(task, one, "A") is None
    assert score(task, one, ("A",)).values == {"circular": 0.0, "vanilla": 0.0, "undecided": 0.0}
    assert score(task, one, ("B", "A"), ("A",)).values["circular"] == 0.5  # mean over the judge's runs


def test_three_replies_without_a_letter_are_undecided_never_a_random_letter(tmp_path: Path) -> None:
    task, sample = built(tmp_path)
    one = answer(sample, "B", OPEN, "C")
    assert ask(task, one, "hm", "well") is not None
    assert ask(task, one, "hm", "well", "A") is None
    assert score(task, one, ("hm", "well", "A")).values["circular"] == 1.0
    assert ask(task, one, "hm", "well", "maybe") is None
    row = score(task, one, ("hm", "well", "maybe"))
    assert row.values == {"circular": 0.0, "vanilla": 1.0, "undecided": 1.0}
    assert row.parsed == "B ? C"


@pytest.mark.parametrize("said", [(), ("hm",)])
def test_an_answer_that_the_judge_has_not_read_to_the_end_has_no_score(
    tmp_path: Path, said: tuple[str, ...]
) -> None:
    task, sample = built(tmp_path)
    one = answer(sample, "B", OPEN, "C")
    row = score(task, one, said)
    assert (row.failure, row.values) == ("", {})
    assert score(task, one, failure="timed out").failure == "the judge gave nothing: timed out"


def test_without_a_judge_the_score_is_missing_unless_the_rules_decide_all(tmp_path: Path) -> None:
    task, sample = built(tmp_path)
    waiting = task.score([answer(sample, "B", OPEN, "C")])
    assert "evalsuite judge RUN --task mmbench-dev-en" in waiting.missing["circular"]
    assert "(1 questions need one)" in waiting.missing["circular"]
    decided = task.score([answer(sample, "B", "A", "C")])
    assert not decided.missing
    assert decided.rows[0].values["circular"] == 1.0


def test_the_rules_without_a_judge_are_no_judged_task(tmp_path: Path) -> None:
    assert not isinstance(build("mmbench-dev-en", data=written(tmp_path, rows())), Judged)
