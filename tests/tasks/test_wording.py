"""What benchmarks ask is pinned: a prompt or decoding that changes without a new version fails here.

`python -m tests.tasks.test_wording` writes the file anew, after the versions of what changed were raised.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import evalsuite_tasks
import pytest

from evalsuite.content import Image
from evalsuite.request import (
    GenerateImages,
    ImageResponse,
    Request,
    Response,
    TextResponse,
    fingerprint,
)
from evalsuite.task import Task
from evalsuite.task.benchmark import load
from evalsuite.task.entry import TaskEntry, TaskOptions
from tests.tasks import test_choice, test_vqa, test_yesno

PINNED = Path(__file__).resolve().parents[1] / "golden" / "wording.json"
TASKS = {entry.name: entry for entry in evalsuite_tasks.tasks()}


def folders(root: Path) -> dict[str, Path]:
    """Small data folders in the official form, by the benchmarks that read them."""
    made = {name: root / name for name in ("vqav2", "mmbench-dev-en", "pope-adversarial")}
    test_vqa.official(made["vqav2"])
    made["mmbench-dev-en"].mkdir()
    test_choice.written(made["mmbench-dev-en"], test_choice.rows())
    made["pope-adversarial"].mkdir()
    test_yesno.official(made["pope-adversarial"], "adversarial")
    return made


def has_own_data(entry: TaskEntry) -> bool:
    """Whether the benchmark needs no data of the user's."""
    (path,) = Path(evalsuite_tasks.__file__).parent.rglob(f"{entry.name}.yaml")
    return any(source.place for source in load(path).sources)


def asked(task: Task) -> Iterator[tuple[str, Request]]:
    """The first two requests of the first three samples, as a model that says "no", or draws one image,
    meets them."""
    for sample in islice(task.samples(), 3):
        earlier: tuple[Response, ...] = ()
        for step in range(2):
            request = task.request(sample, earlier)
            if request is None:
                break
            yield f"{sample.id}/{step}", request
            draws = isinstance(request.output, GenerateImages)
            made = ImageResponse((Image(data=b"-", name="made.png"),)) if draws else TextResponse("no")
            earlier = (*earlier, made)


def wording(request: Request) -> str:
    """Digest of everything but the images' bytes: PNG files differ between zlib versions."""
    value = request.describe()
    for message in value["messages"]:
        for part in message["parts"]:
            part.pop("sha256", None)
    return fingerprint(value)


def with_images(request: Request) -> Request:
    """The request with an image that exists everywhere: POPE's photographs are not here."""
    messages = tuple(
        replace(
            m, parts=tuple(Image(data=b"-", name=p.label) if isinstance(p, Image) else p for p in m.parts)
        )
        for m in request.messages
    )
    return replace(request, messages=messages)


def current(root: Path) -> dict[str, Any]:
    data = folders(root)
    found: dict[str, Any] = {}
    for name, entry in sorted(TASKS.items()):
        if name not in data and not has_own_data(entry):
            continue
        for protocol in entry.protocols:
            task = entry.build(TaskOptions(protocol=protocol, data=data.get(name)))
            found[f"{name} {protocol}"] = {
                "version": task.info.version,
                "requests": {key: wording(with_images(request)) for key, request in asked(task)},
            }
    return found


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return current(tmp_path_factory.mktemp("wording"))


@pytest.mark.slow
def test_no_prompt_changed_without_a_new_version(now: dict[str, Any]) -> None:
    pinned = json.loads(PINNED.read_text())
    for key, value in pinned.items():
        assert key in now, f"{key} is gone: write {PINNED.name} anew"
        if value["version"] == now[key]["version"]:
            assert now[key]["requests"] == value["requests"], f"{key} asks something else: raise its version"


def test_every_protocol_that_can_be_asked_here_is_pinned_with_its_version(now: dict[str, Any]) -> None:
    pinned = json.loads(PINNED.read_text())
    assert {key: value["version"] for key, value in now.items()} == {
        key: value["version"] for key, value in pinned.items()
    }, f"run `python -m tests.tasks.test_wording` and commit {PINNED.name}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PINNED.write_text(json.dumps(current(Path(folder)), indent=1) + "\n")
    sys.stdout.write(f"{PINNED} written\n")
