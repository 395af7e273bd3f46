"""OpenING's comparisons with other runs: who meets whom, what the judge is shown, win rates."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Image, Text
from evalsuite.errors import SampleError, SpecError
from evalsuite.metrics.interleaved_answers import opening_battle, opening_winner
from evalsuite.metrics.rubric import win_rates
from evalsuite.request import DocumentResponse
from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from tests.goldens import case_files, read_json
from tests.tasks.asking import build
from tests.tasks.test_rubric import numbers, shown
from tests.tasks.test_rubric_documents import document, opening, written

WRITERS = Path(__file__).parents[1] / "study/writers.py"
SYSTEM = (
    'if __name__ == "__main__":\n    SYSTEM_MESSAGE = "Compare the two documents, and be fair to both.\\n"\n'
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = opening(tmp_path_factory.mktemp("opening"))
    path = folder / "OpenING-Benchmark/test_data.jsonl"
    row = json.loads(path.read_text())
    path.write_text("".join(json.dumps({**row, "total_uid": f"01{n:02}"}) + "\n" for n in range(16)))
    (folder / "prompts/judge_system.txt").write_text("Say A or B.")
    (folder / "IntJudge_judge_AB.py").write_text(SYSTEM)
    return folder


@pytest.fixture(scope="module")
def rival(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `opening` by another model."""
    path = tmp_path_factory.mktemp("runs") / "rival"
    task = TaskSpec(name="opening", data=data)
    spec = RunSpec(model=ModelSpec(name="writer-one"), tasks=(task,), plugins=(WRITERS,))
    assert run(spec, path).failed == 0
    return path


def pairwise(data: Path, *runs: Path, name: str = "opening-pairwise") -> Any:
    return build(name, data, options={"against": ",".join(map(str, runs))})


def test_the_judge_is_shown_both_documents_on_either_side(data: Path, rival: Path) -> None:
    task = pairwise(data, rival)
    assert task.info.protocol == "official, against writer-one"
    samples = {sample.labels["shown"]: sample for sample in task.samples()}
    assert set(samples) == {"A", "B"}
    assert {sample.labels["rival"] for sample in samples.values()} == {"writer-one"}
    question = "Say A or B.|<INPUT>: Show the steps.  <IMG_0></IMG_0><image>In order."
    end = "\nPlease only output which model is better: "
    for side, sample in samples.items():
        chat = task.question(written(sample, document("Mine", None)), ())
        text = shown(chat)
        assert text.startswith(question)
        assert text.endswith(end)
        first, _, second = text.removeprefix(question).removesuffix(end).partition("\n<OUTPUT_B>:")
        mine, theirs = (first, second) if side == "A" else (second, first)
        assert "Mine <IMG_" in mine
        words = [one.text.split()[0] for one in documents(rival, sample.id) if isinstance(one, Text)]
        assert all(word in theirs for word in words)
        images = sum(isinstance(one, Image) for one in documents(rival, sample.id)) + 2
        assert all(f"<IMG_{n}></IMG_{n}><image>" in text for n in range(images))
        assert chat.max_tokens == 5


def documents(run_path: Path, sample: str) -> tuple[Any, ...]:
    with RunReader(run_path) as stored:
        (record,) = stored.steps(stored.task_keys[0], sample)
    assert isinstance(record.response, DocumentResponse)
    return record.response.parts


def test_intjudge_is_asked_in_its_own_words(data: Path, rival: Path) -> None:
    task = pairwise(data, rival, name="opening-pairwise-intjudge")
    text = shown(task.question(written(next(iter(task.samples())), document(None)), ()))
    assert text.startswith("Compare the two documents, and be fair to both.\n|<INPUT>: Show")
    assert text.endswith('"Tie(A is better)" or "Tie(B is better)": \n')


def test_win_rates_count_ties_in_four_ways(data: Path, rival: Path) -> None:
    task = pairwise(data, rival)
    samples = [sample for sample in task.samples() if sample.labels["shown"] == "B"]
    assert len(samples) > 3
    replies = ["B is better", "A", "Tie(B is better)", "nobody"]
    answered = [
        written(sample, document("x"), [reply]) for sample, reply in zip(samples, replies, strict=False)
    ]
    scores = task.score(answered)
    assert "neither A nor B" in scores.rows[3].failure
    found = numbers(scores)
    shares = [found[name] for name in ("FDT", "w/o Tie", "w/ Tie (0)", "w/ Tie (.5)")]
    assert shares == pytest.approx([2 / 3, 1 / 2, 1 / 3, 1 / 2], abs=1e-6)
    assert found["FDT rival=writer-one"] == found["FDT"]
    ties = task.score([written(sample, document("x"), ["Tie(A)"]) for sample in samples])
    assert "w/o Tie" in ties.missing
    assert numbers(ties)["w/ Tie (.5)"] == 0.5


def test_several_runs_are_met_by_turns_and_travel(data: Path, rival: Path, tmp_path: Path) -> None:
    task = pickle.loads(pickle.dumps(pairwise(data, rival, rival)))
    again = {sample.id: dict(sample.labels) for sample in pairwise(data, rival, rival).samples()}
    assert {sample.id: sample.labels for sample in task.samples()} == again
    sample = next(iter(task.samples()))
    lost = type(sample)(
        "0999", type(sample.record)("0999", "", sample.record.questions), labels=sample.labels
    )
    with pytest.raises(SampleError, match="has no document of this sample"):
        task.question(written(lost, document("x")), ())
    with pytest.raises(SpecError, match="against=RUN"):
        build("opening-pairwise", data)
    with pytest.raises(SpecError, match="nothing with other runs"):
        build("opening", data, options={"against": str(rival)})


@pytest.mark.parametrize("path", case_files("opening_cases*.json*"), ids=lambda path: path.name)
def test_rates_are_those_of_the_official_script(path: Path) -> None:
    cases = [case for case in read_json(path)["cases"] if case["kind"] == "win rates"]
    assert cases
    names = {"tie2ABdiv": "FDT", "without_tie": "w/o Tie", "with_tie": "w/ Tie (0)"}
    for case in cases:
        won: dict[tuple[str, str], list[float]] = {}
        for row in case["input"]:
            for side in "AB":
                for column, value in opening_battle(row["winner"], side).items():
                    won.setdefault((column, row[f"model_{side}"]["name"]), []).append(value)
        for official, column in names.items():
            rates = {m: sum(v) / len(v) for (c, m), v in won.items() if c == column}
            assert {f"{m}: {rate:.2%}" for m, rate in rates.items()} == set(case["official"][official])
        battles = [(r["model_A"]["name"], r["model_B"]["name"], r["winner"]) for r in case["input"]]
        assert win_rates(battles, "divided") == {
            m: sum(v) / len(v) for (c, m), v in won.items() if c == "FDT"
        }


@pytest.mark.parametrize(
    ("reply", "winner"),
    [("A", "A"), ("Tie(A", "Tie(A)"), ("tie", "tie)"), ("I say B, not A", "Tie(B)"), ("Model A", "Tie(A)")],
)
def test_replies_are_read_by_their_first_letters(reply: str, winner: str) -> None:
    assert opening_winner(reply) == winner
