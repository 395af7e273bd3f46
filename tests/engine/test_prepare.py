"""Preparing ahead: in order, bounded, and without dragging the device's libraries in."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evalsuite.content import Image, user
from evalsuite.engine.hashing import describe, sample_hash
from evalsuite.engine.leases import Lease
from evalsuite.engine.plan import Item, Source, TaskPlan
from evalsuite.engine.prepare import Preparer, Ready, error_text, make_ready, nbytes
from evalsuite.engine.seeds import request_seed
from evalsuite.engine.subset import choose
from evalsuite.errors import DataError, SampleError
from evalsuite.model import ModelInfo, Prepared
from evalsuite.request import GenerateText, Request, Response, TextResponse
from evalsuite.store.records import Record
from evalsuite.task import Answered, Sample, SampleScore, Scores, TaskInfo
from tests.engine.sums_plugin import ACCURACY
from tests.engine.support import ask_here, run_sums, sums_spec


class Pictures:
    """`count` samples of which `read` have been read so far; those in `broken` have no image file."""

    info = TaskInfo("pictures", "1", "text", "test", "plain", "official", (ACCURACY,))

    def __init__(self, count: int, broken: Sequence[int] = ()) -> None:
        self.count = count
        self.broken = broken
        self.read = 0

    def fingerprint(self) -> str:
        return str(self.count)

    def samples(self) -> Iterator[Sample]:
        for i in range(self.count):
            self.read += 1
            missing = Image(path=Path(f"/nowhere/{i}.jpg"))
            yield Sample(str(i), missing if i in self.broken else Image(b"%06d" % i))

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else Request((user(sample.record),), GenerateText())

    def target(self, sample: Sample) -> str:
        return sample.id

    def score(self, answered: Sequence[Answered]) -> Scores:
        return Scores([SampleScore(one.sample.id, {"accuracy": 1.0}) for one in answered], ())


class Payload:
    """A megabyte, as far as the engine is told; counts how many are alive."""

    alive = 0
    most = 0
    nbytes = 2**20
    _lock = threading.Lock()

    def __init__(self) -> None:
        with Payload._lock:
            Payload.alive += 1
            Payload.most = max(Payload.most, Payload.alive)
        weakref.finalize(self, Payload._gone)

    @staticmethod
    def _gone() -> None:
        Payload.alive -= 1


class Megabytes:
    info = ModelInfo("megabytes", "1")

    def prepare(self, request: Request) -> Prepared:
        return Prepared(request, Payload())

    def generate_text(self, batch: Sequence[Prepared]) -> list[TextResponse]:
        return [TextResponse("yes") for _ in batch]


def source(task: Pictures) -> Source:
    plan = TaskPlan("pictures", task, "x", None, task.count, task.count)
    return Source(plan, Lease("pictures", 0, tuple(task.samples())))


@pytest.mark.parametrize(("count", "size", "most"), [(10, 10**9, 10), (1000, 8 * 2**20, 8)])
def test_at_most_so_many_and_so_much_is_prepared_ahead(count: int, size: int, most: int) -> None:
    task = Pictures(300)
    items = source(task)

    def prepare(item: Item) -> Ready:
        return make_ready(task, Megabytes(), 0, item)

    names: list[str] = []
    with Preparer(prepare, threads=2, count=count, size=size) as preparer:
        while True:
            preparer.fill(items)
            if not preparer.pending:
                break
            assert preparer.pending <= most
            names.append(preparer.next().item.sample.id)
    assert names == [str(i) for i in range(300)]


@pytest.mark.parametrize("count", [100, 800])
def test_what_is_held_does_not_grow_with_the_number_of_samples(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.engine import engine as module

    class Nowhere:
        saved = 0

        def save(self, records: Sequence[Record]) -> None:
            self.saved += len(records)

        def note(self, task: str, text: str) -> None: ...

        def steps(self, task: str, sample: str) -> Sequence[Record]:
            return ()

    monkeypatch.setattr(module, "AHEAD_BYTES", 16 * 2**20)
    Payload.alive = Payload.most = 0
    sink = Nowhere()
    ask_here(Pictures(count), count, Megabytes(), sink, batch_size=4, prefetch=40)
    assert sink.saved == count
    assert Payload.most <= 16 + 16 + 4, "before the window, in it, and in the batch"
    assert Payload.alive <= 4


def test_a_missing_image_fails_its_sample_and_names_the_file() -> None:
    task = Pictures(3, broken=[1])
    found = [make_ready(task, Megabytes(), 0, Item(sample)) for sample in task.samples()]
    assert [ready.prepared is None for ready in found] == [False, True, False]
    assert "/nowhere/1.jpg cannot be read" in found[1].error


def test_the_order_of_preparing_does_not_depend_on_who_is_fast() -> None:
    task = Pictures(40)

    def prepare(item: Item) -> Ready:
        time.sleep(0.004 if int(item.sample.id) % 4 == 0 else 0.0)
        return make_ready(task, Megabytes(), 0, item)

    with Preparer(prepare, threads=4, count=16, size=10**9) as preparer:
        items = source(task)
        names = []
        preparer.fill(items)
        while preparer.pending:
            names.append(preparer.next().item.sample.id)
            preparer.fill(items)
    assert names == [str(i) for i in range(40)]


def test_the_engine_and_the_store_import_no_device_library_and_no_pandas(tmp_path: Path) -> None:
    code = (
        "import sys, evalsuite.running\n"
        "heavy = {'torch', 'diffusers', 'pandas', 'scipy', 'numpy', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_seeds_depend_on_run_task_sample_and_step_and_nothing_else() -> None:
    seeds = {request_seed(s, t, i, n) for s in (0, 1) for t in ("a", "b") for i in ("1", "2") for n in (0, 1)}
    assert len(seeds) == 16
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert request_seed(0, "vqav2", "1", 0) == 1659184049, "a changed rule changes every generated image"


def test_a_subset_does_not_depend_on_the_order_of_the_data() -> None:
    ids = [str(i) for i in range(200)]
    assert choose(ids, 20, 0, "t") == choose(reversed(ids), 20, 0, "t")
    assert choose(ids, 20, 0, "t") != choose(ids, 20, 0, "u")


def test_a_sample_hash_sees_every_part_of_the_sample(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"pixels")
    base = Sample("1", {"image": Image(b"pixels"), "q": ("why",)}, "c", {"kind": "x"})
    assert sample_hash(base) == sample_hash(
        Sample("1", {"q": ["why"], "image": Image(path=file)}, "c", {"kind": "x"})
    )
    others = [
        Sample("2", base.record, "c", base.labels),
        Sample("1", base.record, "d", base.labels),
        Sample("1", base.record, "c", {"kind": "y"}),
        Sample("1", {"image": Image(b"pixel"), "q": ("why",)}, "c", base.labels),
        Sample("1", {"image": Image(b"pixels"), "q": ("who",)}, "c", base.labels),
    ]
    assert len({sample_hash(sample) for sample in (base, *others)}) == 6


def test_a_record_without_a_canonical_form_is_refused_by_type() -> None:
    with pytest.raises(SampleError, match="holds a object"):
        describe({"x": object()})


def test_errors_become_one_line() -> None:
    assert error_text(ValueError("two\nlines \ud800")) == r"ValueError: two lines \ud800"
    assert error_text(DataError("What.", "Remedy.")) == "What. Remedy."
    assert len(error_text(ValueError("x" * 10_000))) < 2100


def test_sizes_of_payloads_are_estimated() -> None:
    import numpy as np
    from PIL import Image as pil

    assert nbytes(np.zeros((3, 4), np.float32)) == 48
    assert nbytes(pil.new("RGB", (5, 7))) == 5 * 7 * 4
    assert nbytes({"a": [b"1234", Image(b"123")], "b": (np.zeros(2, np.uint8),)}) == 9


def test_a_run_with_threads_finishes_every_sample(tmp_path: Path) -> None:
    outcome = run_sums(sums_spec(count=101), tmp_path / "run", prepare_threads=4, prefetch=3, batch_size=7)
    assert outcome.counts["sums"].answered == 101
