"""`evalsuite study` as typed: made, voted on, read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image as pil

from evalsuite.cli import main
from evalsuite.study import read_key


def typed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.mark.slow
def test_a_study_is_made_and_its_votes_are_read(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s"
    code, _, said = typed(
        capsys, "study", "make", *runs, "-t", "documents", "-n", 6, "--reference", "-o", out
    )
    assert code == 0
    assert "18 items of 6 samples" in said
    assert "key.json to yourself" in said
    key = read_key(out)
    files = []
    for rater in ("ann", "ben"):
        votes = [
            {"item": item.id, "answer": "yes" if item.sources == ("reference",) else "no"}
            for item in key.items
        ]
        path = tmp_path / f"votes-{rater}.json"
        path.write_text(json.dumps({"study": key.study, "rater": rater, "votes": votes}))
        files.append(path)
    code, told, _ = typed(capsys, "study", "read", out, *files, "--bar", 30)
    assert code == 0
    assert "| reference | 100.0 %" in told
    assert "| writer-one | 0.0 %" in told
    assert "above 30 %" in told
    assert "Krippendorff's alpha 1.000 (almost perfect)" in told
    assert "| tea |" in told
    code, _, said = typed(capsys, "study", "read", out, *files, "-o", tmp_path / "r.json")
    assert code == 0
    assert json.loads((tmp_path / "r.json").read_text())["agreement"]["raters"] == 2


def test_errors_are_told_in_one_line_with_what_to_do(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = typed(capsys, "study", "make", runs[0], "-t", "nothing", "-o", tmp_path / "s")
    assert code == 2
    assert "have a task 'nothing'" in said
    code, _, said = typed(capsys, "study", "read", tmp_path, tmp_path / "votes.json")
    assert code == 2
    assert "key.json cannot be read" in said
    code, _, said = typed(capsys, "study", "read", tmp_path, tmp_path / "v.json", "-o", tmp_path / "r.txt")
    assert code == 2
    assert "neither .md nor .json" in said


def test_documents_of_two_runs_are_shown_side_by_side(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.png"
    code, _, said = typed(
        capsys, "gallery", *runs, "-t", "documents", "-n", 4, "--columns", 5, "--size", 40, "-o", out
    )
    assert code == 0
    assert "4 samples" in said
    with pil.open(out) as sheet:
        colours = {colour for _, colour in sheet.convert("RGB").getcolors(1 << 16) or ()}
    # Each model's image is there in its own colour.
    for name in ("writer-one", "writer-two"):
        assert (sum(map(ord, name)) % 256, 90, 90) in colours
