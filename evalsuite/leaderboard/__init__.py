"""Runs side by side: one tidy frame of all numbers, a pivot for people, and its renderings.

Reads runs; never imports a model.
"""

from __future__ import annotations

from evalsuite.leaderboard.frame import COLUMNS, frame_of, load
from evalsuite.leaderboard.published import with_published
from evalsuite.leaderboard.rendering import FORMATS, render
from evalsuite.leaderboard.table import Cell, Column, Row, Table, table

__all__ = [
    "COLUMNS",
    "FORMATS",
    "Cell",
    "Column",
    "Row",
    "Table",
    "frame_of",
    "load",
    "render",
    "table",
    "with_published",
]
