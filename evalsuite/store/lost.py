"""Answers whose images are gone: found, and forgotten where the user asks for them again."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evalsuite.store import codec, images, shards
from evalsuite.store.images import ImageReference
from evalsuite.store.layout import IMAGES, RESPONSES, reporting


@dataclass(frozen=True, slots=True)
class Lost:
    """What is lost of a task.

    Args:
        samples: id -> the first step whose image is gone; later steps were asked with it in view.
        images: digests of the images.
    """

    samples: dict[str, int]
    images: frozenset[str]


def find(connection: sqlite3.Connection, root: Path, task: str) -> Lost:
    """Reads all images of a task once. Raises StoreError when the database cannot be read."""
    samples: dict[str, int] = {}
    gone: set[str] = set()
    checked: dict[ImageReference, bool] = {}
    with reporting(root / RESPONSES):
        sharded = shards.has_places(connection)
        query = (
            "SELECT sample, step, response FROM responses WHERE task = ? AND status = 'answered' "
            "ORDER BY sample, step"
        )
        rows = connection.execute(query, (task,))
        for sample, step, response in rows:
            for reference in codec.references(response):
                if reference not in checked:
                    place = shards.place_of(connection, reference.sha256) if sharded else None
                    wrong = images.check(root, reference) if place is None else shards.check(root, place)
                    checked[reference] = bool(wrong)
                if checked[reference]:
                    gone.add(reference.sha256)
                    samples.setdefault(sample, step)
    return Lost(samples, frozenset(gone))


def forget(connection: sqlite3.Connection, root: Path, task: str, found: Lost) -> None:
    """Deletes the answers in one commit, then what is left of damaged files, so that they are written again
    whole."""
    with reporting(root / RESPONSES):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "DELETE FROM responses WHERE task = ? AND sample = ? AND step >= ?",
                [(task, sample, step) for sample, step in found.samples.items()],
            )
            # An answer that is the last step's says that nothing more is to be asked; those before it do not.
            if shards.has_places(connection):
                connection.executemany(
                    "DELETE FROM image_places WHERE sha256 = ?", [(digest,) for digest in found.images]
                )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    for digest in found.images:
        for file in (root / IMAGES / digest[:2]).glob(f"{digest}.*"):
            with suppress(OSError):
                file.unlink()
