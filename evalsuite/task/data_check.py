"""What is here of a benchmark's data: its files, their checksums, its samples and their images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from evalsuite.content import Image
from evalsuite.data import files
from evalsuite.data.hub import cached
from evalsuite.data.inspection import DataReport, FileReport, SourceReport, agrees_with, bytes_of
from evalsuite.errors import EvalsuiteError
from evalsuite.task import Task
from evalsuite.task.benchmark import Benchmark, build
from evalsuite.task.entry import TaskOptions
from evalsuite.task.sources import MADE, Source, made_place, origin_of

_TOLD = 3
"""Maximum number of problems of one kind that are listed; the rest is counted."""


def inspect(benchmark: Benchmark, data: Path | None = None, *, read: bool = False) -> DataReport:
    """A report over all sources of a benchmark. Fetches nothing.

    Args:
        data: the user's folder; None looks at `$EVALSUITE_DATA/<benchmark>`, packages and the hub's cache.
        read: also verify checksums, read all samples, and look for all images that are files.

    Raises:
        DataError: `data` is not a folder.
    """
    given = files.data_folder(benchmark.name, data)
    sources = tuple(_source(benchmark, source, given, read=read) for source in benchmark.sources)
    report = DataReport(
        benchmark.name, benchmark.title, benchmark.licence, benchmark.home, benchmark.count, sources
    )
    begun = [source for source in sources if any(f.state == "ok" and not f.optional for f in source.files)]
    used = next((source for source in sources if source.complete), begun[0] if begun else None)
    report = replace(report, used=used, problems=tuple(_of_files(used)))
    if not read or used is None or not used.complete:
        return report
    try:
        protocol = next(iter(benchmark.sources[sources.index(used)].protocols), None)
        options = TaskOptions(data=data, protocol=protocol, options={"source": used.reader})
        task = build(benchmark, options)
        return _read(report, task)
    except EvalsuiteError as error:
        return replace(report, problems=(*report.problems, str(error)))


def _of_files(used: SourceReport | None) -> Iterator[str]:
    if used is None:
        yield "none of its files is here"
        return
    for file in used.files:
        if file.state in ("missing", "different") and not file.optional:
            yield f"{file.name} is {file.state}" + (f" ({file.detail})" if file.detail else "")


def _source(benchmark: Benchmark, source: Source, given: Path | None, *, read: bool) -> SourceReport:
    origin = origin_of(benchmark.name, source, benchmark.licence)
    folder = given
    if folder is None and source.place:
        if source.place in MADE:
            made = tuple(FileReport(role, name, "made when needed") for role, name in source.files.items())
            return SourceReport(source.reader, None, made, origin.get, origin.size, source.note)
        with suppress(EvalsuiteError):
            folder = made_place(source.place)
    if folder is None and source.hub is not None:
        found = cached(source.hub.repository, source.hub.revision, tuple(source.files.values()))
        folder = found.folder if found else None
    reports = [_file(folder, role, name, source, read=read) for role, name in source.files.items()]
    for role, name in (source.examples.files if source.examples else {}).items():
        example = _file(folder, role, name, source, read=False)
        reports.append(replace(example, role=f"{role} (for shots=)", optional=True))
    return SourceReport(source.reader, folder, tuple(reports), origin.get, origin.size, source.note)


def _file(folder: Path | None, role: str, name: str, source: Source, *, read: bool) -> FileReport:
    if folder is None:
        return FileReport(role, name, "missing")
    if role.startswith("images"):
        # Of an image path with fields, the folder before the first field; single images are counted later.
        head = name.split("{", 1)[0].rpartition("/")[0] if "{" in name else name
        return FileReport(role, name, "ok" if (folder / head).is_dir() else "missing")
    origin = files.Origin("")
    try:
        paths = (
            files.require_all(folder, name, origin) if "*" in name else [files.require(folder, name, origin)]
        )
    except EvalsuiteError as error:
        gone = "shard" in error.what and error.what.removeprefix(": ")
        return FileReport(role, name, "missing", detail=gone or "")
    size = bytes_of(paths)
    detail = f"{len(paths)} files" if len(paths) > 1 else ""
    checksum = source.checksums.get(role, "")
    if checksum and read:
        kind, _, digest = checksum.partition(":")
        if paths[0].suffix == ".gz" and not name.endswith(".gz"):
            detail = f"packed: its {kind} is not compared"
        elif agrees_with(paths[0], checksum):
            detail = f"{kind} as published"
        else:
            return FileReport(role, name, "different", size, f"its {kind} is not {digest}")
    return FileReport(role, name, "ok", size, detail)


def _read(report: DataReport, task: Task) -> DataReport:
    """Counts samples and images; a sample that cannot be asked is a problem."""
    count = 0
    seen: set[Path] = set()
    gone: list[Path] = []
    broken: list[str] = []
    for sample in task.samples():
        count += 1
        try:
            request = task.request(sample)
        except EvalsuiteError as error:
            broken.append(str(error))
            continue
        for image in request.images if request else ():
            if _is_new(image, seen) and image.path is not None and not image.path.is_file():
                gone.append(image.path)
    problems = list(report.problems)
    if report.expected is not None and count != report.expected:
        problems.append(f"{count:,} samples instead of {report.expected:,}")
    problems += _several(broken, "samples cannot be asked")
    problems += _several([str(path) for path in gone], f"of {len(seen):,} images are missing")
    return replace(
        report, samples=count, images=len(seen), missing_images=len(gone), problems=tuple(problems)
    )


def _is_new(image: Image, seen: set[Path]) -> bool:
    if image.path is None or image.path in seen:
        return False
    seen.add(image.path)
    return True


def _several(found: list[str], what: str) -> list[str]:
    if not found:
        return []
    told = "; ".join(found[:_TOLD]) + (" …" if len(found) > _TOLD else "")
    return [f"{len(found):,} {what}: {told}"]
