"""Equal failures in a row stop a run: a permanent fault is not paid for on every sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import UnavailableError
from evalsuite.registry import load_registry
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from tests.endpoint.server import serving
from tests.engine.support import PLUGIN


def odd(body: Any) -> Any:
    return {"status": 400, "error": {"message": "sampler 17 is not enabled"}}


def every_other(body: Any) -> Any:
    words = body["messages"][-1]["content"]
    return odd(body) if sum(map(ord, words)) % 2 else "7"


def spec(url: str) -> RunSpec:
    return RunSpec(
        model=ModelSpec(name="openai:judge", options={"base_url": url, "in_flight": "1"}),
        tasks=(TaskSpec(name="sums", options={"count": "40"}),),
        plugins=(PLUGIN,),
    )


@pytest.fixture(scope="module")
def registry() -> Any:
    known = load_registry()
    known.add_file(PLUGIN)
    return known


@pytest.mark.slow
def test_a_run_stops_at_the_first_so_many_equal_failures_and_says_why(registry: Any, tmp_path: Path) -> None:
    options = ExecutionOptions(batch_size=5, equal_failures=10)
    with serving(tmp_path, "tests.engine.test_streak:odd") as local:
        with pytest.raises(UnavailableError, match=r"10 samples in a row .*sampler 17.*--retry-failed"):
            run(spec(local.url), tmp_path / "run", options, registry)
        assert len(local.requests()) == 10
    with RunReader(tmp_path / "run") as reader:
        assert reader.counts()["sums"].failed == 10, "what was found out is kept"


@pytest.mark.slow
def test_who_wants_it_asks_to_the_end(registry: Any, tmp_path: Path) -> None:
    with serving(tmp_path, "tests.engine.test_streak:odd") as local:
        options = ExecutionOptions(batch_size=5, equal_failures=0)
        outcome = run(spec(local.url), tmp_path / "run", options, registry)
    assert outcome.failed == 40


@pytest.mark.slow
def test_an_answer_in_between_ends_the_row(registry: Any, tmp_path: Path) -> None:
    with serving(tmp_path, "tests.engine.test_streak:every_other") as local:
        options = ExecutionOptions(batch_size=1, equal_failures=12)
        outcome = run(spec(local.url), tmp_path / "run", options, registry)
    assert 0 < outcome.failed < 40
