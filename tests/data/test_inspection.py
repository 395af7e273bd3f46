"""`evalsuite data check`: files, checksums, counts and images; nothing is fetched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.data.inspection import DataReport, agrees_with
from evalsuite.errors import DataError
from evalsuite.registry import load_registry
from evalsuite.task import TaskEntry
from evalsuite.task.benchmark import entries
from tests.data.image_files import encoded
from tests.tasks.test_benchmark import DECLARED, data


def check(tmp_path: Path, folder: Path, **changes: Any) -> DataReport:
    (tmp_path / "tasks").mkdir(exist_ok=True)
    (tmp_path / "tasks" / "b.yaml").write_text(yaml.safe_dump({**DECLARED, **changes}, sort_keys=False))
    (entry,) = entries(tmp_path / "tasks")
    assert isinstance(entry, TaskEntry)
    assert entry.inspect is not None
    report: DataReport = entry.inspect(folder, True)
    return report


def whole(folder: Path) -> Path:
    data(folder)
    (folder / "img" / "0002.jpg").write_bytes(encoded("JPEG"))
    return folder


def test_whole_data_are_complete(tmp_path: Path) -> None:
    report = check(tmp_path, whole(tmp_path / "d"))
    assert report.complete
    assert (report.samples, report.expected, report.images, report.missing_images) == (2, 2, 2, 0)
    assert [file.state for file in report.sources[0].files] == ["ok"] * 3


def test_a_missing_image_file_and_another_count_are_problems(tmp_path: Path) -> None:
    report = check(tmp_path, data(tmp_path / "d"), count=3)
    assert not report.complete
    assert report.problems[0] == "2 samples instead of 3"
    assert "1 of 2 images are missing" in report.problems[1]
    assert "0002.jpg" in report.problems[1]


def test_missing_files_are_named_and_nothing_is_read(tmp_path: Path) -> None:
    folder = whole(tmp_path / "d")
    (folder / "a.json").unlink()
    report = check(tmp_path, folder)
    assert report.problems == ("a.json is missing",)
    assert report.samples is None
    (tmp_path / "empty").mkdir()
    assert check(tmp_path, tmp_path / "empty").problems == ("none of its files is here",)


def test_malformed_files_are_problems_with_their_reason(tmp_path: Path) -> None:
    folder = whole(tmp_path / "d")
    (folder / "q.json").write_text("{}")
    (problem,) = check(tmp_path, folder).problems
    assert "q.json" in problem


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_published_checksums_are_compared(kind: str, tmp_path: Path) -> None:
    folder = whole(tmp_path / "d")
    digest = hashlib.new(kind, (folder / "q.json").read_bytes()).hexdigest()
    source = {**DECLARED["sources"][0], "checksums": {"questions": f"{kind}:{digest}"}}
    report = check(tmp_path, folder, sources=[source])
    assert report.complete
    assert report.sources[0].files[0].detail == f"{kind} as published"
    (folder / "q.json").write_text(json.dumps(json.loads((folder / "q.json").read_text())) + "\n")
    report = check(tmp_path, folder, sources=[source])
    assert report.problems == (f"q.json is different (its {kind} is not {digest})",)


def test_a_checksum_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither md5 nor sha256"):
        agrees_with(tmp_path, "crc32:00")


def test_mmbenchs_tables_have_the_checksums_of_its_own_tool_chain() -> None:
    from evalsuite.task.benchmark import load

    folder = Path(str(__import__("evalsuite_tasks").__file__)).parent / "choice"
    found = {path.stem: load(path).sources[0].checksums for path in folder.glob("mmbench-*-[ec]n*.yaml")}
    assert len(found) == 8
    assert all(checksums["table"].startswith("md5:") for checksums in found.values())


def test_the_command_ends_with_1_where_data_are_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVALSUITE_DATA", raising=False)
    # The library reads the variable once, when it is imported: without this, later tests would be offline.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    run = CliRunner().invoke
    missing = run(app, ["data", "check", "vqav2"])
    assert missing.exit_code == 1
    for told in ("CC BY 4.0", "https://visualqa.org/download.html (6.5 GB)", "missing", "incomplete"):
        assert told in missing.output
    there = run(app, ["data", "check", "easy-vqa"])
    assert there.exit_code == 0
    assert "9,673 of 9,673" in there.output
    table = run(app, ["data", "check"])
    assert table.exit_code == 0
    assert all(name in table.output for name in load_registry().tasks)
    assert "made when needed" in table.output
