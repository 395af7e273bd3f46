"""What ends up in one batch."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from evalsuite.content import user
from evalsuite.engine.batching import Batch, Window
from evalsuite.engine.plan import Item
from evalsuite.engine.prepare import Ready
from evalsuite.model import Prepared
from evalsuite.request import GenerateText, Request, ScoreChoices
from evalsuite.task import Sample


def ready(name: str, group: int, cost: float, tokens: int = 8, size: int = 1) -> Ready:
    request = Request((user(name),), GenerateText(tokens))
    return Ready(
        Item(Sample(name, None)), Prepared(request, None, cost, group), "", "", "", "", "generate_text", size
    )


requests = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.sampled_from((8, 16))), max_size=60)


def fed(
    items: list[tuple[int, int, int]], count: int, largest: int, size: int = 10**9
) -> Iterator[tuple[Window, list[Batch]]]:
    window = Window("task", count, size)
    for i, (group, cost, tokens) in enumerate(items):
        window.add(ready(str(i), group, cost, tokens))
        if window.full:
            yield window, list(window.cut(lambda scope: largest, everything=False))
    yield window, list(window.cut(lambda scope: largest, everything=True))


@given(requests, st.integers(1, 20), st.integers(1, 8))
def test_every_request_is_in_exactly_one_batch_of_its_own_kind(
    items: list[tuple[int, int, int]], count: int, largest: int
) -> None:
    names = []
    for _, batches in fed(items, count, largest):
        for batch in batches:
            assert 1 <= len(batch.items) <= largest
            kinds = set()
            for item in batch.items:
                assert item.prepared is not None
                kinds.add((item.prepared.group, item.prepared.request.output))
                names.append(item.item.sample.id)
            assert len(kinds) == 1, "two groups or two decodings in one batch"
            costs = [item.cost for item in batch.items]
            assert costs == sorted(costs, reverse=True)
    assert sorted(names, key=int) == [str(i) for i in range(len(items))]


@given(requests, st.integers(1, 20), st.integers(1, 8))
def test_a_window_that_is_not_emptied_keeps_at_most_half(
    items: list[tuple[int, int, int]], count: int, largest: int
) -> None:
    for window, _ in fed(items, count, largest):
        assert 2 * len(window) <= count


def test_batches_are_of_like_cost() -> None:
    costs = [9, 1, 8, 2, 7, 3]
    [(_, batches)] = fed([(0, cost, 8) for cost in costs], count=100, largest=2)
    assert [[int(item.cost) for item in batch.items] for batch in batches] == [[9, 8], [7, 3], [2, 1]]


def test_a_window_is_full_when_its_requests_are_large() -> None:
    window = Window("task", 100, size=1000)
    window.add(ready("small", 0, 1, size=400))
    assert not window.full
    window.add(ready("large", 0, 1, size=600))
    assert window.full


def test_large_requests_still_make_whole_batches() -> None:
    window = Window("task", 100, size=1000, least=4)
    sizes = []
    for i in range(12):
        window.add(ready(str(i), 0, 1, size=900))
        if window.full:
            sizes += [len(batch.items) for batch in window.cut(lambda scope: 4, everything=False)]
    assert sizes == [4, 4, 4]


def test_a_batch_is_cut_to_what_fits_at_that_moment() -> None:
    window = Window("task", 100, 10**9)
    for i in range(6):
        window.add(ready(str(i), 0, 1))
    sizes: list[int] = []
    for batch in window.cut(lambda scope: 1 if sizes else 4, everything=True):
        sizes.append(len(batch.items))  # the first batch ran out of memory
    assert sizes == [4, 1, 1]


def test_choices_that_differ_by_sample_share_batches() -> None:
    window = Window("task", 100, 10**9)
    for i in range(4):
        request = Request((user("q"),), ScoreChoices((str(i), "no")))
        prepared = Prepared(request, None)
        window.add(Ready(Item(Sample(str(i), None)), prepared, "", "", "", "", "score_choices", 1))
    assert [len(batch.items) for batch in window.cut(lambda scope: 8, everything=True)] == [4]
