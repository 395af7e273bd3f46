"""The run on disk: the only place that writes into a run, and how everything else reads one.

A run is a directory: `run.json` (what was asked for, of what, with what), `responses.sqlite` (every answer,
failure and judgement), `images/` (generated images by digest), `scores/*.parquet` and `metrics.json` (what
scoring made of it).
"""

from __future__ import annotations

from evalsuite.store.judgements import Judge, StoredJudgement
from evalsuite.store.manifest import Environment, Manifest, Session, TaskRecord, read_manifest
from evalsuite.store.reader import RunReader, list_runs
from evalsuite.store.records import Counts, Note, Record
from evalsuite.store.results import Cost, Judging, TaskResult
from evalsuite.store.verify import Verification, verify
from evalsuite.store.writer import RunWriter, check_usable

__all__ = [
    "Cost",
    "Counts",
    "Environment",
    "Judge",
    "Judging",
    "Manifest",
    "Note",
    "Record",
    "RunReader",
    "RunWriter",
    "Session",
    "StoredJudgement",
    "TaskRecord",
    "TaskResult",
    "Verification",
    "check_usable",
    "list_runs",
    "read_manifest",
    "verify",
]
