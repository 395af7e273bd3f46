"""`run.json` for people: what each run asked, of what, with what, and in what the runs differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalsuite.report.privacy import without_folders
from evalsuite.store import Counts, Note, RunReader
from evalsuite.store.manifest import Manifest

_SKIPPED = ("sessions.", "spec.tasks.", "tasks.", "spec.plugins", "model.name", "spec.model.name", "format")
"""Shown elsewhere, or different by nature."""


@dataclass(frozen=True, slots=True)
class Account:
    """One run.

    Args:
        name: its model, with the folder where names repeat.
        anchor: its part of the page.
    """

    name: str
    anchor: str
    folder: str
    manifest: Manifest
    counts: Mapping[str, Counts]
    notes: tuple[Note, ...]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The model and the specification, one fact per line."""
        made, spec = self.manifest, self.manifest.spec
        model = made.model
        details = model.details if model else {}
        return [
            ("folder", self.folder),
            ("model", _told(spec.model.name)),
            ("fingerprint", model.fingerprint if model else "not loaded yet"),
            ("parameters", f"{model.parameters:,}" if model and model.parameters is not None else "–"),
            *((name, _told(value)) for name, value in sorted(details.items())),
            *((f"option {name}", _told(value)) for name, value in sorted(spec.model.options.items())),
            ("device, dtype", f"{spec.model.device}, {spec.model.dtype}"),
            ("seed", str(spec.seed)),
            ("limit", str(spec.limit) if spec.limit else "none: all samples"),
            ("plugins", ", ".join(path.name for path in spec.plugins) or "none"),
            ("evalsuite", made.evalsuite),
        ]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which runs differ, with each run's value in the order of the accounts."""

    field: str
    values: tuple[str, ...]


def accounts(readers: Sequence[RunReader]) -> list[Account]:
    """The runs in their order."""
    names = [reader.model_name for reader in readers]
    return [
        Account(
            reader.model_name
            if names.count(reader.model_name) == 1
            else f"{reader.model_name} [{reader.path.name}]",
            f"run-{i + 1}",
            reader.path.resolve().name,
            reader.manifest,
            reader.counts(),
            tuple(reader.notes()),
        )
        for i, reader in enumerate(readers)
    ]


def differences(found: Sequence[Account]) -> list[Difference]:
    """Fields that are not the same in all runs: versions, hardware, seeds, options, data, protocols."""
    manifests = [dict(_fields(account.manifest)) for account in found]
    names = dict.fromkeys(name for fields in manifests for name in fields)
    # A task that a run did not measure is no difference between those that did.
    lines = []
    for name in names:
        values = [fields.get(name, "") for fields in manifests]
        known = {value for value in values if value} if name.startswith("task ") else set(values)
        if len(known) > 1:
            lines.append(Difference(name, tuple(value or "–" for value in values)))
    return lines


def _fields(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for name, value in _flat(manifest.model_dump(mode="json"), ""):
        if not name.startswith(_SKIPPED):
            yield name, value
    for record in manifest.tasks:
        info = record.info
        for field, value in (
            ("version", info.version), ("protocol", info.protocol), ("rules", info.rules),
            ("split", info.split), ("data", record.data_fingerprint), ("samples", str(record.total)),
        ):  # fmt: skip
            yield f"task {record.key}: {field}", value
    if manifest.sessions:
        last = manifest.sessions[-1]
        yield from _flat(last.environment.model_dump(mode="json"), "environment")
        yield from _flat(last.execution.model_dump(mode="json"), "execution")


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _flat(item, f"{path}.{i}")
    else:
        yield path, _told(value)


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(item)}" for key, item in value.items())
    return "" if value is None else without_folders(str(value))
