"""Images of mazes and sliding tiles read as grids, and sequences of them against the right moves (Uni-MMMU).

Source: Vchitect/Uni-MMMU `eval_ummmu.py` at b5200b20, `parse_maze_image`, `parse_sliding_puzzle_image`,
`MazeEvaluator`, `SlidingPuzzleEvaluator`, with their settings (6 x 6 and 3 x 3 cells, tolerance 0.75 and
0.80). Equal to it on every recorded image (tests/golden/test_puzzle_grids.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SampleError

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[np.float32]]

__all__ = ["Grid", "Maze", "frames_right", "maze_frames", "read_maze", "read_tiles", "readable"]

Grid = tuple[tuple[str, ...], ...]
"""Rows of cells. A maze: `#` wall, ` ` floor, `S` the agent, `G` the goal, `SG` both; tiles: `1` to `9`,
their colour; `?` a cell that cannot be read."""

_FLOOR, _WALL, _START, _GOAL = "#f4efe6", "#1f2937", "#2563eb", "#22c55e"
_WHITE, _PATH = "#ffffff", "#ef4444"
_TILES = ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#ffff33", "#a65628", "#f781bf", "#999999")
_MAZE_CELLS, _TILE_CELLS = 6, 3
_MAZE_TOLERANCE, _TILE_TOLERANCE = 0.75, 0.80
_AGENT_SHARE, _GOAL_SHARE = 0.25 * _MAZE_TOLERANCE, 0.75 * _MAZE_TOLERANCE
_LEAST_AGENT, _LEAST_GOAL = 0.08, 0.25
_MARGIN = 2
_CLOSER = 0.01
"""By how much a pixel has to be nearer to a colour of the board than to the background."""
_MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


@dataclass(frozen=True, slots=True)
class Maze:
    """A maze as an image shows it; `start` and `goal` (row, column) are None where there is none."""

    grid: Grid
    start: tuple[int, int] | None
    goal: tuple[int, int] | None


def read_maze(pixels: Any) -> Maze:
    """The maze that an image shows.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
    """
    import numpy as np

    image = _scaled(pixels)
    content = _distances(image, (_WALL, _START, _GOAL, _PATH)).min(axis=-1)
    background = _distances(image, (_WHITE, _FLOOR)).min(axis=-1)
    board = _board(image, content, background, 0.003, crossed=True)
    shares = np.zeros((_MAZE_CELLS, _MAZE_CELLS, 4), dtype=np.float32)
    cells = [["?"] * _MAZE_CELLS for _ in range(_MAZE_CELLS)]
    start: tuple[int, int] | None = None
    goal: tuple[int, int] | None = None
    for row, column, cell in _cells(board, _MAZE_CELLS):
        kinds = _distances(cell, (_FLOOR, _WALL, _START, _GOAL)).argmin(axis=-1)
        share = np.array([(kinds == kind).mean() for kind in range(4)], dtype=np.float32)
        shares[row, column] = share
        floor, wall, agent, target = share
        here, there = agent >= _AGENT_SHARE, target >= _GOAL_SHARE
        if here:
            start = (row, column)
        if there:
            goal = (row, column)
        if here or there:
            cells[row][column] = "S" * bool(here) + "G" * bool(there)
        elif wall >= _MAZE_TOLERANCE:
            cells[row][column] = "#"
        elif floor >= _MAZE_TOLERANCE:
            cells[row][column] = " "
    start = start or _most(shares[:, :, 2], _LEAST_AGENT)
    if start:
        row, column = start
        if "S" not in cells[row][column]:
            cells[row][column] = "S"
    if goal is None and (goal := _most(shares[:, :, 3], _LEAST_GOAL)):
        row, column = goal
        cells[row][column] = "SG" if cells[row][column] == "S" else "G"
    if start and start == goal:
        cells[start[0]][start[1]] = "SG"
    return Maze(_grid(cells), start, goal)


def read_tiles(pixels: Any) -> Grid:
    """The 3 x 3 tiles that an image shows: the number of each one's colour.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
    """
    import numpy as np

    image = _scaled(pixels)
    content = _distances(image, _TILES).min(axis=-1)
    board = _board(image, content, _distances(image, (_WHITE,))[..., 0], 0.002, crossed=False)
    cells = [["?"] * _TILE_CELLS for _ in range(_TILE_CELLS)]
    for row, column, cell in _cells(board, _TILE_CELLS):
        nearest = _distances(cell, _TILES).argmin(axis=-1)
        share = np.array([(nearest == one).mean() for one in range(len(_TILES))], dtype=np.float32)
        best = int(share.argmax())
        if float(share[best]) >= _TILE_TOLERANCE:
            cells[row][column] = str(best + 1)
    return _grid(cells)


def maze_frames(first: Maze, moves: Sequence[str]) -> list[Grid]:
    """What the images of a solution have to show, one per move.

    A move into a wall, or outside, leaves the agent where it is.

    Raises SampleError where the first image shows no agent.
    """
    if first.start is None:
        raise SampleError("no agent can be read in the maze's own image")
    walls = [[cell == "#" for cell in row] for row in first.grid]
    row, column = first.start
    frames = []
    for move in moves:
        down, right = _MOVES.get(move, (0, 0))
        below, beside = row + down, column + right
        if 0 <= below < len(walls) and 0 <= beside < len(walls[0]) and not walls[below][beside]:
            row, column = below, beside
        cells = [["#" if wall else " " for wall in line] for line in walls]
        if first.goal:
            cells[first.goal[0]][first.goal[1]] = "G"
        cells[row][column] = "SG" if (row, column) == first.goal else "S"
        frames.append(_grid(cells))
    return frames


def frames_right(shown: Sequence[Grid], right: Sequence[Grid]) -> tuple[bool, float]:
    """Whether the images show exactly the right frames, and the share of right frames at their place.

    Without right frames (no move is needed) it is right to show none for tiles; a maze has no such case.
    """
    if not right:
        return not shown, float(not shown)
    hits = sum(one == wanted for one, wanted in zip(shown, right, strict=False))
    return len(shown) == len(right) == hits, hits / len(right)


def readable(grid: Grid, first: Maze) -> bool:
    """Whether a frame shows the same walls, and one agent and one goal, and no cell that cannot be read."""
    counts = {"S": 0, "G": 0, "SG": 0}
    for row, walls in zip(grid, first.grid, strict=True):
        for cell, wall in zip(row, walls, strict=True):
            if cell == "?" or (cell == "#") != (wall == "#"):
                return False
            if cell in counts:
                counts[cell] += 1
    return tuple(counts.values()) in ((1, 1, 0), (0, 0, 1))


def _scaled(pixels: Any) -> Pixels:
    import numpy as np

    found: Pixels = np.asarray(pixels).astype(np.float32) / 255.0
    return found


def _distances(image: Pixels, colours: Sequence[str]) -> Pixels:
    """Of every pixel to each colour, shape (height, width, colours)."""
    import numpy as np

    rgb = [[int(name[k : k + 2], 16) for k in (1, 3, 5)] for name in colours]
    palette = np.array(rgb, dtype=np.float32) / 255.0
    found: Pixels = np.stack([np.linalg.norm(image - one, axis=-1) for one in palette], axis=-1)
    return found


def _board(image: Pixels, content: Pixels, background: Pixels, least: float, *, crossed: bool) -> Pixels:
    """The square around what has the board's colours.

    Args:
        least: share of a row or column that has to.
        crossed: the official maze reader limits the square's bottom by the width and its right by the height;
            for images that are not square this cuts, and so it does here.
    """
    import numpy as np

    mask = (content + _CLOSER) < background
    height, width = mask.shape
    rows = np.flatnonzero(mask.mean(axis=1) > least)
    columns = np.flatnonzero(mask.mean(axis=0) > least)
    top, bottom = (int(rows[0]), int(rows[-1])) if len(rows) else (0, height - 1)
    left, right = (int(columns[0]), int(columns[-1])) if len(columns) else (0, width - 1)
    top, left = max(0, top - _MARGIN), max(0, left - _MARGIN)
    bottom, right = min(height - 1, bottom + _MARGIN), min(width - 1, right + _MARGIN)
    side = max(bottom - top + 1, right - left + 1)
    half = side // 2
    lowest, rightmost = (width, height) if crossed else (height, width)
    end = min(lowest, max(0, (top + bottom) // 2 - half) + side)
    edge = min(rightmost, max(0, (left + right) // 2 - half) + side)
    return image[end - side : end, edge - side : edge]


def _cells(board: Pixels, count: int) -> list[tuple[int, int, Pixels]]:
    """Row, column and pixels of each cell; cells without a pixel are left out."""
    height, width = board.shape[0] / count, board.shape[1] / count
    found = []
    for row in range(count):
        top, bottom = round(row * height), round((row + 1) * height)
        for column in range(count):
            left, right = round(column * width), round((column + 1) * width)
            cell = board[top:bottom, left:right]
            if cell.size:
                found.append((row, column, cell))
    return found


def _most(share: Pixels, least: float) -> tuple[int, int] | None:
    """The cell with the largest share, if that is large enough."""
    import numpy as np

    row, column = np.unravel_index(int(share.argmax()), share.shape)
    return (int(row), int(column)) if share[row, column] >= least else None


def _grid(cells: Sequence[Sequence[str]]) -> Grid:
    return tuple(map(tuple, cells))
