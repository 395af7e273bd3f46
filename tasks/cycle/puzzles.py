"""Rows of puzzles whose solution is a document: an image after every move, and the moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalsuite.content import Image, Text
from evalsuite.request import Response
from evalsuite.task import Sample, SampleScore
from evalsuite.task.metrics import (
    Grid,
    frames_right,
    maze_frames,
    maze_moves,
    moves_right,
    read_maze,
    read_tiles,
    readable,
)
from evalsuite.task.readers import decode

from .calls import Call, document_of
from .puzzle_settings import ACCURACY, ALL_READABLE, EXACT, IMAGES, IMAGES_EXACT, READABLE, Puzzle
from .records import CycleSample


def puzzle_rows(
    puzzle: Puzzle | None, sample: Sample, calls: Sequence[Call], responses: Sequence[Response]
) -> list[SampleScore]:
    """A row for the document of each step that the settings name; none without settings.

    Raises SampleError: an image is broken, or the maze's own image shows no agent.
    """
    if puzzle is None:
        return []
    return [
        _row(puzzle, sample, call, response)
        for call, response in zip(calls, responses, strict=True)
        if call.step.called == puzzle.of
    ]


def _row(puzzle: Puzzle, sample: Sample, call: Call, response: Response) -> SampleScore:
    record: CycleSample = sample.record
    parts = document_of(call, response)
    said = maze_moves("".join(part.text for part in parts if isinstance(part, Text)))
    moves = record.questions[0].answers
    exact, share = moves_right(said, moves)
    values = {EXACT: float(exact), ACCURACY: share}
    shown = [part for part in parts if isinstance(part, Image)]
    if puzzle.kind == "maze":
        first = read_maze(_pixels(record.images["image"][0]))
        grids = [read_maze(_pixels(image)).grid for image in shown]
        read = [readable(grid, first) for grid in grids]
        values[READABLE] = sum(read) / len(read) if read else 0.0
        values[ALL_READABLE] = float(bool(read) and all(read))
        right: list[Grid] = maze_frames(first, moves)
    else:
        grids = [read_tiles(_pixels(image)) for image in shown]
        right = [read_tiles(_pixels(image)) for image in record.images["frames"]]
    exact, share = frames_right(grids, right)
    values |= {IMAGES_EXACT: float(exact), IMAGES: share}
    return SampleScore(
        f"{sample.id}/{puzzle.of}",
        values,
        sample.id,
        {**sample.labels, "step": puzzle.of},
        parsed=" ".join(said),
        unread=not said,
    )


def _pixels(image: Image) -> object:
    return np.asarray(decode(image))
