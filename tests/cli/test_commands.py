"""Commands as real processes: what they print, what they write, how they end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.cli.program import PLUGIN, evalsuite, here, lines


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two tasks, made by the command line."""
    out = tmp_path_factory.mktemp("cli") / "run"
    done = evalsuite(
        "run",
        "--plugin",
        PLUGIN,
        "-m",
        "adder",
        "-t",
        "sums",
        "-t",
        "sum-images",
        "--task-option",
        "count=12",
        "--limit",
        "10",
        "--seed",
        "3",
        "--batch-size",
        "4",
        "-o",
        out,
    )
    assert done.returncode == 0, done.stderr
    assert "adder" in done.stdout
    assert "† a subset of the benchmark (--limit 10)" in done.stdout
    return out


@pytest.mark.slow
def test_a_run_records_what_the_command_line_asked(run: Path) -> None:
    manifest = json.loads((run / "run.json").read_text())
    spec = manifest["spec"]
    assert (spec["model"]["name"], spec["limit"], spec["seed"]) == ("adder", 10, 3)
    assert [task["name"] for task in spec["tasks"]] == ["sums", "sum-images"]
    assert spec["tasks"][0]["options"] == {"count": "12"}
    assert manifest["sessions"][0]["execution"]["batch_size"] == 4


def test_a_finished_run_asked_for_again_loads_no_model(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    again = here(
        capsys,
        "run",
        "--plugin",
        PLUGIN,
        "-m",
        "adder",
        "-t",
        "sums",
        "-t",
        "sum-images",
        "--task-option",
        "count=12",
        "--limit",
        "10",
        "--seed",
        "3",
        "-o",
        run,
    )
    assert again.returncode == 0
    assert "loading" not in again.stderr
    assert not log.exists()


def test_other_settings_in_the_same_folder_are_refused_with_the_difference(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "run", "--plugin", PLUGIN, "-m", "adder", "-t", "sums", "--seed", "4", "-o", run)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "seed: 3 -> 4" in done.stderr
    assert "Choose another --out" in done.stderr


def test_leaderboard_writes_what_the_suffix_says(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.md", "a.tex", "a.html", "a.csv", "a.parquet"):
        assert here(capsys, "leaderboard", run.parent, "-o", tmp_path / name).returncode == 0
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert set(frame["task"]) == {"sums", "sum-images"}
    assert (tmp_path / "a.tex").read_text().count("toprule") == 1
    piped = here(capsys, "leaderboard", run, "-f", "json", "-t", "sums")
    assert {row["task"] for row in json.loads(piped.stdout)} == {"sums"}


def test_runs_list_show_and_verify_notice_damage(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = here(capsys, "runs", "list", run.parent)
    assert "20/20" in listed.stdout
    last = json.loads((run / "run.json").read_text())["sessions"][-1]
    day, _, time = last["ended"].partition("T")
    assert last["ended"].endswith("+00:00")
    assert f"finished {day} {time[:5]} UTC" in listed.stdout
    shown = here(capsys, "runs", "show", run)
    assert all(word in shown.stdout for word in ("adder", "sum-images", "finished", "numbers of parts"))
    assert "parity=even" not in shown.stdout
    assert "parity=even" in here(capsys, "runs", "show", run, "--all").stdout
    assert here(capsys, "runs", "verify", run).returncode == 0
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", run, copy], check=True)
    next((copy / "images").glob("*/*.png")).write_bytes(b"gone")
    damaged = here(capsys, "runs", "verify", copy)
    assert damaged.returncode == 1
    assert "DAMAGED" in damaged.stdout


def test_listings_show_names_with_brackets_as_they_are(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs[v1]" / "[/bold]"
    shutil.copytree(run, folder)
    listed = here(capsys, "runs", "list", folder.parent)
    assert listed.returncode == 0, listed.stderr
    assert "runs[v1]/[/bold]" in listed.stdout.replace("\n", "")
    told = here(capsys, "explain", folder, "--task", "sums", "--plugin", PLUGIN)
    assert told.returncode == 0, told.stderr
    assert "runs[v1]/[/bold]  sums" in told.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "judge", "compare"])
def test_help_breaks_its_lines_where_a_terminal_does(command: str) -> None:
    said = evalsuite(command, "--help", COLUMNS="80").stdout
    said = said[: said.index("\n\n", said.index("Exit status"))]
    last = said.split("Exit status")[1].splitlines()
    assert all(len(line.strip()) > 30 for line in last[:-1] if line.strip())
    assert not [line for line in lines(said) if line.startswith("   ")]


def test_score_adds_other_rules_without_a_model(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", run, copy], check=True)
    done = here(capsys, "score", copy, "--rules", "official,lenient")
    assert done.returncode == 0, done.stderr
    assert "rules lenient" in done.stdout
    wrong = here(capsys, "score", copy, "--rules", "lax")
    assert wrong.returncode == 2
    assert "No task of this run has rules 'lax'" in wrong.stderr


def test_gallery_shows_every_chosen_image(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.png"
    done = here(capsys, "gallery", run, "-o", out, "-n", "6", "--columns", "3", "--size", "64")
    assert done.returncode == 0, done.stderr
    with Image.open(out) as sheet:
        assert sheet.width >= 3 * 64
        assert len(sheet.convert("RGB").getcolors(1 << 20) or []) > 6 * 50


@pytest.mark.slow
def test_too_many_failures_end_with_1_and_their_reasons(tmp_path: Path) -> None:
    asked = ("run", "--plugin", PLUGIN, "-m", "adder", "-t", "sums", "--option", "unprepared=1+1", "-o")
    done = evalsuite(*asked, tmp_path / "strict")
    assert done.returncode == 1
    assert "1 failed samples (more than allowed: 0)" in done.stderr
    assert "has no tokens" in done.stderr
    assert "‡ failed samples, not in the score: adder on sums (1 of 20)" in done.stdout
    assert evalsuite(*asked, tmp_path / "mild", "--max-failures", "0.05").returncode == 0


def test_more_reasons_than_are_told_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        {"question_id": n, "image": f"{n}.jpg", "text": "Is there a dog in the image?", "label": "yes"}
        for n in range(1, 8)
    ]
    (tmp_path / "coco_pope_popular.json").write_text("".join(json.dumps(one) + "\n" for one in asked))
    done = here(
        capsys, "run", "-m", "oracle", "-t", "pope-popular", "--data", tmp_path, "-o", tmp_path / "run"
    )
    assert done.returncode == 1
    assert f"and 2 other reasons: `evalsuite runs show {tmp_path / 'run'} --all`" in done.stderr


def test_several_models_go_to_folders_of_their_own_and_one_error_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(
        capsys,
        "run",
        "--plugin",
        PLUGIN,
        "-m",
        "adder",
        "-m",
        "speaker",
        "-t",
        "sums",
        "-t",
        "sum-images",
        "-o",
        tmp_path,
    )
    assert done.returncode == 2
    assert (
        "error: speaker: Model 'speaker' cannot do what these tasks need: sum-images (image)" in done.stderr
    )
    assert (tmp_path / "adder" / "metrics.json").exists()
    assert "100.0" in done.stdout


def test_a_config_file_says_it_all_and_the_command_line_goes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "spec.yaml"
    config.write_text(
        "model: {name: adder, options: {weights: v9}}\ntasks: [{name: sums, options: {count: '8'}}]\n"
        f"plugins: [{PLUGIN}]\nout: here\nseed: 5\nexecution: {{batch_size: 2}}\n"
    )
    done = here(capsys, "run", "--config", config, "--seed", "6")
    assert done.returncode == 0, done.stderr
    spec = json.loads((tmp_path / "here" / "run.json").read_text())["spec"]
    assert (spec["seed"], spec["model"]["options"]) == (6, {"weights": "v9"})
    config.write_text("modle: adder\n")
    wrong = here(capsys, "run", "--config", config)
    assert wrong.returncode == 2
    assert "modle" in wrong.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "-m", "addr", "-t", "sums", "-o", "x", "--plugin", str(PLUGIN)), "Did you mean adder"),
        (("run", "-m", "adder", "-t", "sum", "-o", "x", "--plugin", str(PLUGIN)), "Did you mean sums"),
        (("run", "-m", "adder", "-o", "x", "--plugin", str(PLUGIN)), "No task is given"),
        (("run", "-m", "adder", "-t", "sums", "--plugin", str(PLUGIN)), "Name one (--out)"),
        (("run", "--option", "colour", "-o", "x"), "'colour' is not KEY=VALUE"),
        (("run", "--plugin", "absent.py", "-o", "x"), "absent.py does not exist"),
        (("leaderboard", "absent"), "absent is not a run: there is no such folder"),
        (("runs", "verify", "."), "There is no run in ."),
        (("run", "-m", "random", "-t", "easy-vqa", "-o", "x", "--batch-size", "big"), "'auto'"),
        (("reproduce", "dreamllm"), "dreamllm has several tables: name one"),
        (("reproduce", "mini/synergy", "--option", "steps=2"), "Name it with --model"),
        (("plan", "-t", "vqav2", "--detect", "1", "--baseline", "172"), "A share of 172 % is not between"),
        (("mini", "train", "x", "--recipe", "tiny"), "There is no recipe 'tiny'."),
        (("distance", "absent", "none", "--mode", "clean"), "There is no absent"),
        (("distance", ".", ".", "--mode", "clean", "--also", "kit"), "Did you mean kid"),
        (("list", "taks"), "Did you mean tasks"),
        (("run", "--limit", "0"), "--limit"),
    ],
)
def test_what_cannot_be_is_told_in_a_line_with_its_remedy(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    done = here(capsys, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in evalsuite("--debug", "leaderboard", "absent").stderr


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = (
        "run",
        "--plugin",
        str(PLUGIN),
        "-m",
        "adder",
        "-t",
        "sums",
        "--task-option",
        "count=40",
        "--batch-size",
        "2",
        "--option",
        f"log={log}",
        "--option",
        "delay=0.2",
        "-o",
        str(tmp_path / "run"),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "evalsuite", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # a background shell ignores SIGINT, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not log.exists() or len(log.read_text().splitlines()) < 8:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted; run the same command again to resume" in errors
    assert "Traceback" not in errors
    done = evalsuite(*command)
    assert done.returncode == 0
    assert "answered before" in done.stderr


def test_list_names_tasks_models_and_suites(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "list", "--plugin", PLUGIN)
    assert done.returncode == 0
    names = {line.split()[0] for line in lines(done.stdout)}
    assert {"tasks", "models", "suites", "sums", "adder", "mini", "vqav2"} <= names


@pytest.mark.slow
def test_doctor_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    done = evalsuite(
        "doctor",
        "--no-data",
        EVALSUITE_CACHE=str(tmp_path),
        EVALSUITE_DATA=str(tmp_path / "none"),
        HF_HOME=str(tmp_path),
        TORCH_HOME=str(tmp_path),
        PATH="",
    )
    assert done.returncode == 1  # EVALSUITE_DATA names a folder that is not there
    assert "EVALSUITE_DATA" in done.stdout
    assert "METEOR needs it" in done.stdout
    assert "evalsuite weights fetch openai/clip-vit-base-patch32" in done.stdout
    assert "torch" in done.stdout
