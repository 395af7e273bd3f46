"""What the parts of the campaign share: a benchmark of images, the program, and what a good refusal is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from evalsuite.store import RunReader

LOOKER = Path(__file__).parent / "looking_plugin.py"
SUMS = Path(__file__).parent.parent / "engine" / "sums_plugin.py"
_CRUDE = re.compile(r"Traceback|AttributeError|NoneType|object has no attribute|\bKeyError\b")


def pope(folder: Path, images: Mapping[str, bytes]) -> Path:
    """POPE's files with one question for each of some image files."""
    (folder / "val2014").mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (name, data) in enumerate(images.items(), start=1):
        if data is not None:
            (folder / "val2014" / name).write_bytes(data)
        text = f"Is there a dog in the image? ({name})"
        lines.append(json.dumps({"question_id": number, "image": name, "text": text, "label": "yes"}))
    (folder / "coco_pope_popular.json").write_text("\n".join(lines) + "\n")
    return folder


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "evalsuite", *map(str, arguments)]


def environment(cache: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "EVALSUITE_CACHE": str(cache),
        **more,
    }


def program(
    *arguments: object, cache: Path, timeout: float = 240, **more: str
) -> subprocess.CompletedProcess[str]:
    """The program as a process of its own."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        env=environment(cache, **more),
    )


def run_looker(data: Path, out: Path, *more: object) -> list[object]:
    """Arguments of a run of the looker on POPE's files."""
    return [
        "run",
        "--plugin",
        LOOKER,
        "--model",
        "looker",
        "--task",
        "pope-popular",
        "--data",
        data,
        "--out",
        out,
        *more,
    ]


def failures(out: Path) -> dict[str, str]:
    """Sample -> why it failed."""
    with RunReader(out) as run:
        return {record.sample: record.error for record in run.failures()}


def is_refusal(text: str) -> bool:
    """Whether a reason is one for users: a short line, without the inside of Python."""
    return bool(text.strip()) and len(text) < 3000 and "\n" not in text.strip() and not _CRUDE.search(text)


def sums_arguments(task: str, count: int, out: Path, log: Path, *more: object) -> list[object]:
    """`evalsuite run` of the slow adder on one of its tasks, every request written to `log`."""
    options = ("--task-option", f"count={count}", "--option", f"log={log}", "--option", "delay=0.02")
    run = ("run", "--plugin", SUMS, "--model", "adder", "--task", task, "--out", out)
    return [*run, *options, "--no-self-check", *more]
