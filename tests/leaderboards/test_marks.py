"""Incomplete data never look complete: marks and notes in every table, and what is left out is named."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest

from evalsuite import load_run
from evalsuite.comparison import compare
from evalsuite.exchange import import_predictions
from evalsuite.leaderboards import load, render, table
from evalsuite.leaderboards.frame import find_runs, scored_tasks
from evalsuite.leaderboards.numbers import legend
from evalsuite.report import write_report
from evalsuite.store import RunReader
from evalsuite.task import TaskEntry
from evalsuite.task.benchmark import entries
from tests.cli.program import here
from tests.engine.support import run_sums, sums_spec
from tests.exchange.test_owners_files import lines, pope, question
from tests.leaderboards.frames import frame, number


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """A run over 4 of POPE's 3,000 questions."""
    spec = pope(tmp_path / "data", "popular")
    rows = [
        {"question": question(thing), "answer": "Yes" if n % 2 else "No"}
        for n, thing in enumerate(("dog", "car", "cat", "bus"), start=1)
    ]
    import_predictions(tmp_path / "runs" / "four", spec, lines(tmp_path / "a.json", rows), model="m")
    return tmp_path / "runs" / "four"


SAID = "4 of the official 3,000 samples"


@pytest.mark.parametrize("kind", ["md", "latex", "html", "csv", "json"])
def test_data_that_are_not_the_official_split_are_marked_in_every_format(four: Path, kind: str) -> None:
    found = load([four])
    shown = table(found)
    text = render(found, shown, kind).decode()
    assert SAID in text
    (cell,) = shown.rows[0].cells
    assert cell is not None
    assert cell.marks == "†"
    if kind == "csv":
        assert {(row["marks"], row["remarks"]) for row in csv.DictReader(io.StringIO(text))} == {("†", SAID)}
    elif kind == "json":
        assert {row["marks"] for row in json.loads(text)} == {"†"}
    else:
        assert ("100.0†" if kind == "md" else r"\dag" if kind == "latex" else "†") in text


def test_the_program_the_report_and_the_notebook_say_it_too(
    four: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"† a subset of the benchmark (pope-popular: {SAID})" in here(capsys, "leaderboard", four).stdout
    assert f"remark     pope-popular (official): {SAID}" in here(capsys, "runs", "show", four).stdout
    assert SAID in load_run(four)._repr_html_()
    assert any(SAID in note for note in compare(four, four).notes)
    write_report([four], tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text()
    assert SAID in page
    assert '<sup class="marks">†</sup>' in page


def test_a_drawn_subset_is_marked_whether_the_size_is_known_or_not(tmp_path: Path) -> None:
    for count, said in ((8, "2 of the official 8 samples"), (None, "a random subset of 2 samples")):
        folder = tmp_path / str(count)
        folder.mkdir()
        (folder / "own.yaml").write_text(
            "name: own\ntitle: t\nfamily: vqa\nversion: '1'\nsplit: val\nlicence: none\nhome: none\n"
            "capability: text\nmetrics: [{name: accuracy, scale: 100, headline: true}]\n"
            + (f"count: {count}\n" if count else "")
            + "rules: {official: vqa}\n"
            "sources: [{reader: vqav2, files: {questions: q.json, annotations: a.json, images: i}}]\n"
            "protocols: {official: {template: '{image}{question}'}}\n"
        )
        (entry,) = entries(folder)
        assert entry.name == "own"
        from evalsuite.leaderboards.marks import partial, undeclared
        from evalsuite.store import TaskRecord
        from evalsuite.task import TaskInfo

        assert isinstance(entry, TaskEntry)
        info = TaskInfo(
            "own", "1", "text", "val", "official", "official", entry.metrics, count=count, drawn=True
        )
        record = TaskRecord(key="own", info=info, data_fingerprint="d", total=2, available=2)
        assert partial(info, record) == said
        assert undeclared(info, record) == ""


def test_a_size_that_nobody_declared_is_a_note_and_generated_data_have_none() -> None:
    shown = table(frame(number(undeclared="60 samples; how many the official split has is not declared")))
    assert shown.notes == (
        "size of the split not checked: vqa: 60 samples; how many the official split has is not declared",
    )
    assert shown.rows[0].cells[0].marks == ""  # type: ignore[union-attr]


def test_a_run_that_is_not_scored_has_a_row_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sums(sums_spec("sums", "sum-choices"), tmp_path / "good")
    run_sums(sums_spec(weights="v2"), tmp_path / "bare")
    (tmp_path / "bare" / "metrics.json").unlink()
    run_sums(sums_spec(weights="v3"), tmp_path / "damaged")
    (tmp_path / "damaged" / "run.json").write_text("{")
    found = load([tmp_path])
    shown = table(found)
    cells = dict(zip((column.task for column in shown.columns), shown.rows[1].cells, strict=True))
    assert cells["sum-choices"] is None
    assert cells["sums"] is not None
    assert math.isnan(cells["sums"].value)
    assert cells["sums"].marks == "∗"
    notes = " ".join(shown.notes)
    assert "∗ no number: adder [bare] on sums has no" in notes
    assert f"not scored: `evalsuite score {tmp_path / 'bare'}` needs no model" in notes
    assert f"left out: {tmp_path / 'damaged'}: " in notes
    assert [row.name for row in shown.rows] == ["adder [good]", "adder [bare]"]
    for kind in ("md", "latex", "html"):
        text = render(found, shown, kind).decode()
        assert "left out" in text
        assert all(line.split("(")[0] in text or kind != "html" for line in legend(shown)[:1])
    listed = here(capsys, "runs", "list", tmp_path)
    scored = {line.split()[0]: line for line in listed.stdout.splitlines()[1:]}
    assert "  yes  " in scored[str(tmp_path / "good")]
    assert "  no  " in scored[str(tmp_path / "bare")]
    printed = " ".join(here(capsys, "leaderboard", tmp_path).stdout.split())
    assert "left out: " in printed
    assert "no number: adder [bare] on sums" in printed
    write_report([tmp_path], tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text()
    assert "Left out: damaged: " in page
    assert "not scored" in page


def test_a_headline_that_was_lost_is_marked_and_its_column_stays(tmp_path: Path) -> None:
    for name, weights in (("whole", "v1"), ("without", "v2")):
        run_sums(sums_spec(weights=weights), tmp_path / name)
    file = tmp_path / "without" / "metrics.json"
    stored = json.loads(file.read_text())
    (result,) = stored["results"]
    head = next(m["name"] for m in result["info"]["metrics"] if m["headline"])
    result["estimates"] = [e for e in result["estimates"] if e["metric"]["name"] != head]
    result["missing"] = {head: "needs Java"}
    file.write_text(json.dumps(stored))
    shown = table(load([tmp_path]))
    assert [column.metric for column in shown.columns] == [head]
    marks = {row.name: row.cells[0].marks for row in shown.rows if row.cells[0] is not None}
    assert marks == {"adder [whole]": "", "adder [without]": "∗"}
    assert shown.notes == (f"∗ no number: adder [without] on sums has no {head} (needs Java)",)
    with RunReader(tmp_path / "without") as run:
        assert scored_tasks(run) == "0 of 1 tasks"


def test_answers_that_came_after_the_scores_are_told(tmp_path: Path) -> None:
    run_sums(sums_spec(), tmp_path / "run")
    file = tmp_path / "run" / "metrics.json"
    stored = json.loads(file.read_text())
    stored["results"][0]["answered"] -= 5
    file.write_text(json.dumps(stored))
    shown = table(load([tmp_path / "run"]))
    assert "§" in shown.rows[0].cells[0].marks  # type: ignore[union-attr]
    assert any("5 answers came after the scores" in note for note in shown.notes)
    with RunReader(tmp_path / "run") as run:
        assert scored_tasks(run) == "yes, 5 answers came later"


def test_runs_behind_links_are_found_once(tmp_path: Path) -> None:
    run_sums(sums_spec(), tmp_path / "store" / "deep" / "run")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "linked").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "deep" / "back").symlink_to(tmp_path / "runs")
    assert find_runs(tmp_path / "runs") == [tmp_path / "runs" / "linked" / "deep" / "run"]
    assert find_runs(tmp_path) == [tmp_path / "store" / "deep" / "run"]
