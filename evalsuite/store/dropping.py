"""Answers of a worker that turned out to be sick: removed, so that they are asked again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from evalsuite.store.layout import RESPONSES, reporting


def drop(connection: sqlite3.Connection, root: Path, worker: int) -> dict[str, int]:
    """Removes what a worker answered or failed, in one commit; returns how many samples that were, by task.

    The later steps of a sample go with it, whoever answered them: they were asked with its answer in view.
    """
    with reporting(root / RESPONSES):
        connection.execute("BEGIN IMMEDIATE")
        try:
            rows = connection.execute(
                "SELECT task, sample, MIN(step) FROM responses WHERE worker = ? GROUP BY task, sample",
                (worker,),
            ).fetchall()
            connection.executemany("DELETE FROM responses WHERE task = ? AND sample = ? AND step >= ?", rows)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    found: dict[str, int] = {}
    for task, _, _ in rows:
        found[task] = found.get(task, 0) + 1
    return found
