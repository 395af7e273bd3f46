"""A run of pairs with unread, failed and missing answers: every place that shows its numbers says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalsuite.leaderboards import load, table
from evalsuite.registry import load_registry
from evalsuite.running import run
from evalsuite.running.scoring import score_run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from tests.cli.program import here

PLUGIN = '''
from pathlib import Path

from evalsuite.errors import SampleError
from evalsuite.model import ModelEntry, ModelInfo, Prepared
from evalsuite.request import TextResponse
from evalsuite.task import entries


class Echo:
    """Answers what stands behind the last colon."""

    info = ModelInfo("echo", "v1")

    def __init__(self, options):
        pass

    def prepare(self, request):
        text = request.messages[-1].text.rpartition(":")[2]
        if text == "refuse":
            raise SampleError("It refuses.")
        return Prepared(request, text, cost=1)

    def generate_text(self, batch):
        return [TextResponse(prepared.payload) for prepared in batch]


def tasks():
    return entries(Path(__file__).parent)


def models():
    return [ModelEntry("echo", "echoes", frozenset({"text"}), Echo)]
'''
FILE = """
name: pairs
title: Pairs
family: yesno
version: 1
split: all
licence: none
home: here
capability: text
metrics:
  - {name: total, sum_over: part, of: [accuracy, accuracy+], exceeds_one: true, scale: 100, headline: true}
  - {name: accuracy, scale: 100}
  - {name: accuracy+, all_of: accuracy, by: [part, image], scale: 100}
rules: {official: lmms-eval}
by: [part]
count: 8
sources:
  - reader: yesno-table
    files: {table: t.jsonl}
    columns: {id: id, question: question, answer: answer}
    settings: {labels: [part, image], cluster: image}
protocols: {plain: {template: "{question}", decoding: {max_new_tokens: 8}}}
"""
SAID = ("yes", "no", "yes", "perhaps", "yes", "no", "refuse", "no")
"""Two questions about each image, the first with the answer yes: right, half read, right, half refused."""


def pairs(folder: Path, said: tuple[str, ...] = SAID) -> Path:
    folder.mkdir()
    (folder / "pairs.yaml").write_text(FILE)
    (folder / "plugin.py").write_text(PLUGIN)
    rows = [
        {
            "id": str(i),
            "question": f"?:{text}",
            "answer": "no" if i % 2 else "yes",
            "part": "ab"[i // 4 % 2],
            "image": str(i // 2),
        }
        for i, text in enumerate(said)
    ]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def measured(data: Path, out: Path, limit: int | None = None) -> Path:
    plugin = data / "plugin.py"
    spec = RunSpec(
        model=ModelSpec(name="echo"),
        tasks=(TaskSpec(name="pairs", data=data),),
        plugins=(plugin,),
        limit=limit,
    )
    run(spec, out, ExecutionOptions(max_failures=1), load_registry([plugin]))
    return out


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return measured(pairs(tmp_path / "data"), tmp_path / "run")


LEFT_OUT = "1 of 4 groups lack members and are left out (part=b, image=3)"


@pytest.mark.slow
def test_numbers_of_an_answer_unread_and_one_refused(whole: Path) -> None:
    with RunReader(whole) as reader:
        (result,) = reader.metrics()
        scores = reader.scores("pairs", "official")
    values = {(e.metric.name, e.group): e.value for e in result.numbers()}
    assert values["accuracy", ""] == pytest.approx(6 / 7)
    assert values["accuracy", "part=a"] == pytest.approx(3 / 4)
    assert values["accuracy+", ""] == pytest.approx(2 / 3)
    assert values["total", ""] == pytest.approx(3 / 4 + 1 / 2 + 1 + 1)
    assert (result.unread, result.failed, result.n) == (1, 1, 7)
    assert result.notes == {"total": LEFT_OUT, "accuracy+": LEFT_OUT}
    assert scores.set_index("id")["unread"].to_dict() == {str(i): i == 3 for i in range(8)}
    assert scores.set_index("id").loc["3", "parsed"] == "?"


@pytest.mark.slow
def test_the_leaderboard_marks_and_explains_them(whole: Path) -> None:
    found = table(load([whole]), all_metrics=True)
    cells = {c.metric: cell.marks for c, cell in zip(found.columns, found.rows[0].cells, strict=True) if cell}
    assert cells == {"total": "‡◊‖", "accuracy": "‡◊", "accuracy+": "‡◊‖"}
    notes = "\n".join(found.notes)
    assert "◊ unread answers, counted as the scorer counts them: echo on pairs (1 of 8)" in notes
    assert f"‖ incomplete: echo on pairs, total ({LEFT_OUT}), echo on pairs, accuracy+ ({LEFT_OUT})" in notes


@pytest.mark.slow
def test_the_commands_say_them(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = here(capsys, "runs", "show", whole)
    assert f"incomplete pairs total: {LEFT_OUT}" in shown.stdout
    assert "unread     pairs (official): 1 of 7 answers could not be read" in shown.stdout
    told = here(capsys, "explain", whole, "--task", "pairs", "--metric", "accuracy")
    assert "unread answers" in told.stdout, told
    made = here(capsys, "report", whole, "--out", tmp_path / "site")
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "site" / "tasks" / "pairs.html").read_text()
    assert "1 unread" in page
    assert "accuracy+ lacks" in page


@pytest.mark.slow
def test_a_subset_says_which_groups_it_has_nothing_of(tmp_path: Path) -> None:
    out = measured(pairs(tmp_path / "data"), tmp_path / "run", limit=3)
    with RunReader(out) as reader:
        (result,) = reader.metrics()
        asked = {record.sample for record in reader.records("pairs")}
    told = {**result.notes, **result.missing}
    images = {int(name) // 2 for name in asked}
    assert len(asked) == 3
    assert f"{4 - len(images)} of 4 groups have no scored sample" in told["accuracy+"] or (
        told["accuracy+"] == f"none of its {len(images)} groups is complete"
    )


@pytest.mark.slow
def test_a_complete_run_has_no_marks(tmp_path: Path) -> None:
    said = ("yes", "no", "yes", "no", "no", "no", "yes", "no")
    out = measured(pairs(tmp_path / "data", said), tmp_path / "run")
    with RunReader(out) as reader:
        (result,) = reader.metrics()
    assert (result.unread, result.notes) == (0, {})
    (column,) = table(load([out])).columns
    assert column.metric == "total"
    assert table(load([out])).notes == ()


@pytest.mark.slow
def test_numbers_of_a_run_scored_before_unread_was_recorded_are_still_read(whole: Path) -> None:
    path = whole / "metrics.json"
    stored = json.loads(path.read_text())
    for result in stored["results"]:
        del result["unread"], result["notes"]
    path.write_text(json.dumps(stored))
    with RunReader(whole) as reader:
        assert [(found.unread, found.notes) for found in reader.metrics()] == [(None, {})]
    assert "◊" not in "".join(table(load([whole])).notes)
    (again,) = score_run(whole).results
    assert again.unread == 1
