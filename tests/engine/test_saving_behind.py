"""Saving one batch behind the device: order, failures, raw images, and when the device begins."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.content import Image, ImageEncoding, RawImage, Text
from evalsuite.engine import LocalExecutor, RequestLoop, Source, TaskPlan, Worker
from evalsuite.engine.leases import Lease
from evalsuite.engine.saver import Saver, encoded_as
from evalsuite.engine.sizing import FixedSize
from evalsuite.engine.told import Answered
from evalsuite.errors import DataError, StoreError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import DocumentResponse, ImageResponse, Request, Response, TextResponse
from evalsuite.spec import ExecutionOptions
from evalsuite.store.records import Record
from tests.engine.support import ask_here
from tests.engine.test_prepare import Pictures


def noise(seed: int = 0) -> pil.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 16, 3), np.uint8)
    return pil.fromarray(pixels)


def record(name: str, response: Response | None = None) -> Record:
    return Record("t", name, 0, response or TextResponse(name))


class Model:
    """Answers with the number of its batch; `events` says what happened when."""

    info = ModelInfo("m", "1")

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.prepared = 0
        self.at_first_batch = 0
        self.saved = threading.Event()

    def prepare(self, request: Request) -> Prepared:
        self.prepared += 1
        return Prepared(request, None)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        number = sum(event.startswith("answer") for event in self.events)
        self.at_first_batch = self.at_first_batch or self.prepared
        self.events.append(f"answer {number}")
        if number == 1:
            assert self.saved.wait(10), "the first batch is not saved while the second is answered"
        return [TextResponse(str(number)) for _ in batch]


class Sink:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.threads: set[int] = set()

    def save(self, records: Sequence[Record]) -> None:
        self.threads.add(threading.get_ident())
        batches = dict.fromkeys(record.response.text for record in records)  # type: ignore[union-attr]
        self.model.events += [f"save {number}" for number in batches]
        self.model.saved.set()

    def note(self, task: str, text: str) -> None: ...

    def steps(self, task: str, sample: str) -> Sequence[Record]:
        return ()


def ask(count: int, batch: int = 4, **options: object) -> tuple[Model, Sink]:
    """All samples of a task, through the driver and its pool of one worker."""
    task = Pictures(count)
    model = Model([])
    sink = Sink(model)
    ask_here(task, count, model, sink, batch_size=batch, self_check=False, **options)
    return model, sink


def test_a_batch_is_saved_while_the_next_is_answered_in_order_and_by_another_thread() -> None:
    model, sink = ask(20)
    saves = [event for event in model.events if event.startswith("save")]
    assert saves == [f"save {i}" for i in range(5)]
    assert sink.threads.isdisjoint({threading.get_ident()})
    assert len(sink.threads) == 1
    for i in range(5):  # never more than one behind
        later = [event for event in model.events if event == f"answer {i + 2}"]
        if later:
            assert model.events.index(f"save {i}") < model.events.index(f"answer {i + 2}")


def test_the_device_begins_with_the_first_batch() -> None:
    model, _ = ask(400, prefetch=16)
    assert model.at_first_batch <= 4 + 16


def test_an_executor_that_takes_batches_ahead_is_not_held_up_at_a_windows_end() -> None:
    class Ahead(LocalExecutor):
        """Takes three batches before it answers the first."""

        most = 0

        def execute(self, batches):  # type: ignore[no-untyped-def]
            waiting: list[object] = []
            for batch in batches:
                waiting.append(batch)
                Ahead.most = max(Ahead.most, len(waiting))
                if len(waiting) == 9:
                    yield from super().execute([waiting.pop(0)])  # type: ignore[list-item]
            for batch in waiting:
                yield from super().execute([batch])  # type: ignore[list-item]

    model = Model([])
    model.saved.set()
    options = ExecutionOptions(batch_size=4, prefetch=8, self_check=False)
    loop = RequestLoop(model, Ahead(Worker(model, self_check=False), FixedSize(4)), options, 0)
    task = Pictures(100)
    plan = TaskPlan("t", task, "x", None, 100, 100)
    sources = [Source(plan, Lease("t", 0, tuple(task.samples())))]
    told = list(loop.run(lambda may_wait: sources.pop() if sources else None))
    assert Ahead.most == 9, "a window holds 4 requests: batches of several windows were in flight"
    assert sum(isinstance(one, Answered) for one in told) == 25


def test_nothing_is_saved_after_something_that_could_not_be() -> None:
    kept: list[str] = []
    first = threading.Event()

    def save(records: Sequence[Record]) -> None:
        if "1" in [record.sample for record in records]:
            raise StoreError("The disk is full.")
        kept.extend(record.sample for record in records)
        first.set()

    with Saver(save, encoders=1) as saver:
        saver.add([record("0")])
        assert first.wait(10)
        saver.add([record("1")])
        saver.add([record("2")])
        with pytest.raises(StoreError, match="full"):
            list(saver.saved(at_most_behind=0))
    assert kept == ["0"]


def test_batches_that_are_ready_while_one_is_saved_share_the_next_commit() -> None:
    commits: list[list[str]] = []
    begun, go = threading.Event(), threading.Event()

    def save(records: Sequence[Record]) -> None:
        commits.append([record.sample for record in records])
        begun.set()
        assert go.wait(10)

    with Saver(save, encoders=1) as saver:
        saver.add([record("0")])
        assert begun.wait(10)
        order: list[int] = []
        for name in "123":
            saver.add([record(name)])
        saver.call(lambda: order.append(len(commits)))
        saver.add([record("4")])
        go.set()
        reported = [one.sample for records in saver.saved(at_most_behind=0) for one in records]
    assert commits == [["0"], ["1", "2", "3"], ["4"]]
    assert order == [2], "what is called between batches runs between their commits"
    assert reported == list("01234")


def test_what_was_handed_over_is_saved_when_the_run_breaks_off() -> None:
    kept: list[str] = []

    def interrupted() -> None:
        with Saver(lambda rows: kept.extend(r.sample for r in rows), encoders=1) as saver:
            saver.add([record("0"), record("1")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert kept == ["0", "1"]


def test_raw_images_are_encoded_by_other_threads_before_they_are_saved() -> None:
    image = RawImage(pixels=noise())
    seen: list[int] = []

    class Watched(ImageEncoding):
        def encode(self, image: pil.Image) -> bytes:
            seen.append(threading.get_ident())
            return super().encode(image)

    (watched,) = encoded_as(ImageResponse((image,)), Watched()).images  # type: ignore[union-attr]
    written: list[bytes] = []

    def save(rows: Sequence[Record]) -> None:
        assert seen, "not encoded yet"
        written.append(rows[0].response.images[0].read())  # type: ignore[union-attr]

    with Saver(save, encoders=2) as saver:
        saver.add([record("0", ImageResponse((watched,)))])
        list(saver.saved(at_most_behind=0))
    assert seen != [threading.get_ident()]
    assert len(seen) == 1
    assert written == [image.read()]


def test_what_saving_needs_to_know_of_an_image_is_found_by_other_threads() -> None:
    images = [Image(b"one"), RawImage(pixels=noise()), Image(b"in a document")]
    found: list[tuple[Image, int]] = []

    def prepare(image: Image) -> None:
        found.append((image, threading.get_ident()))

    def save(rows: Sequence[Record]) -> None:
        assert [image for image, _ in found] == images

    with Saver(save, encoders=1, prepare=prepare) as saver:
        drawn = ImageResponse(tuple(images[:2]))
        written = DocumentResponse((Text("Look:"), images[2]))
        saver.add([record("0", drawn), record("1", written), record("2", TextResponse("none"))])
        list(saver.saved(at_most_behind=0))
    assert threading.get_ident() not in {thread for _, thread in found}


@pytest.mark.parametrize("level", [None, 0, 9])
@pytest.mark.parametrize("form", ["png", "webp"])
def test_format_and_level_change_bytes_and_no_pixel(form: str, level: int | None) -> None:
    import io

    plain = RawImage(pixels=noise())
    made = RawImage(pixels=noise(), encoding=ImageEncoding(form, level))  # type: ignore[arg-type]
    decoded = np.asarray(pil.open(io.BytesIO(made.read())).convert("RGB"))
    assert (decoded == np.asarray(noise())).all()
    assert (made.read() == plain.read()) == (form == "png" and level is None)


def test_a_raw_image_is_an_image_like_any_other(tmp_path: Path) -> None:
    import copy
    import pickle

    image = RawImage(name="a.png", pixels=noise())
    same = RawImage(name="a.png", pixels=noise())
    assert image == same
    assert hash(image) == hash(same)
    assert image != RawImage(name="a.png", pixels=noise(1))
    assert image.label == "a.png"
    assert image.sha256() == Image(image.read()).sha256()
    for travelled in (pickle.loads(pickle.dumps(image)), copy.deepcopy(image)):
        assert travelled == Image(image.read(), name="a.png")
    with pytest.raises(DataError, match="needs pixels"):
        RawImage(name="empty")
