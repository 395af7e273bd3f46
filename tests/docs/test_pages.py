"""The pages for plugin authors are true: their files, as they stand, are measured by their commands."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import user
from evalsuite.request import GenerateText, Request
from tests.cli.program import Ended, here
from tests.judging.data import mmvet
from tests.model.service import one_in_eight, serving
from tests.tasks.tables import by_datasets, cell, image_files, json_lines

PAGES = Path(__file__).parents[2] / "docs" / "plugins"
_BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.S | re.M)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.S | re.M)


class Page:
    """A page at work in a folder of its own: the newcomer who copies it."""

    def __init__(self, name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.text = (PAGES / name).read_text(encoding="utf-8")
        self.folder = folder
        self._capsys = capsys
        for file, content in _BLOCK.findall(self.text):
            (folder / file).write_text(content)

    def run(self, **places: str) -> list[Ended]:
        """Every command, in order; `places` stand for the words in capitals."""
        ended = []
        for line in "".join(_CONSOLE.findall(self.text)).splitlines():
            words = [places.get(word, word) for word in shlex.split(line)[1:]]
            words = [re.sub(r"(?<==)[A-Z]+$", lambda m: places.get(m[0], m[0]), word) for word in words]
            done = here(self._capsys, *words)
            assert done.returncode == 0, (line, done.stderr)
            ended.append(done)
        return ended

    def numbers(self, run: str) -> dict[str, float]:
        """Whole-task numbers of a run in display units, `metric@rules` where the rules are not official."""
        results = json.loads((self.folder / run / "metrics.json").read_text())["results"]
        return {
            one["metric"]["name"]
            + ("" if result["info"]["rules"] == "official" else f"@{result['info']['rules']}"): one["value"]
            * one["metric"]["scale"]
            for result in results
            for one in result["estimates"]
            if not one["group"]
        }


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)
    return lambda name: Page(name, tmp_path, capsys)


def test_every_page_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in PAGES.glob("*.md") if f'page("{path.name}")' not in text] == []


def test_multiple_choice(page: Any) -> None:
    own = page("multiple-choice.md")
    rows = [
        {
            "question": f"Which is {k}?", "options": ["a", "b", "c", "none"], "answer": str(k % 4),
            "image": cell(k % 4),
        }
        for k in range(8)
    ]  # fmt: skip
    by_datasets(own.folder / "tables" / "data" / "test-00000-of-00001.parquet", rows)
    own.run(DATA="tables")
    assert own.numbers("runs/oracle") == {"accuracy": 100.0}
    assert 0 <= own.numbers("runs/random")["accuracy"] <= 100
    rows[3]["answer"] = "9"
    by_datasets(own.folder / "tables" / "data" / "test-00000-of-00001.parquet", rows)
    done = here(own._capsys, "run", "--plugin", "my_tasks.py", "-m", "random", "-t", "my-diagrams",
                "--data", "tables", "-o", "again")  # fmt: skip
    assert done.returncode == 2
    assert "row 3" in done.stderr


def test_mme(page: Any) -> None:
    own = page("mme.md")
    rows = [
        {
            "question_id": f"{category}/{n}.png", "image": cell(n), "answer": answer, "category": category,
            "question": f"Is it {answer}? Please answer yes or no.",
        }
        for category in ("existence", "color", "posters")
        for n in range(2)
        for answer in ("Yes", "No")
    ]  # fmt: skip
    by_datasets(own.folder / "tables" / "data" / "test-00000-of-00001.parquet", rows)
    ended = own.run(DATA="tables")
    # two categories count, each with 100 for questions and 100 for pairs
    assert own.numbers("runs/oracle") == {"perception": 400.0, "accuracy": 100.0, "accuracy+": 100.0}
    assert "accuracy+" in ended[-1].stdout


def test_scoring_rule(page: Any) -> None:
    own = page("scoring-rule.md")
    rows = [
        {"question": "How many?", "answer": "100", "type": "human_test", "image": cell(0)},
        {"question": "Which?", "answer": "Red", "type": "augmented_test", "image": cell(1)},
    ]
    by_datasets(own.folder / "tables" / "data" / "test-00000-of-00001.parquet", rows)
    own.run(DATA="tables")
    assert own.numbers("runs/oracle") == {"accuracy": 100.0, "accuracy@exact": 100.0}
    found: dict[str, Any] = {}
    exec((own.folder / "rules.py").read_text(), found)
    from evalsuite.task import GroundTruth

    mine = found["within_five_percent"]
    assert [mine(said, GroundTruth(("100",))).value for said in ("104", "95", "106", "many")] == [1, 1, 0, 0]


def test_metric_column(page: Any) -> None:
    own = page("metric-column.md")
    kinds = ["circle", "circle", "circle", "square"]
    answers = ["red", "blue", "dark green", "red"]
    image_files(own.folder / "data", *(f"{n}.png" for n in range(4)))
    json_lines(
        own.folder / "data" / "table.jsonl",
        [
            {
                "id": str(n),
                "question": "What color?",
                "answer": answers[n],
                "image": f"{n}.png",
                "kind": kinds[n],
            }
            for n in range(4)
        ],
    )
    ended = own.run()
    assert own.numbers("runs/oracle") == {"accuracy": 100.0, "concise": 75.0, "per kind": 100.0}
    assert "kind=square" in ended[-1].stdout


def test_own_task(page: Any) -> None:
    own = page("own-task.md")
    own.run()
    assert own.numbers("runs/oracle") == {"accuracy": 100.0, "total error": 0.0}
    assert (own.folder / "site" / "index.html").is_file()
    done = here(own._capsys, "run", "--plugin", "my_dots.py", "-m", "random", "-t", "my-dots",
                "--task-option", "cont=3", "-o", "x")  # fmt: skip
    assert "Task 'my-dots' has no option 'cont'. Did you mean count" in " ".join(done.stderr.split())
    # an answer that is no number fails its sample and no other
    done = here(own._capsys, "run", "--plugin", "my_dots.py", "-m", "random", "-t", "my-dots",
                "--max-failures", "1000", "-o", "random")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "37 failed samples (allowed: 1000)" in done.stderr
    assert own.numbers("random")["accuracy"] < 100


def test_api_adapter(page: Any) -> None:
    own = page("api-adapter.md")
    with serving(0.1, one_in_eight) as service:
        own.run(URL=service.url)
        assert service.refused >= 10
        assert service.most_active > 4
        assert len({body["prompt"] for body in service.bodies}) > 1
    record = json.loads((own.folder / "runs" / "api" / "metrics.json").read_text())["results"][0]
    assert (record["answered"], record["failed"]) == (80, 0)
    done = here(own._capsys, "run", "--plugin", "my_api.py", "-m", "my-api", "--option", "concurency=16",
                "-t", "mini-vqav2", "-o", "x")  # fmt: skip
    assert "Did you mean concurrency" in done.stderr


def test_local_judge(page: Any, capsys: pytest.CaptureFixture[str]) -> None:
    own = page("local-judge.md")
    mmvet(own.folder / "mmvet", count=4)
    ended = own.run(DATA="mmvet")
    assert own.numbers("runs/random")["score"] == 0.0
    said = [json.loads(line) for line in ended[-1].stdout.splitlines()]
    assert [(one["judge"], one["text"]) for one in said] == [("my-judge", "0.0")] * 4
    import evalsuite

    again = evalsuite.judge(
        "runs/random", judge_model="my-judge", registry=evalsuite.load_registry(["my_judge.py"])
    )
    assert again.tallies["mm-vet"].asked == 0
    found: dict[str, Any] = {}
    exec((own.folder / "my_judge.py").read_text(), found)
    mine = found["WordJudge"]()
    asked = Request((user("Compare …\nWhat is x? | -1 <AND> -5 | x is -1 | "),), GenerateText())
    assert mine.generate_text([mine.prepare(asked)])[0].text == "0.5"


def test_a_service_that_refuses_the_key_on_the_way_loses_nothing(page: Any) -> None:
    own = page("api-adapter.md")
    refusing = True

    def plan(number: int, body: dict[str, Any]) -> Any:
        return (401, {}, "key expired") if refusing and number >= 20 else None

    with serving(plan=plan) as service:
        command = ("run", "--plugin", "my_api.py", "-m", "my-api", "--option", f"url={service.url}",
                   "-t", "mini-vqav2", "--limit", "60", "--batch-size", "16", "-o", "x")  # fmt: skip
        done = here(own._capsys, *command)
        assert done.returncode == 2
        assert "the key is refused" in done.stderr
        refusing = False
        asked = len(service.bodies)
        done = here(own._capsys, *command)
        assert done.returncode == 0, done.stderr
        assert len(service.bodies) - asked == 40


def test_network_column(page: Any) -> None:
    own = page("network-column.md")
    (own.folder / "data").mkdir()
    rows = [f"a thing {n},{'odd' if n % 2 else 'even'}" for n in range(6)]
    (own.folder / "data" / "prompts.csv").write_text("\n".join(["prompt,category", *rows]) + "\n")
    own.run(NAME="random")
    assert -1 <= own.numbers("runs/mine")["warmth"] <= 1
    kept = list((own.folder / "runs/mine/features").glob("warmth-mean-scores-*.rows"))
    assert len(kept) == 1
    assert kept[0].stat().st_size == 6 * (32 + 4 + 4)
