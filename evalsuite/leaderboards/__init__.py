"""Runs side by side: one tidy frame of all numbers, a pivot for people, and its renderings.

Reads runs; never imports a model.
"""

from __future__ import annotations

from evalsuite.leaderboards.average import with_average
from evalsuite.leaderboards.frame import COLUMNS, frame_of, load
from evalsuite.leaderboards.published import with_published
from evalsuite.leaderboards.rendering import FORMATS, render
from evalsuite.leaderboards.table import Cell, Column, Row, Table, table

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
    "with_average",
    "with_published",
]
