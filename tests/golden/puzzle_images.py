"""Images of mazes and sliding tiles, drawn from a seed: clean, noisy, moved, of wrong shapes and colours."""

from __future__ import annotations

from typing import Any

import numpy as np

KINDS = ("maze", "tiles")
_MAZE = np.array([(244, 239, 230), (31, 41, 55)], dtype=np.uint8)
_AGENT, _GOAL, _PATH = (37, 99, 235), (34, 197, 94), (239, 68, 68)
_TILES = np.array(
    [(228, 26, 28), (55, 126, 184), (77, 175, 74), (152, 78, 163), (255, 127, 0), (255, 255, 51),
     (166, 86, 40), (247, 129, 191), (153, 153, 153)],
    dtype=np.uint8,
)  # fmt: skip


def drawn(kind: str, seed: int) -> Any:
    """Pixels, shape (height, width, 3), uint8. Integers only, so that they are the same everywhere."""
    source = np.random.default_rng([KINDS.index(kind), seed])
    board = _maze(source) if kind == "maze" else _tiles(source)
    height, width = board.shape[:2]
    above, below, left, right = source.integers(0, 24, size=4)
    if seed % 3:  # a square image, as the benchmark's are
        below, right = above, left = (int(above),) * 2
    image = np.full((above + height + below, left + width + right, 3), 255, dtype=np.uint8)
    image[above : above + height, left : left + width] = board
    if seed % 5 == 2:  # single pixels of any colour
        spots = source.integers(0, 100, size=image.shape[:2]) < source.integers(1, 30)
        image[spots] = source.integers(0, 256, size=(int(spots.sum()), 3), dtype=np.uint8)
    if seed % 5 == 3:
        shift = source.integers(-40, 41, size=image.shape)
        image = np.clip(image.astype(np.int64) + shift, 0, 255).astype(np.uint8)
    if seed % 25 == 4:
        image = image[: image.shape[0] * 2 // 3]
    if seed % 50 == 9:
        image = np.full_like(image, source.integers(0, 256))
    return np.ascontiguousarray(image)


def _maze(source: Any) -> Any:
    size, cell = 6, int(source.integers(10, 28))
    walls = (source.integers(0, 100, size=(size, size)) < 40).astype(np.int64)
    board = _MAZE[np.kron(walls, np.ones((cell, cell), dtype=np.int64))]
    places = source.permutation(size * size)[:2]
    goal, agent = divmod(int(places[0]), size), divmod(int(places[int(source.integers(0, 6) > 0)]), size)
    frame = int(source.integers(0, cell // 3))
    if source.integers(0, 8):
        _fill(board, goal, cell, 0, _GOAL)
        if frame:
            _fill(board, goal, cell, cell // 2 - frame // 2, _MAZE[0])
    if source.integers(0, 8):
        _fill(board, agent, cell, int(source.integers(1, max(2, cell * 2 // 5))), _AGENT)
    if source.integers(0, 6) == 0:
        _fill(board, divmod(int(places[0] + 1) % (size * size), size), cell, cell // 4, _PATH)
    return board


def _tiles(source: Any) -> Any:
    cell = int(source.integers(14, 48))
    order = source.permutation(9).reshape(3, 3)
    board = _TILES[np.kron(order, np.ones((cell, cell), dtype=np.int64))]
    if source.integers(0, 4) == 0:
        _fill(
            board, divmod(int(source.integers(0, 9)), 3), cell, int(source.integers(0, cell // 2)), (0, 0, 0)
        )
    return board


def _fill(board: Any, place: tuple[int, int], cell: int, inset: int, colour: Any) -> None:
    top, left = place[0] * cell + inset, place[1] * cell + inset
    board[top : place[0] * cell + cell - inset, left : place[1] * cell + cell - inset] = colour


def maze_board(step: int) -> Any:
    """A maze whose agent has gone some steps to the right from the upper left, its goal being two away."""
    cell = 20
    walls = np.ones((6, 6), dtype=np.int64)
    walls[0, :4] = 0
    board = _MAZE[np.kron(walls, np.ones((cell, cell), dtype=np.int64))]
    _fill(board, (0, 2), cell, 0, _GOAL)
    if step != 2:
        _fill(board, (0, step), cell, 3, _AGENT)
    else:
        board[2:12, 2 * cell + 4 : 2 * cell + 16] = _AGENT
    return board


def tile_board(step: int) -> Any:
    """Tiles of nine colours, the first of which (the empty one) has gone some steps to the right."""
    order = np.arange(9)
    order[: step + 1] = [*order[1 : step + 1], 0]
    return _TILES[np.kron(order.reshape(3, 3), np.ones((24, 24), dtype=np.int64))]
