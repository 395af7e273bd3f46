"""What a user reads in a terminal of 80 columns, and what a program reads from `--json`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.cli import completion
from evalsuite.cli.common import be_quiet
from tests.cli.program import PLUGIN, Ended, evalsuite, here


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the adder on sums."""
    out = tmp_path_factory.mktemp("runs") / "adder"
    done = evalsuite("run", "--model", "adder", "--task", "sums", "--plugin", PLUGIN, "--out", out)
    assert done.returncode in (0, 1), done.stderr
    return out


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """What `--quiet` and `--log-level` set in this process ends with the test."""
    loggers = [logging.getLogger(name) for name in ("evalsuite", "evalsuite_tasks", "evalsuite_baselines")]
    before = [logger.level for logger in loggers]
    yield
    be_quiet(False)
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def _json(done: Ended) -> Any:
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


COMMANDS = [
    (), ("run",), ("score",), ("judge",), ("leaderboard",), ("compare",), ("plan",), ("runs", "show"),
    ("data", "check"), ("doctor",), ("report",), ("export",), ("import",), ("reproduce",), ("distance",),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_fits_80_columns(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = here(capsys, *command, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "Usage: evalsuite" in text
    assert "list[" not in text


def test_every_command_stands_under_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    text = here(capsys, "--help").stdout
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings[:3] == ["Options:", "Evaluate:", "Results:"]
    assert "Commands:" not in headings


def test_the_options_of_run_stand_under_headings(capsys: pytest.CaptureFixture[str]) -> None:
    text = here(capsys, "run", "--help").stdout
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings[:3] == ["What to run:", "Samples and prompts:", "Throughput:"]
    assert text.index("--model") < text.index("Samples and prompts:") < text.index("--limit")


def test_tasks_are_filtered_by_words_and_their_names_can_be_copied(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = here(capsys, "list", "tasks", "mini", "vqa").stdout
    assert "mini-vqav2  " in text
    assert "protocols: mini" in text
    assert "pope" not in text
    every = here(capsys, "list", "tasks").stdout
    assert max(map(len, every.splitlines())) <= 80
    assert all(f"  {name}" in every for name in ("vqav2", "mmbench-dev-en-v1.1", "nocaps-val-near"))


def test_a_filter_that_nothing_passes_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "list", "tasks", "xyzzy")
    assert done.returncode == 2
    assert "nothing with 'xyzzy'" in done.stderr


def test_lists_of_building_blocks_take_no_filter(capsys: pytest.CaptureFixture[str]) -> None:
    assert here(capsys, "list", "rules", "vqa").returncode == 2


@pytest.mark.parametrize("what", ["tasks", "models", "suites"])
def test_lists_as_json(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = _json(here(capsys, "list", what, "--json"))
    named = {"tasks": "vqav2", "models": "dreamllm-mini", "suites": "mini"}[what]
    assert named in [row["name"] for row in rows]
    whole = _json(here(capsys, "list", "--json"))
    assert whole[what] == rows


def test_a_run_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = _json(here(capsys, "runs", "list", run.parent, "--json"))
    assert [(row["model"], row["tasks"]) for row in listed["runs"]] == [("adder", ["sums"])]
    shown = _json(here(capsys, "runs", "show", run, "--json"))
    headline = next(row for row in shown["numbers"] if row["headline"] and not row["group"])
    assert 0 < headline["value"] < 1
    assert shown["manifest"]["spec"]["model"]["name"] == "adder"
    assert shown["counts"]["sums"]["failed"] == len(shown["failures"])


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("doctor", "--no-data"), "state"),
        (("weights", "list"), "size"),
        (("published", "list"), "value"),
        (("data", "check"), "licence"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_other_listings_as_json(
    command: tuple[str, ...], key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _json(here(capsys, *command, "--json"))
    assert rows
    assert all(key in row for row in rows)


def test_one_benchmarks_data_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    report = _json(here(capsys, "data", "check", "mini-vqav2", "--json"))
    assert report["name"] == "mini-vqav2"


def test_quiet_shows_results_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("run", "--model", "adder", "--task", "sums", "--plugin", PLUGIN, "--limit", "3", "--out")
    loud = here(capsys, *arguments, tmp_path / "loud")
    quiet = here(capsys, "--quiet", *arguments, tmp_path / "quiet")
    assert "runs:" in loud.stderr
    assert quiet.stderr == ""
    assert "sums" in quiet.stdout


def test_quiet_still_shows_errors(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "-q", "runs", "show", "nowhere")
    assert done.returncode == 2
    assert "error:" in done.stderr


def test_the_log_level_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    for name, level in (("debug", logging.DEBUG), ("ERROR", logging.ERROR)):
        here(capsys, "--log-level", name, "list", "suites")
        assert logging.getLogger("evalsuite").level == level


@pytest.mark.parametrize(
    ("completer", "typed", "found"),
    [
        (completion.tasks, "mini-vq", "mini-vqav2"),
        (completion.models, "trans", "transformers:"),
        (completion.suites, "mini-cr", "mini-creation"),
        (completion.protocols, "llava", "llava-1.5"),
        (completion.rules, "lmms", "lmms-eval"),
    ],
)
def test_names_are_completed(completer: completion.Completer, typed: str, found: str) -> None:
    assert found in [name for name, _ in completer(typed)]
    assert completer("no-such-name") == []


def test_the_shell_is_offered_the_names() -> None:
    done = evalsuite(
        _EVALSUITE_COMPLETE="complete_bash", COMP_WORDS="evalsuite run --task mini-vq", COMP_CWORD="3"
    )
    assert "mini-vqav2" in done.stdout
