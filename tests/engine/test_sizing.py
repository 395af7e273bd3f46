"""`--batch-size auto` finds the largest batch that fits, and remembers it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from evalsuite.engine.batching import Scope
from evalsuite.engine.sizing import MOST, START, FixedSize, GrowingSize, SizeMemory, sizes_for
from evalsuite.engine.worker import Worker
from evalsuite.model import ModelInfo
from evalsuite.request import GenerateText, TextResponse
from evalsuite.store import RunReader
from tests.engine.support import last_model, run_sums, sums_spec
from tests.engine.test_worker import Scripted, batch

SCOPE = Scope("task", "generate_text", GenerateText(), None)
MODEL = ModelInfo("m", "v1", details={"device": "cpu", "dtype": "float32"})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def grow(sizes: GrowingSize, fits: int) -> list[int]:
    """Full batches against a memory that holds `fits`, as a worker would report them."""
    tried = []
    for _ in range(12):
        size = sizes.limit(SCOPE)
        tried.append(size)
        found = size
        while found > fits:
            found //= 2
        sizes.learn(SCOPE, size, found if found < size else None)
    return tried


def test_a_full_batch_that_went_through_doubles_the_next_until_memory_is_short() -> None:
    assert grow(GrowingSize(), fits=40)[:6] == [START, 16, 32, 64, 32, 32]


def test_nothing_larger_than_the_limit_is_tried() -> None:
    assert max(grow(GrowingSize(), fits=10_000)) == MOST


def test_a_batch_that_was_not_full_proves_nothing() -> None:
    sizes = GrowingSize()
    sizes.learn(SCOPE, START - 1, None)
    assert sizes.limit(SCOPE) == START


def test_where_memory_cannot_be_asked_for_without_being_killed_it_stops_in_time() -> None:
    assert grow(GrowingSize(room=lambda: False), fits=10_000) == [START] * 12


def test_what_was_found_is_remembered_for_this_model_only(tmp_path: Path) -> None:
    path = tmp_path / "sizes.json"
    grow(GrowingSize(SizeMemory(path, MODEL)), fits=40)
    assert GrowingSize(SizeMemory(path, MODEL)).limit(SCOPE) == 32
    other = ModelInfo("m", "v2", details=MODEL.details)
    assert GrowingSize(SizeMemory(path, other)).limit(SCOPE) == START
    half = ModelInfo("m", "v1", details={"device": "cpu", "dtype": "bfloat16"})
    assert GrowingSize(SizeMemory(path, half)).limit(SCOPE) == START


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 3}'])
def test_a_damaged_memory_is_begun_again(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sizes.json"
    path.write_text(text)
    grow(GrowingSize(SizeMemory(path, MODEL)), fits=40)
    assert GrowingSize(SizeMemory(path, MODEL)).limit(SCOPE) == 32


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert grow(GrowingSize(SizeMemory(tmp_path / "file" / "sizes.json", MODEL)), fits=40)[-1] == 32


def test_a_number_is_what_the_user_said(tmp_path: Path) -> None:
    sizes = sizes_for(7, MODEL, tmp_path)
    assert isinstance(sizes, FixedSize)
    sizes.learn(SCOPE, 7, None)
    assert sizes.limit(SCOPE) == 7


@pytest.mark.slow
def test_a_run_grows_its_batches_finds_the_limit_and_the_next_run_starts_there(tmp_path: Path) -> None:
    run_sums(sums_spec(memory=20, count=200), tmp_path / "one", batch_size="auto")
    sizes = [len(asked) for asked in last_model().batches]
    assert sizes[0] == START
    assert max(sizes) > 20, "it has looked for the limit"
    with RunReader(tmp_path / "one") as reader:
        assert reader.counts()["sums"].answered == 200
        assert reader.manifest.sessions[0].execution.batch_size == "auto"
    run_sums(sums_spec(memory=20, count=200), tmp_path / "two", batch_size="auto")
    again = [len(asked) for asked in last_model().batches]
    assert again[0] == 16
    assert max(again) == 16


@pytest.mark.slow
def test_a_scope_whose_batches_change_answers_is_not_taken_for_one_that_lacks_memory(cache: Path) -> None:
    run_sums(sums_spec(batchy=1, count=40), cache / "run", batch_size="auto")
    assert not (cache / "batch-sizes.json").exists()


def test_a_batch_that_the_adapter_foresees_not_to_fit_is_cut_before_it_is_tried() -> None:
    class Foreseeing(Scripted):
        def batch_that_fits(self, prepared: object) -> int:
            return 3

    def answer(prepared: Sequence[object]) -> list[TextResponse]:
        assert len(prepared) <= 3
        return [TextResponse("x")] * len(prepared)

    worker = Worker(Foreseeing(answer), self_check=False)
    result = worker.run(batch(8))
    assert all(outcome.response for outcome in result.outcomes)
    assert "would not fit into memory by estimate; continuing with 3" in result.notes[0]
    assert worker.limit(SCOPE, 8) == 3
