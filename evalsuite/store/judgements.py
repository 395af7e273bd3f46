"""The tables of judgements, beside the responses in the same database and as durable as they are.

A judgement is found by what was asked: the judge, the task, the digest of the question, which of equal
questions it was, and which run of the judge. An answer that changes is another question, so that no judgement
outlives the answer that it was about.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.request import fingerprint
from evalsuite.store.layout import RESPONSES, reporting

SCHEMA = """
CREATE TABLE IF NOT EXISTS judges (
    judge TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    parameters TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judgements (
    judge TEXT NOT NULL,
    task TEXT NOT NULL,
    question TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    run INTEGER NOT NULL,
    sample TEXT NOT NULL,
    text TEXT,
    error TEXT NOT NULL,
    model TEXT NOT NULL,
    system_fingerprint TEXT NOT NULL,
    finish_reason TEXT NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    price_in REAL,
    price_out REAL,
    retries INTEGER NOT NULL,
    seconds REAL NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (judge, task, question, attempt, run),
    CHECK ((error = '') = (text IS NOT NULL))
) WITHOUT ROWID;
"""

_COLUMNS = (
    "task, question, attempt, run, sample, text, error, model, system_fingerprint, finish_reason, "
    "prompt_tokens, completion_tokens, price_in, price_out, retries, seconds, created"
)


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judges.

    Args:
        model: as it is asked for.
        parameters: what the user wants otherwise than the task's protocol has it (temperature …).
    """

    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Digest of all that makes it this judge."""
        return fingerprint({"model": self.model, "parameters": dict(self.parameters)})

    def named(self, model: str) -> str:
        """What a result calls it: the model, as its server names it, and the parameters of the user's own."""
        phrase = ", ".join(f"{name}={value}" for name, value in sorted(self.parameters.items()))
        return f"{model} ({phrase})" if phrase else model


@dataclass(frozen=True, slots=True)
class StoredJudgement:
    """One question to a judge, with what it said or why it said nothing.

    Args:
        task, sample: whose answer it is about.
        question: digest of the question.
        attempt: 0 for the first of equal questions about an answer, then 1, 2 …
        run: of the judge.
        text: None when it failed.
        error: why it failed; empty when it did not.
        model, system_fingerprint, finish_reason: as the server reported.
        prompt_tokens, completion_tokens: None where the server does not count.
        price_in, price_out: per million tokens, as the user gave them; None: unknown.
        retries: attempts that failed before.
        seconds: of the attempt that succeeded.
        created: Unix time; 0 until the store sets it.
    """

    task: str
    question: str
    attempt: int
    run: int
    sample: str
    text: str | None
    error: str = ""
    model: str = ""
    system_fingerprint: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    price_in: float | None = None
    price_out: float | None = None
    retries: int = 0
    seconds: float = 0.0
    created: float = 0.0

    @property
    def cost(self) -> float | None:
        """In the prices' currency; None where a price or a count is unknown."""
        given = (self.prompt_tokens, self.completion_tokens, self.price_in, self.price_out)
        if any(value is None for value in given):
            return None
        tokens_in, tokens_out, price_in, price_out = (float(value or 0) for value in given)
        return (tokens_in * price_in + tokens_out * price_out) / 1e6


def insert(connection: sqlite3.Connection, root: Path, judge: Judge, judgement: StoredJudgement) -> None:
    """Commits a judgement. One that was had is never replaced, a failure is."""
    now = time.time()
    parameters = json.dumps(dict(judge.parameters), sort_keys=True)
    values = [getattr(judgement, name) for name in _COLUMNS.split(", ")[:-1]]
    with reporting(root / RESPONSES):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                "INSERT OR IGNORE INTO judges VALUES (?, ?, ?, ?)", (judge.id, judge.model, parameters, now)
            )
            connection.execute(
                "DELETE FROM judgements WHERE judge = ? AND task = ? AND question = ? AND attempt = ? "
                "AND run = ? AND error != ''",
                (judge.id, *values[:4]),
            )
            connection.execute(
                f"INSERT OR IGNORE INTO judgements (judge, {_COLUMNS}) VALUES ({', '.join('?' * 18)})",
                (judge.id, *values, judgement.created or now),
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def judges(connection: sqlite3.Connection, root: Path, task: str) -> list[Judge]:
    """The judges that were asked about a task, the earliest first; none in a run that never saw one."""
    query = (
        "SELECT model, parameters FROM judges WHERE judge IN (SELECT judge FROM judgements WHERE task = ?) "
        "ORDER BY created"
    )
    with reporting(root / RESPONSES):
        if not _has_tables(connection):
            return []
        return [Judge(model, json.loads(text)) for model, text in connection.execute(query, (task,))]


def select(connection: sqlite3.Connection, root: Path, judge: Judge, task: str) -> list[StoredJudgement]:
    """All judgements of a task by a judge, the earliest first."""
    query = f"SELECT {_COLUMNS} FROM judgements WHERE judge = ? AND task = ? ORDER BY created, question"
    with reporting(root / RESPONSES):
        if not _has_tables(connection):
            return []
        return [StoredJudgement(*row) for row in connection.execute(query, (judge.id, task))]


def _has_tables(connection: sqlite3.Connection) -> bool:
    """A run that was written before there were judges, opened for reading, has no such tables."""
    query = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ('judges', 'judgements')"
    return bool(connection.execute(query).fetchone()[0] == 2)
