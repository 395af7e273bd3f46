"""The table of responses: SQLite in WAL mode, one writer, many readers.

`synchronous=FULL`: a committed batch survives `kill -9` and a power loss. One commit is one batch, so the
sync is paid once per batch. A reader sees whole batches only.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from evalsuite.content import Image
from evalsuite.errors import StoreError
from evalsuite.store import codec, judgements, shards
from evalsuite.store.images import ImageReference
from evalsuite.store.layout import RESPONSES, reporting
from evalsuite.store.records import Note, Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
    task TEXT NOT NULL,
    sample TEXT NOT NULL,
    step INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('answered', 'failed')),
    last INTEGER NOT NULL,
    response TEXT,
    error TEXT NOT NULL,
    sample_hash TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    target_hash TEXT NOT NULL,
    seconds REAL NOT NULL,
    batch_size INTEGER NOT NULL,
    created REAL NOT NULL,
    worker INTEGER,
    PRIMARY KEY (task, sample, step),
    CHECK ((status = 'answered') = (response IS NOT NULL))
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (
    task TEXT NOT NULL,
    text TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (task, text)
);
"""

_COLUMNS = (
    "task, sample, step, response, error, last, sample_hash, request_hash, target_hash, seconds, "
    "batch_size, created"
)
"""What every version has; runs of version 0.1 have no `worker`."""


def connect_for_writing(root: Path, *, begun: bool = False) -> sqlite3.Connection:
    """Opens or creates the table; `begun`: something was asked already, so that there is one.

    Raises StoreError when it is damaged or cannot be written, or was lost: numbers that were made of its
    answers must not be replaced by those of an empty one.
    """
    file = root / RESPONSES
    if begun:
        _check_there(root)
    with reporting(file):
        # The engine saves in a thread of its own, and never in two at the same time.
        connection = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
        if begun:
            connection.execute("SELECT 1 FROM responses LIMIT 1").fetchone()
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(_SCHEMA + judgements.SCHEMA + shards.SCHEMA)
        if not _has_worker(connection):
            connection.execute("ALTER TABLE responses ADD COLUMN worker INTEGER")
        return connection


def connect_for_reading(root: Path) -> sqlite3.Connection:
    """Opens the table without writing to it, also while a run is being written and on a read-only medium."""
    file = root / RESPONSES
    _check_there(root)
    with reporting(file):
        try:
            return _open(file, "mode=ro")
        except sqlite3.OperationalError as error:
            # A read-only folder cannot hold the shared-memory file of WAL; nobody can be writing there. But
            # what a killed run left in its write-ahead log would be passed over in silence.
            log = Path(f"{file}-wal")
            if log.exists() and log.stat().st_size:
                raise StoreError(
                    f"{root} was killed, and its last answers lie in {log.name}, which cannot be read here "
                    f"({error}).",
                    "Copy the run to a folder that can be written and read it there.",
                ) from error
            return _open(file, "immutable=1")


def _check_there(root: Path) -> None:
    file = root / RESPONSES
    if not file.exists() or not file.stat().st_size:
        raise StoreError(
            f"{root} has no {RESPONSES}, or an empty one.",
            "It is not a run, or a part of it was not copied or was deleted: restore it, or choose another "
            "--out.",
        )


def _open(file: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?{mode}", uri=True, timeout=30, isolation_level=None
    )
    connection.execute("SELECT 1 FROM responses LIMIT 1").fetchone()
    return connection


def insert(
    connection: sqlite3.Connection,
    root: Path,
    records: Iterable[tuple[Record, str | None]],
    places: Iterable[shards.Place] = (),
) -> None:
    """Commits records with their encoded responses and the places of their images, all or none.

    A failed record may be replaced (`retry_failed`), an answered one never: the attempt is a StoreError.
    """
    now = time.time()
    rows = [
        (
            r.task,
            r.sample,
            r.step,
            r.status,
            int(r.last),
            encoded,
            r.error,
            r.sample_hash,
            r.request_hash,
            r.target_hash,
            r.seconds,
            r.batch_size,
            r.created or now,
            r.worker,
        )
        for r, encoded in records
    ]
    with reporting(root / RESPONSES):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "DELETE FROM responses WHERE task = ? AND sample = ? AND step = ? AND status = 'failed'",
                [row[:3] for row in rows],
            )
            connection.executemany(f"INSERT INTO responses VALUES ({', '.join('?' * 14)})", rows)
            connection.executemany(
                "INSERT INTO image_places VALUES (?, ?, ?, ?, ?)", [place.row for place in places]
            )
            connection.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            connection.execute("ROLLBACK")
            raise StoreError(
                f"{root}: a request that is answered already was answered again ({error}).",
                "This is a bug of the engine; nothing was overwritten.",
            ) from error
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def add_note(connection: sqlite3.Connection, root: Path, task: str, text: str) -> None:
    with reporting(root / RESPONSES):
        connection.execute("INSERT OR IGNORE INTO notes VALUES (?, ?, ?)", (task, text, time.time()))


def notes(connection: sqlite3.Connection, root: Path) -> list[Note]:
    with reporting(root / RESPONSES):
        return [
            Note(*row) for row in connection.execute("SELECT task, text, created FROM notes ORDER BY created")
        ]


def records(
    connection: sqlite3.Connection, root: Path, task: str, sample: str | None = None
) -> Iterator[Record]:
    """The records of a task (or of one of its samples) by sample id and step, lazily."""
    if sample is None:
        return _select(connection, root, "task = ?", task)
    return _select(connection, root, "task = ? AND sample = ?", task, sample)


def failures(connection: sqlite3.Connection, root: Path, task: str) -> Iterator[Record]:
    """The failed records of a task by sample id, lazily."""
    return _select(connection, root, "task = ? AND status = 'failed'", task)


def _select(connection: sqlite3.Connection, root: Path, where: str, *values: str) -> Iterator[Record]:
    with reporting(root / RESPONSES):
        find = _finder(connection, root)
        columns = f"{_COLUMNS}, worker" if _has_worker(connection) else _COLUMNS
        query = f"SELECT {columns} FROM responses WHERE {where} ORDER BY task, sample, step"
        for name, identity, step, response, error, last, *rest in connection.execute(query, values):
            decoded = None if response is None else codec.decode(response, root, find)
            yield Record(name, identity, step, decoded, error, bool(last), *rest)


def _has_worker(connection: sqlite3.Connection) -> bool:
    return any(row[1] == "worker" for row in connection.execute("PRAGMA table_info(responses)"))


def _finder(connection: sqlite3.Connection, root: Path) -> codec.Find:
    """Finds images in the shards, where there are any, and as files."""
    if not shards.has_places(connection):
        return lambda reference: codec.image_file(root, reference)

    def find(reference: ImageReference) -> Image:
        place = shards.place_of(connection, reference.sha256)
        return codec.image_file(root, reference) if place is None else shards.image_at(root, place)

    return find


def finished(connection: sqlite3.Connection, root: Path, task: str, *, failed: bool) -> set[str]:
    """Ids of the samples about which nothing more is to be asked; with `failed`, also those that failed."""
    condition = "(last = 1 OR status = 'failed')" if failed else "last = 1 AND status = 'answered'"
    with reporting(root / RESPONSES):
        query = f"SELECT sample FROM responses WHERE task = ? AND {condition}"
        return {row[0] for row in connection.execute(query, (task,))}


def begun(connection: sqlite3.Connection, root: Path, task: str) -> set[str]:
    """Ids of the samples that have an answered step but are not finished."""
    query = (
        "SELECT sample FROM responses WHERE task = ? GROUP BY sample "
        "HAVING SUM(last = 1 AND status = 'answered') = 0 AND SUM(status = 'answered') > 0"
    )
    with reporting(root / RESPONSES):
        return {row[0] for row in connection.execute(query, (task,))}


def count(connection: sqlite3.Connection, root: Path) -> dict[str, tuple[int, int]]:
    """Per task: samples answered to the end, samples failed."""
    query = (
        "SELECT task, SUM(last = 1 AND status = 'answered'), SUM(status = 'failed') "
        "FROM responses GROUP BY task"
    )
    with reporting(root / RESPONSES):
        return {task: (int(answered), int(failed)) for task, answered, failed in connection.execute(query)}
