"""An option that would change nothing is refused, not ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import PLUGIN, here


@pytest.mark.parametrize(
    ("option", "needed"),
    [
        (("--gpus-per-worker", "2"), "--workers"),
        (("--cpus-per-worker", "2"), "--workers"),
        (("--worker-timeout", "60"), "--workers"),
        (("--same-gpus",), "--workers"),
        (("--log-project", "mine"), "--log-to"),
    ],
)
def test_an_option_without_what_it_belongs_to_is_refused(
    option: tuple[str, ...], needed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    ended = here(capsys, "run", "--plugin", PLUGIN, "-m", "adder", "-t", "sums", "--out", out, *option)
    assert ended.returncode == 2
    assert option[0] in ended.stderr
    assert needed in ended.stderr
    assert not out.exists()


def test_a_judge_in_one_process_takes_no_option_of_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = here(capsys, "judge", tmp_path, "--judge", "gpt-4", "--gpus-per-worker", "2")
    assert ended.returncode == 2
    assert "--workers" in ended.stderr


def test_an_unknown_ending_of_a_leaderboard_names_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = here(capsys, "leaderboard", tmp_path, "-o", tmp_path / "table.xyz")
    assert ended.returncode == 2
    assert ".xyz" in ended.stderr
    assert ".tex" in ended.stderr
