"""Nothing in the golden folder is passed over: it holds cases, and a test reads each of its folders."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.goldens import OWN_RUNNER, golden_root

READ = (
    *("*vqa_cases*", "*captions_cases*", "*mmbench_cases*", "*pope_cases*", "*geneval_cases*", "*llm_cases*"),
    *("*editing_cases*", "*fid_cases*"),
    *("official_scores*.json*", "preds_*.json*", "refs_*.json*", "expected*.json*", "*.tsv*"),
    *("answers*.json*", "*pope*.json*", "*logged*.txt*", "*-grade-*.json*", "*-score-*.csv*", "mm-vet.json*"),
    *("piqa*", "winogrande*", "boolq*", "hyp*.txt*", "ref*.txt*", "evaluation_metadata.jsonl*"),
    *("v2_*_questions.json*", "v2_*_annotations.json*"),
)
"""Patterns of the case files that the tests of this folder (and of tests/data, tests/tasks) read."""


def _folders() -> list[Path]:
    folders = [path for path in sorted(golden_root().iterdir()) if path.is_dir()]
    return [path for path in folders if path.name not in OWN_RUNNER and not path.name.startswith((".", "__"))]


@pytest.mark.parametrize("folder", _folders(), ids=lambda path: path.name)
def test_every_folder_holds_cases_that_are_read(folder: Path) -> None:
    files = [path.name for path in folder.rglob("*") if path.is_file()]
    assert files, f"{folder} is empty"
    assert any(fnmatch(name, pattern) for name in files for pattern in READ), (
        f"no test reads anything in {folder}: {', '.join(sorted(files)[:5])}"
    )


def test_the_golden_folder_holds_cases() -> None:
    files = [path.name for path in golden_root().rglob("*") if path.is_file()]
    assert any(fnmatch(name, pattern) for name in files for pattern in READ), f"{golden_root()} has no cases"
