"""Checking a run: is the database intact, is every image there and unchanged, do the counts fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import StoreError
from evalsuite.store import codec, database, images, shards
from evalsuite.store.feature_files import stored_features
from evalsuite.store.layout import IMAGES, RESPONSES, reporting
from evalsuite.store.manifest import read_manifest
from evalsuite.store.writer import tally

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found.

    Args:
        problems: one line each; empty when the run is sound.
        records, images: how many were checked.
        stray_images: files in `images/` that no response refers to; harmless, left by a kill between writing
            an image and committing its row.
        features, damaged_features: rows of kept features, and those of them that are damaged; harmless, since
            scoring computes them again.
        lost_samples: answered samples whose images are gone or damaged; `--retry-failed` regenerates them.
    """

    problems: tuple[str, ...]
    records: int
    images: int
    stray_images: int
    lost_samples: int = 0
    features: int = 0
    damaged_features: int = 0

    @property
    def sound(self) -> bool:
        return not self.problems


def verify(path: Path | str) -> Verification:
    """Reads everything once. Raises StoreError when the directory is no run or one of another version."""
    path = Path(path)
    manifest = read_manifest(path)
    try:
        connection = database.connect_for_reading(path)
    except StoreError as error:
        return Verification((error.what,), 0, 0, 0)
    problems: list[str] = []
    keys = {task.key for task in manifest.tasks}
    lost: set[tuple[str, str]] = set()
    wrong: dict[images.ImageReference, str] = {}
    records = stray = 0

    def check(reference: images.ImageReference) -> str:
        place = shards.place_of(connection, reference.sha256) if sharded else None
        return images.check(path, reference) if place is None else shards.check(path, place)

    try:
        with reporting(path / RESPONSES):
            sharded = shards.has_places(connection)
        with reporting(path / RESPONSES):
            problems += [
                f"{RESPONSES}: {row[0]}"
                for row in connection.execute("PRAGMA integrity_check")
                if row[0] != "ok"
            ]
        query = (
            "SELECT task, sample, step, status, response, sample_hash, request_hash, target_hash "
            "FROM responses"
        )
        with reporting(path / RESPONSES):
            for task, sample, step, status, response, *hashes in connection.execute(query):
                records += 1
                name = f"{task}/{sample} step {step}"
                if task not in keys:
                    problems.append(f"{name}: the run has no such task")
                if status != "answered":
                    continue
                if not all(_HASH.fullmatch(value) for value in hashes):
                    problems.append(f"{name}: a hash is missing")
                try:
                    found = codec.references(response)
                    for reference in found:
                        if reference not in wrong:
                            wrong[reference] = check(reference)
                            problems += [f"{name}: {wrong[reference]}"] if wrong[reference] else []
                        if wrong[reference]:
                            lost.add((task, sample))
                except (ValueError, KeyError, TypeError, StoreError) as error:
                    problems.append(f"{name}: its response cannot be read ({error})")
        for key, counts in tally(manifest, database.count(connection, path)).items():
            if counts.missing < 0:
                problems.append(
                    f"{key}: {counts.answered + counts.failed} samples, but only {counts.total} belong to it"
                )
        stray = shards.strays(path, connection) if sharded else 0
    except StoreError as error:
        problems.append(error.what)
    finally:
        connection.close()
    files = {file.name for file in (path / IMAGES).glob("??/*") if not file.name.startswith(".tmp-")}
    stray += len(files - {reference.file_name for reference in wrong})
    features = stored_features(path, check=True)
    rows, damaged = (sum(getattr(one, field) for one in features) for field in ("rows", "damaged"))
    return Verification(tuple(problems), records, len(wrong), stray, len(lost), rows, damaged)
