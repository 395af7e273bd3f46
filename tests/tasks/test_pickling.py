"""Every task travels to workers: it pickles, with its samples, and asks the same there."""

from __future__ import annotations

import pickle
from collections import Counter
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from evalsuite.errors import EvalsuiteError
from evalsuite.judging.distributed import Asked, JudgingTask
from evalsuite.judging.loop import JudgeOptions
from evalsuite.judging.protocol import Judged
from evalsuite.registry import load_registry
from evalsuite.request import TextResponse
from evalsuite.task import Answered, Sample, Task, TaskOptions
from evalsuite.task.benchmark import Benchmark, Plan
from evalsuite.task.examples import example_task
from evalsuite.task.families import family_module
from evalsuite.task.sources import Located, origin_of

REGISTRY = load_registry()
SAMPLES = 3


@cache
def versions(name: str) -> list[tuple[str, Task, list[Sample]]]:
    """A task in each of its protocols, over its data where they are here, else over the family's example."""
    entry = REGISTRY.tasks[name]
    found: list[tuple[str, Task, list[Sample]]] = []
    for protocol in entry.protocols:
        try:
            task = entry.build(TaskOptions(protocol=protocol))
            found.append((protocol, task, list(islice(task.samples(), SAMPLES))))
        except EvalsuiteError:
            if entry.benchmark is None:
                continue
            example = example_task(entry.benchmark, protocol)
            if example is not None:
                found.append((protocol, example[0], [example[1]]))
            elif (bare := without_data(entry.benchmark, protocol)) is not None:
                found.append((protocol, bare, []))
    return found


def without_data(benchmark: Benchmark, protocol: str) -> Task | None:
    """The task over data that are not there; None where it cannot be built so."""
    source = benchmark.sources[0]
    located = Located(
        source.reader, Path("nowhere"), source.files, source.columns, source.settings,
        origin_of(benchmark.name, source, benchmark.licence),
        _paths={role: [Path("nowhere")] for role in source.files},
    )  # fmt: skip
    rules = next(iter(benchmark.rules))
    plan = Plan(
        benchmark, protocol, benchmark.protocols[protocol], rules, benchmark.rules[rules], {}, located
    )
    try:
        made: Task = family_module(benchmark.family, benchmark.folder).build(plan)
    except (EvalsuiteError, OSError):
        return None
    return made


def asked(task: Task, sample: Sample) -> str:
    try:
        request = task.request(sample)
    except EvalsuiteError as error:  # the example lacks what this protocol wants
        return f"error: {error.what}"
    return "" if request is None else request.fingerprint()


@pytest.mark.parametrize("name", sorted(REGISTRY.tasks))
def test_every_task_pickles_and_asks_the_same(name: str) -> None:
    made = versions(name)
    if not made:
        pytest.skip("its data are not here, and its family has no example that can be built without them")
    for protocol, task, samples in made:
        there, sent = pickle.loads(pickle.dumps((task, samples)))
        assert there.info == task.info
        for here, other in zip(samples, sent, strict=True):
            assert asked(there, other) == asked(task, here), protocol


def test_nearly_all_tasks_are_tried() -> None:
    tried = Counter(bool(versions(name)) for name in REGISTRY.tasks)
    assert tried[False] <= len(REGISTRY.tasks) // 5


@pytest.mark.parametrize("name", sorted(REGISTRY.tasks))
def test_every_judged_task_asks_its_judge_the_same_on_a_worker(name: str) -> None:
    judged = [
        (task, sample)
        for _, task, samples in versions(name)
        for sample in samples
        if isinstance(task, Judged)
    ]
    if not judged:
        pytest.skip("no judge, or its data are not here")
    for task, sample in judged:
        judging = JudgingTask(task, JudgeOptions(), 64, scores_choices=True)
        answered = Answered(sample, (TextResponse("an answer"),))
        one = Sample("example/0", Asked(answered, 0, ()))
        there, sent = pickle.loads(pickle.dumps((judging, one)))
        assert asked(there, sent) == asked(judging, one)
