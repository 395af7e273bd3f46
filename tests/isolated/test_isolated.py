"""Adapters in another interpreter: every capability, every way to misbehave, nothing left behind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.content import Image, Message, Text, user
from evalsuite.errors import (
    AdapterError,
    CheckpointError,
    OutOfMemoryError,
    SampleError,
    SpecError,
    UnavailableError,
)
from evalsuite.isolated import frames
from evalsuite.isolated.adapter import IsolatedModel
from evalsuite.model import ModelOptions
from evalsuite.request import (
    GenerateDocument,
    GenerateImages,
    GenerateText,
    Output,
    Request,
    ScoreChoices,
    TextResponse,
)

ADAPTER = Path(__file__).parent / "adapter_file.py"
PIXEL = Path(__file__).parents[1] / "golden"


def build(**options: Any) -> IsolatedModel:
    given = {"python": sys.executable, **{name: str(value) for name, value in options.items()}}
    return IsolatedModel(ModelOptions(str(ADAPTER), options=given))


def request(text: str, output: Output | None = None, seed: int = 0, image: bytes | None = None) -> Request:
    parts = (Text(text),) if image is None else (Image(data=image, name="i"), Text(text))
    return Request((Message("user", parts),), output or GenerateText(), seed=seed)


def ask(model: IsolatedModel, *requests: Request) -> list[Any]:
    return list(model.generate_text([model.prepare(one) for one in requests]))


def alive(pids: Path) -> list[int]:
    found = [int(pid) for pid in pids.read_text().split()] if pids.exists() else []
    return [pid for pid in found if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


@pytest.fixture(scope="module")
def model() -> Iterator[IsolatedModel]:
    made = build()
    yield made
    made._child.stop()


def test_it_says_what_it_is_and_where_it_runs(model: IsolatedModel) -> None:
    assert model.info.name == "other-python"
    assert model.info.parameters == 3
    assert model.info.details["executable"] == sys.executable
    assert model.info.details["isolated"]["versions"]["python"].startswith("3.")
    assert model.capabilities == {"text", "choices", "image", "edit", "interleaved"}


def test_texts_come_back_in_order_and_images_arrive_as_they_are(model: IsolatedModel) -> None:
    import hashlib

    picture = bytes(range(256)) * 40
    answers = ask(model, request("one"), request("two", image=picture), request("three", image=picture[1:]))
    assert [a.text for a in answers] == [
        "ONE",
        f"TWO {hashlib.sha256(picture).hexdigest()[:8]}",
        f"THREE {hashlib.sha256(picture[1:]).hexdigest()[:8]}",
    ]
    assert answers[0].tokens == 2


def test_choices_images_and_documents(model: IsolatedModel) -> None:
    from PIL import Image as pil

    (choices,) = model.score_choices([model.prepare(request("?", ScoreChoices(("aaa", "b"))))])
    assert choices.log_likelihoods == (-3.0, -1.0)  # type: ignore[union-attr]
    (images,) = model.generate_images([model.prepare(request("x", GenerateImages(count=2), seed=5))])
    shown = [pil.open(io.BytesIO(image.read())).getpixel((0, 0)) for image in images.images]  # type: ignore[union-attr]
    assert shown == [(5, 0, 7), (6, 0, 7)]
    (story,) = model.generate_documents([model.prepare(request("x", GenerateDocument(), seed=9))])
    kinds = [type(part).__name__ for part in story.parts]  # type: ignore[union-attr]
    assert kinds == ["Text", "Image", "Text"]


def test_one_request_that_is_refused_fails_alone(model: IsolatedModel) -> None:
    answers = ask(model, request("a"), request("refuse"), request("c"))
    assert [getattr(a, "text", str(a)) for a in answers] == ["A", "I refuse", "C"]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("crash", SampleError, "ValueError: cannot answer"),
        ("gone", UnavailableError, "quota"),
    ],
)
def test_what_the_adapter_raises_is_what_the_engine_knows(
    model: IsolatedModel, text: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ask(model, request(text))
    assert ask(model, request("still here"))[0].text == "STILL HERE"


def test_out_of_memory_halves_the_batch(model: IsolatedModel) -> None:
    with pytest.raises(OutOfMemoryError):
        ask(model, request("memory"), request("b"))
    assert ask(model, request("memory"))[0].text == "MEMORY"


def test_a_child_that_dies_is_replaced_and_its_batch_can_be_asked_one_by_one(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    model = build(pids=pids)
    with pytest.raises(SampleError, match="ended by SIGKILL"):
        ask(model, request("a"), request("die"), request("c"))
    assert ask(model, request("a"))[0].text == "A"
    with pytest.raises(SampleError, match="SIGKILL"):
        ask(model, request("die"))
    assert ask(model, request("c"))[0].text == "C"
    assert len(pids.read_text().split()) == 4, "the request that kills was asked of two children"
    model._child.stop()
    assert alive(pids) == []


def test_a_child_that_dies_again_and_again_stops_the_run() -> None:
    model = build(restarts=1)
    with pytest.raises(SampleError):
        ask(model, request("die"))
    with pytest.raises(UnavailableError, match="died over 2 requests in a row"):
        ask(model, request("die"))


def test_a_child_that_something_else_kills_costs_no_sample(tmp_path: Path) -> None:
    once = tmp_path / "once"
    model = build(dies_once=once)
    assert ask(model, request("a"))[0].text == "A"
    assert once.exists()


def test_a_child_that_is_killed_while_it_loads_is_started_once_more(tmp_path: Path) -> None:
    once = tmp_path / "once"
    model = build(dies_loading=once)
    assert once.exists()
    assert ask(model, request("a"))[0].text == "A"
    with pytest.raises(CheckpointError, match="ended by SIGKILL while it loaded"):
        build(dies_loading="always")


def test_a_child_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalsuite.isolated.host.HEARTBEAT", 0.2)
    pids = tmp_path / "pids"
    model = build(silence=1, pids=pids)
    with pytest.raises(SampleError, match="no sign of life for 1 s"):
        ask(model, request("hang"))
    assert alive(pids) == []
    assert ask(model, request("a"))[0].text == "A"


def test_work_that_takes_longer_than_the_silence_is_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalsuite.isolated.host.HEARTBEAT", 0.2)
    model = build(silence=1, startup_timeout=30, slow=2)
    assert ask(model, request("a"))[0].text == "A"


def test_another_number_of_answers_is_a_broken_contract() -> None:
    model = build(short=1)
    with pytest.raises(AdapterError, match="1 answers to 2 requests"):
        ask(model, request("a"), request("b"))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"missing": 1}, CheckpointError, "No module named 'a_package_that_is_not_here'"),
        ({"exits": 1}, CheckpointError, "cannot be loaded"),
        ({"slow": 30, "startup_timeout": 1}, UnavailableError, "not loaded after 1 s"),
        ({"python": "/nowhere/bin/python"}, SpecError, "no interpreter '/nowhere/bin/python'"),
        ({"python": "/bin/true"}, CheckpointError, "Python 3.8 or newer"),
        ({"silence": "long"}, SpecError, "is not a number"),
    ],
)
def test_what_cannot_be_started_is_one_clear_error(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        build(**options)


def test_no_interpreter_and_no_file_name_the_remedy() -> None:
    with pytest.raises(SpecError, match="--option python="):
        IsolatedModel(ModelOptions(str(ADAPTER)))
    with pytest.raises(SpecError, match="no adapter file"):
        IsolatedModel(ModelOptions("nothing.py", options={"python": sys.executable}))


def test_no_child_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import time\nfrom tests.isolated.test_isolated import build\n"
        f"model = build(pids={str(pids)!r})\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root, env=environment
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().strip() == "ready"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 15
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.1)
    assert alive(pids) == []


def test_a_run_through_the_engine_fails_only_what_kills(tmp_path: Path) -> None:
    from evalsuite.engine.batching import Batch, Scope
    from evalsuite.engine.plan import Item
    from evalsuite.engine.prepare import Ready
    from evalsuite.engine.worker import Worker
    from evalsuite.task import Sample

    model = build()
    texts = ["a", "b", "die", "d"]
    items = tuple(
        Ready(Item(Sample(t, None)), model.prepare(request(t)), "", "", "", "", "generate_text", 1)
        for t in texts
    )
    outcome = Worker(model, self_check=False).run(
        Batch(Scope("t", "generate_text", GenerateText(), "text"), items)
    )
    found = {
        ready.item.sample.id: result.response.text
        if isinstance(result.response, TextResponse)
        else result.error
        for ready, result in zip(outcome.batch.items, outcome.outcomes, strict=True)
    }
    assert {name: found[name] for name in ("a", "b", "d")} == {"a": "A", "b": "B", "d": "D"}
    assert "SIGKILL" in found["die"]


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=4),
    st.lists(st.binary(max_size=50), max_size=4),
)
def test_frames_come_back_as_they_went(value: dict[str, Any], blobs: list[bytes]) -> None:
    value.pop("blobs", None)
    stream = io.BytesIO(b"".join(frames.pack(value, blobs)) * 2)
    for _ in range(2):
        got = frames.read(stream)
        assert got is not None
        assert {name: one for name, one in got[0].items() if name != "blobs"} == value
        assert got[1] == blobs
    assert frames.read(stream) is None


@given(st.binary(max_size=60))
def test_bytes_that_are_no_frame_are_refused_or_the_end(data: bytes) -> None:
    try:
        got = frames.read(io.BytesIO(data))
    except frames.BrokenFrameError:
        return
    assert got is None
    assert data == b""


@pytest.mark.parametrize("cut", [3, 9, 20, -1])
def test_a_frame_that_ends_in_the_middle_is_broken(cut: int) -> None:
    whole = b"".join(frames.pack({"kind": "answers"}, [b"abcdef"]))
    with pytest.raises(frames.BrokenFrameError):
        frames.read(io.BytesIO(whole[:cut]))


def test_a_frame_that_announces_a_gigabyte_is_not_believed() -> None:
    import json
    import struct

    text = json.dumps({"blobs": [2**31]}).encode()
    with pytest.raises(frames.BrokenFrameError, match="announces 2147483648 bytes"):
        frames.read(io.BytesIO(b"EVS1" + struct.pack(">I", len(text)) + text))
    with pytest.raises(frames.BrokenFrameError, match="bytes of JSON"):
        frames.read(io.BytesIO(b"EVS1" + struct.pack(">I", 2**31)))


def test_messages_keep_their_turns() -> None:
    asked = Request(
        (user("first"), Message("assistant", (Text("x"),)), user("second")), GenerateText(), prefill="p"
    )
    (sent,), blobs = frames.encode_requests([asked])
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["prefill"] == "p"
    assert blobs == []
