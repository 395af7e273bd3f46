"""`evalsuite track` over many runs, and what logging adds to a run: seconds, against reading and measuring.

RUNS checkpoints of some trainings, each with TASKS tasks of SAMPLES scored samples, are written as scoring
writes them. Tracking is compared with the leaderboard of the same runs, which reads their numbers only.
Logging (TensorBoard, a local disk) is compared with measuring and scoring a run whose model takes no time,
the least favourable case.

    python benchmarks/tracking.py [--runs 200] [--tasks 20] [--samples 500] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from evalsuite.leaderboards import load
from evalsuite.loggers import destination, log_all
from evalsuite.model.steps import Place
from evalsuite.running import run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.stats import estimate
from evalsuite.store import Cost, RunWriter, TaskRecord, TaskResult
from evalsuite.store.results import stored
from evalsuite.task import Metric, SampleScore, Scores, TaskInfo, mean_statistics
from evalsuite.tracking import track

METRIC = Metric("accuracy", scale=100.0, headline=True)
SERIES = 10


def write_run(out: Path, step: int, series: str, tasks: int, samples: int, rng: np.random.Generator) -> None:
    """A scored run as `evalsuite run` leaves it, without responses."""
    infos = [
        TaskInfo(f"task-{i:02}", "1", "text", "val", "plain", "official", (METRIC,)) for i in range(tasks)
    ]
    records = [
        TaskRecord(key=i.name, info=i, data_fingerprint="d" * 64, total=samples, available=samples)
        for i in infos
    ]
    spec = RunSpec(
        model=ModelSpec(name="none"),
        tasks=tuple(TaskSpec(name=i.name, protocol="plain", rules="official") for i in infos),
    )
    results = []
    with RunWriter.open(out, spec, records, ExecutionOptions(), Place(step, series, None, "given")) as writer:
        for info in infos:
            right = rng.random(samples) < 0.3 + 0.5 * step / 20_000
            rows = [SampleScore(f"{i:06}", values={"accuracy": float(one)}) for i, one in enumerate(right)]
            writer.save_scores(info.name, "official", rows)
            results.append(
                TaskResult(
                    task=info.name, info=info, data_fingerprint="d" * 64, seed=0, limit=None, total=samples,
                    answered=samples, failed=0, unscored=0, cost=Cost(),
                    estimates=stored(estimate(Scores(rows, mean_statistics(METRIC, rows)))),
                )
            )  # fmt: skip
        writer.save_results(results)
        writer.end_session("finished")


def tracking(runs: int, tasks: int, samples: int, folder: Path) -> dict[str, float]:
    rng = np.random.default_rng(0)
    each = runs // SERIES
    for number in range(runs):
        series, at = divmod(number, each)
        step = 1000 * (at + 1)
        write_run(folder / f"s{series}-{step}", step, f"series-{series}", tasks, samples, rng)
    seconds = {}
    start = time.process_time()
    load([folder])
    seconds["leaderboard"] = time.process_time() - start
    start = time.process_time()
    found = track(folder)
    seconds["track"] = time.process_time() - start
    assert len(found.curves) == SERIES * tasks
    return seconds


def logging(folder: Path) -> dict[str, float]:
    """Median of three: a run of an instant model, and logging it."""
    from evalsuite.registry import load_registry

    plugin = Path(__file__).parent / "instant_plugin.py"
    registry = load_registry([plugin])
    taken: dict[str, list[float]] = {"run": [], "log": []}
    for i in range(3):
        spec = RunSpec(
            model=ModelSpec(name="instant"), tasks=(TaskSpec(name="mini-vqav2"),), plugins=(plugin,)
        )
        start = time.process_time()
        outcome = run(spec, folder / f"run-{i}", ExecutionOptions(self_check=False), registry)
        taken["run"].append(time.process_time() - start)
        start = time.process_time()
        logged = log_all([outcome.path], destination(f"tensorboard:{folder / 'logs'}"))
        taken["log"].append(time.process_time() - start)
        assert logged.written == 1, logged
    return {name: sorted(values)[1] for name, values in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = tracking(given.runs, given.tasks, given.samples, Path(folder, "runs"))
        print(
            f"{given.runs} runs x {given.tasks} tasks x {given.samples} samples: leaderboard "
            f"{found['leaderboard']:.1f} s CPU, track {found['track']:.1f} s CPU "
            f"({found['track'] / found['leaderboard']:.1f} times)"
        )
        logged = logging(Path(folder, "logging"))
        share = logged["log"] / logged["run"]
        print(f"logging: {logged['log']:.3f} s after a run of {logged['run']:.1f} s ({share:.2%})")
    if given.json:
        given.json.write_text(json.dumps({**found, **logged}, indent=1))


if __name__ == "__main__":
    main()
