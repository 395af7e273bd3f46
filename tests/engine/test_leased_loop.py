"""The loop over leases: what is in one batch, what is prepared when, and what a stream has told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalsuite.content import Image
from evalsuite.engine import LocalExecutor, RequestLoop, Source, TaskPlan, Worker
from evalsuite.engine.findings import Findings
from evalsuite.engine.leases import Lease, cut
from evalsuite.engine.prepare import held_bytes
from evalsuite.engine.sizing import FixedSize, lease_size
from evalsuite.engine.streaming import Halt, Message, Streamed, stream
from evalsuite.engine.told import Answered, Remark, Through, Told
from evalsuite.errors import UnavailableError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import DocumentResponse, ImageResponse, Request, Response, TextResponse
from evalsuite.spec import ExecutionOptions
from evalsuite.store import RunReader
from evalsuite.store.records import Record
from evalsuite.task import Sample
from tests.engine.support import last_model, run_sums, sums_spec
from tests.engine.test_prepare import Pictures


class Watched:
    """Says which samples were prepared; answers when it is let."""

    info = ModelInfo("watched", "1")

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.changed = threading.Condition()
        self.batches: list[list[str]] = []
        self.wait_for: dict[int, str] = {}

    def prepare(self, request: Request) -> Prepared:
        name = str(int(request.images[0].read()))
        with self.changed:
            self.prepared.append(name)
            self.changed.notify_all()
        return Prepared(request, name)

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        wanted = self.wait_for.get(len(self.batches))
        self.batches.append([str(one.payload) for one in batch])
        with self.changed:
            assert wanted is None or self.changed.wait_for(lambda: wanted in self.prepared, 20)
        return [TextResponse("yes") for _ in batch]


def told(model: Watched, leases: list[Lease], batch: int = 2) -> list[Told]:
    options = ExecutionOptions(batch_size=batch, self_check=False)
    loop = RequestLoop(model, LocalExecutor(Worker(model, self_check=False), FixedSize(batch)), options, 0)
    plan = TaskPlan("t", Pictures(100), "x", None, 100, 100)
    sources = [Source(plan, lease) for lease in leases]
    return list(loop.run(lambda may_wait: sources.pop(0) if sources else None))


def leases(count: int, size: int, **changes: Any) -> list[Lease]:
    found = cut("t", Pictures(count).samples(), size)
    return [Lease(one.task, one.number, one.samples, ticket=one.number, **changes) for one in found]


def test_the_next_lease_is_prepared_while_the_last_batch_of_one_is_answered() -> None:
    model = Watched()
    model.wait_for = {1: "4"}  # the last batch of the first lease waits for the first sample of the second
    found = told(model, leases(8, 4))
    assert model.batches == [["0", "1"], ["2", "3"], ["4", "5"], ["6", "7"]]
    assert [one.ticket for one in found if isinstance(one, Through)] == [0, 1]
    assert sum(len(one.records) for one in found if isinstance(one, Answered)) == 8


def test_what_is_asked_alone_is_prepared_when_it_is_asked_and_not_before() -> None:
    model = Watched()
    first, second = leases(8, 4)
    order: list[str] = []
    generate = model.generate_text

    def generate_text(batch: Sequence[Prepared]) -> list[TextResponse]:
        order.append(f"{len(model.prepared)} prepared, {len(batch)} asked")
        return generate(batch)

    model.generate_text = generate_text  # type: ignore[method-assign]
    told(model, [first, Lease(second.task, 1, second.samples, alone=True, ticket=1)])
    assert order[2:] == [f"{count} prepared, 1 asked" for count in (5, 6, 7, 8)]


def test_no_batch_spans_two_leases_and_follow_ups_stay_in_theirs(tmp_path: Path) -> None:
    found = []
    for threads in (1, 4, 2):
        out = tmp_path / f"{threads}"
        run_sums(
            sums_spec("twice-asked", count=42), out, batch_size=4, prepare_threads=threads,
            self_check=False,
        )  # fmt: skip
        found.append(last_model().batches)
    assert found[0] == found[1] == found[2], "batches do not depend on how fast preparing is"
    for batch in found[0]:
        numbers = [int(question.split(": ")[1].split("+")[0]) for question in batch]
        assert len({number // 16 for number in numbers}) == 1
    with RunReader(out) as run:
        assert run.manifest.sessions[-1].lease_size == lease_size(4) == 16


def test_a_lease_ends_early_where_its_images_are_large() -> None:
    heavy = [Sample(str(i), {"image": image}) for i, image in enumerate(_images(10))]
    found = list(cut("t", heavy, 8, weigh=held_bytes, most=3000))
    assert [len(lease.samples) for lease in found] == [3, 3, 3, 1]
    assert [lease.number for lease in found] == [0, 1, 2, 3]


def _images(count: int) -> list[Any]:
    from evalsuite.content import Image

    return [Image(b"x" * 1000) for _ in range(count)]


def answered(ticket: int, name: str) -> Answered:
    return Answered(ticket, (Record("t", name, 0, TextResponse("yes")),))


def streaming(events: list[Told | BaseException], **options: Any) -> Iterator[Any]:
    def tell() -> Iterator[Told]:
        for event in events:
            if isinstance(event, BaseException):
                raise event
            yield event

    options.setdefault("alone", lambda ticket: False)
    options.setdefault("news", lambda: None)
    options.setdefault("stopping", threading.Event())
    return stream(tell, **options)


def flat(messages: Iterator[Message]) -> list[Streamed]:
    return [one for message in messages for one in message]


def test_a_stream_tells_in_order_and_ends() -> None:
    events: list[Told | BaseException] = [Remark("t", "so"), answered(0, "0"), Through(0), answered(1, "1")]
    assert flat(streaming(events)) == events


def test_what_was_answered_comes_before_the_reason_for_which_nothing_more_does() -> None:
    found = flat(streaming([answered(0, "0"), UnavailableError("The quota is used up.")]))
    assert found == [answered(0, "0"), Halt("The quota is used up.")]
    with pytest.raises(ZeroDivisionError):
        flat(streaming([answered(0, "0"), ZeroDivisionError()]))


def test_a_sample_that_is_asked_alone_has_been_read_before_the_next_is_asked() -> None:
    asked: list[str] = []

    def tell() -> Iterator[Told]:
        for name in "012":
            asked.append(name)
            yield answered(0, name)

    found = stream(tell, alone=lambda ticket: True, news=lambda: None, stopping=threading.Event())
    for count in (1, 2, 3):
        next(found)
        assert len(asked) == count, "the reader has not come back for more yet"


def test_a_stream_that_is_told_to_stop_ends_after_its_batch() -> None:
    stopping = threading.Event()
    stopping.set()
    assert flat(streaming([answered(0, "0"), answered(0, "1")], stopping=stopping)) == [answered(0, "0")]


def test_news_are_told_once() -> None:
    news: list[Findings | None] = [Findings(alone=frozenset({("t", "m", "o", "g")})), None]
    found = flat(streaming([answered(0, "0"), answered(0, "1")], news=lambda: news.pop(0)))
    assert [type(one) for one in found] == [Answered, Findings, Answered]


def test_short_answers_of_fast_batches_are_sent_together_and_a_lease_that_is_through_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("evalsuite.engine.streaming._PACE", 60.0)
    lease: list[Told | BaseException] = [*(answered(0, name) for name in "0123"), Through(0)]
    first, *others = streaming([*lease, *lease, *lease])
    assert first[0] == lease[0], "nothing was sent before: it goes at once"
    assert [len(message) for message in others] == [4, 5, 5] or len(first) > 1
    assert [one for message in (first, *others) for one in message] == lease * 3
    assert all(message[-1] == Through(0) for message in others)


def test_images_and_long_texts_are_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalsuite.engine.streaming._PACE", 60.0)
    large: list[Response] = [ImageResponse((Image(b"x"),)), TextResponse("x" * 5000), DocumentResponse(())]
    events: list[Told | BaseException] = [
        Answered(0, (Record("t", str(number), 0, response),)) for number, response in enumerate(large * 2)
    ]
    assert list(streaming(events)) == [(event,) for event in events]


def test_what_has_waited_is_sent_when_half_a_second_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalsuite.engine.streaming._PACE", 0.05)
    over = threading.Event()

    def tell() -> Iterator[Told]:
        yield from (answered(0, name) for name in "0123")
        assert over.wait(10), "the answers were held back until the next batch"

    found = stream(tell, alone=lambda ticket: False, news=lambda: None, stopping=threading.Event())
    got: list[Streamed] = []
    while len(got) < 4:
        got += next(found)
    over.set()
    assert list(found) == []
