"""How a batch gets through the worker."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pytest
from PIL import Image as pil

from evalsuite.content import Image, user
from evalsuite.engine.batching import Batch, Scope
from evalsuite.engine.faults import is_out_of_memory
from evalsuite.engine.plan import Item
from evalsuite.engine.prepare import Ready
from evalsuite.engine.worker import Worker
from evalsuite.errors import AdapterError, OutOfMemoryError, SampleError, UnavailableError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import GenerateImages, GenerateText, ImageResponse, Request, ScoreChoices, TextResponse
from evalsuite.task import Sample

SCOPE = Scope("task", "generate_text", GenerateText(), None)
Answer = Callable[[Sequence[Prepared]], object]


def grey(level: int) -> Image:
    stream = io.BytesIO()
    pil.new("RGB", (4, 4), (level, level, level)).save(stream, "PNG")
    return Image(stream.getvalue())


class Scripted:
    """A model whose device step is a function; remembers the sizes of its batches."""

    def __init__(self, answer: Answer) -> None:
        self.info = ModelInfo("scripted", "1")
        self.sizes: list[int] = []
        self._answer = answer

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, request.messages[-1].text)

    def generate_text(self, batch: Sequence[Prepared]) -> object:
        self.sizes.append(len(batch))
        return self._answer(batch)

    generate_images = score_choices = generate_text


def batch(count: int, scope: Scope = SCOPE, output: object = SCOPE.output) -> Batch:
    items = []
    for i in range(count):
        request = Request((user(str(i)),), output)  # type: ignore[arg-type]
        items.append(Ready(Item(Sample(str(i), None)), Prepared(request, i), "", "", "", "", scope.method, 0))
    return Batch(scope, tuple(items))


def echo(prepared: Sequence[Prepared]) -> list[TextResponse]:
    return [TextResponse(str(p.payload)) for p in prepared]


def texts(worker: Worker, asked: Batch) -> list[str | None]:
    return [
        o.response.text if isinstance(o.response, TextResponse) else None for o in worker.run(asked).outcomes
    ]


class CudaOutOfMemoryError(RuntimeError):
    pass


CudaOutOfMemoryError.__name__ = "OutOfMemoryError"


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("full"),
        MemoryError(),
        CudaOutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_out_of_memory_halves_the_batch_and_what_fits_is_remembered(error: Exception) -> None:
    def answer(prepared: Sequence[Prepared]) -> list[TextResponse]:
        if len(prepared) > 5:
            raise error
        return echo(prepared)

    model = Scripted(answer)
    worker = Worker(model, self_check=False)
    result = worker.run(batch(16))
    assert [o.response.text for o in result.outcomes] == [str(i) for i in range(16)]  # type: ignore[union-attr]
    assert model.sizes == [16, 8, 4, 4, 4, 4]
    assert worker.limit(SCOPE, 16) == 4
    assert len(result.notes) == 2
    model.sizes.clear()
    worker.run(batch(16))
    assert model.sizes == [4, 4, 4, 4], "what fits was forgotten"
    assert worker.limit(Scope("other", "generate_text", None, None), 16) == 16


def test_out_of_memory_at_batch_size_one_fails_that_sample_only() -> None:
    def answer(prepared: Sequence[Prepared]) -> list[TextResponse]:
        if any(p.payload == 2 for p in prepared):
            raise MemoryError
        return echo(prepared)

    result = Worker(Scripted(answer), self_check=False).run(batch(4))
    assert [bool(o.response) for o in result.outcomes] == [True, True, False, True]
    assert "out of memory at batch size 1" in result.outcomes[2].error


def test_an_error_in_a_batch_fails_the_guilty_sample_only() -> None:
    def answer(prepared: Sequence[Prepared]) -> list[TextResponse]:
        if any(p.payload == 5 for p in prepared):
            raise SampleError("the sixth is cursed")
        return echo(prepared)

    model = Scripted(answer)
    outcomes = Worker(model, self_check=False).run(batch(8)).outcomes
    assert [i for i, o in enumerate(outcomes) if o.response is None] == [5]
    assert outcomes[5].error == "the sixth is cursed"
    assert model.sizes == [8] + [1] * 8


def test_a_group_whose_batches_change_answers_is_asked_one_at_a_time() -> None:
    def answer(prepared: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse(f"{p.payload} of {len(prepared)}") for p in prepared]

    model = Scripted(answer)
    worker = Worker(model)
    result = worker.run(batch(4))
    assert [o.response.text for o in result.outcomes] == [f"{i} of 1" for i in range(4)]  # type: ignore[union-attr]
    assert "one at a time" in result.notes[0]
    assert worker.limit(SCOPE, 4) == 1


def test_a_group_whose_batches_keep_answers_is_checked_once() -> None:
    model = Scripted(echo)
    worker = Worker(model)
    assert texts(worker, batch(4)) == texts(worker, batch(4)) == ["0", "1", "2", "3"]
    assert model.sizes == [4, 1, 1, 4]


@pytest.mark.parametrize(("drift", "limit"), [(2, 4), (3, 1)])
def test_images_drawn_in_a_batch_may_differ_by_two_grey_levels(drift: int, limit: int) -> None:
    def answer(prepared: Sequence[Prepared]) -> list[ImageResponse]:
        return [ImageResponse((grey(100 + drift * (len(prepared) > 1)),)) for _ in prepared]

    scope = Scope("task", "generate_images", GenerateImages(), None)
    worker = Worker(Scripted(answer))
    worker.run(batch(4, scope, GenerateImages()))
    assert worker.limit(scope, 4) == limit


@pytest.mark.parametrize(
    ("answer", "output", "says"),
    [
        (lambda b: echo(b)[:-1], GenerateText(), "returned 1 responses for 2 requests"),
        (lambda b: None, GenerateText(), "returned NoneType"),
        (lambda b: ["plain"] * len(b), GenerateText(), "returned a str instead of a TextResponse"),
        (lambda b: [TextResponse(None)] * len(b), GenerateText(), "a text that is a NoneType"),  # type: ignore[arg-type]
    ],
)
def test_an_adapter_that_breaks_its_contract_stops_the_run_and_is_named(
    answer: Answer, output: GenerateText, says: str
) -> None:
    with pytest.raises(AdapterError, match=f"'scripted'.*{says}"):
        Worker(Scripted(answer)).run(batch(2, output=output))


def test_an_adapter_that_skips_a_choice_or_an_image_is_named() -> None:
    from evalsuite.request import ChoiceResponse

    two = ScoreChoices(("a", "b"))
    scored = Scripted(lambda b: [ChoiceResponse((0.0,)) for _ in b])
    with pytest.raises(AdapterError, match="scored 1 of 2 choices"):
        Worker(scored).run(batch(1, Scope("task", "score_choices", None, None), two))
    drawn = Scripted(lambda b: [ImageResponse(()) for _ in b])
    with pytest.raises(AdapterError, match="generated 0 images where 3"):
        Worker(drawn).run(batch(1, Scope("task", "generate_images", None, None), GenerateImages(count=3)))


def test_log_likelihoods_that_are_no_numbers_fail_their_sample_and_choose_nothing() -> None:
    from evalsuite.request import ChoiceResponse

    def half_broken(prepared: Sequence[Prepared]) -> list[ChoiceResponse]:
        return [ChoiceResponse((float("nan") if p.payload == 1 else 0.0, -1.0)) for p in prepared]

    scope = Scope("task", "score_choices", None, None)
    result = Worker(Scripted(half_broken)).run(batch(3, scope, ScoreChoices(("a", "b"))))
    assert [outcome.response is None for outcome in result.outcomes] == [False, True, False]
    assert "not a number" in result.outcomes[1].error
    assert not result.notes


def test_an_ordinary_error_is_not_taken_for_lack_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("index out of range"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_a_model_that_goes_away_in_a_batch_keeps_what_it_had_answered() -> None:
    def one_by_one(prepared: Sequence[Prepared]) -> list[TextResponse]:
        if len(prepared) > 1:
            raise ValueError("no batches")
        if prepared[0].payload == 3:
            raise UnavailableError("gone")
        return echo(prepared)

    result = Worker(Scripted(one_by_one)).run(batch(6))
    assert [ready.item.sample.id for ready in result.batch.items] == ["0", "1", "2"]
    assert [outcome.error for outcome in result.outcomes] == ["", "", ""]
    assert "gone" in str(result.stop)


def test_answers_beside_one_that_came_too_late_are_kept() -> None:
    def some(prepared: Sequence[Prepared]) -> list[object]:
        late = UnavailableError("gone")
        return [late if p.payload in (1, 2) else TextResponse(str(p.payload)) for p in prepared]

    result = Worker(Scripted(some), self_check=False).run(batch(4))
    assert [ready.item.sample.id for ready in result.batch.items] == ["0", "3"]
    assert "gone" in str(result.stop)
