"""Grids read from images of mazes and tiles, and sequences of them, as Uni-MMMU's own script has them."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.puzzle_grids import (
    Grid,
    Maze,
    frames_right,
    maze_frames,
    read_maze,
    read_tiles,
    readable,
)
from tests.golden.puzzle_images import drawn

_CASES = Path(__file__).parent / "oracles" / "uni_mmmu_grids.json.gz"


@pytest.fixture(scope="module")
def cases() -> Any:
    return json.loads(gzip.decompress(_CASES.read_bytes()))


def _grid(text: str) -> Grid:
    return tuple(tuple(row.split(",")) for row in text.split("/"))


def _place(found: Any) -> tuple[int, int] | None:
    return None if found is None else (found[0], found[1])


def test_images_are_read_as_the_official_script_reads_them(cases: Any) -> None:
    for case in cases["images"]:
        pixels = drawn(case["kind"], case["seed"])
        assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == case["sha256"], "another image was drawn"
        if case["kind"] == "tiles":
            assert read_tiles(pixels) == _grid(case["grid"]), case
        else:
            expected = Maze(_grid(case["grid"]), _place(case["start"]), _place(case["goal"]))
            assert read_maze(pixels) == expected, case


def test_frames_of_mazes_have_the_official_numbers(cases: Any) -> None:
    images = {case["seed"]: case for case in cases["images"] if case["kind"] == "maze"}
    for case in cases["mazes"]:
        found = images[case["first"]]
        first = Maze(_grid(found["grid"]), _place(found["start"]), _place(found["goal"]))
        right = maze_frames(first, case["moves"])
        shown = [_grid(text) for text in case["shown"]]
        assert right == [_grid(text) for text in case["expected"]], case
        if not right:
            continue  # no move: the official numbers are 0, and there is no such maze
        exact, share = frames_right(shown, right)
        read = [readable(grid, first) for grid in shown]
        assert {
            "img_exact": int(exact),
            "img_frame_acc": share,
            "parse_frame_success": sum(read) / len(read) if read else 0.0,
            "parse_all_ok": int(bool(read) and all(read)),
        } == case["official"], case


def test_frames_of_tiles_have_the_official_numbers(cases: Any) -> None:
    for case in cases["tiles"]:
        shown, right = ([_grid(text) for text in case[key]] for key in ("shown", "right"))
        exact, share = frames_right(shown, right)
        assert {"img_exact": int(exact), "img_frame_acc": share} == case["official"], case
