"""A report on many runs: CPU seconds of writing it, beside those of reading the leaderboard's numbers once,
and those of the curves of as many checkpoints of one training.

The runs are synthetic and small: what is measured is what grows with runs and tasks, leaderboard, pages,
comparisons and curves.

    python benchmarks/report_runs.py [--runs 200] [--tasks 20] [--samples 10] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import evalsuite
from evalsuite.content import user
from evalsuite.model import ModelInfo
from evalsuite.report import write_report
from evalsuite.request import GenerateText, Request, Response, TextResponse
from evalsuite.running.scoring import score_run
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import Record, RunWriter, TaskRecord
from evalsuite.task import Answered, Metric, Sample, SampleScore, Scores, TaskInfo, mean_statistics
from evalsuite.task.entry import TaskEntry, TaskOptions

HERE = Path(__file__).resolve()
TASKS = 20
DIFFERENT = 4
"""Runs that are measured and scored; the others are copies under other names."""

METRIC = Metric("accuracy", scale=100.0, headline=True)


class Small:
    """So many questions with two labels; the answer to all of them is yes."""

    def __init__(self, name: str, options: TaskOptions) -> None:
        self.info = TaskInfo(name, "1", "text", "val", "plain", "official", (METRIC,))
        self._count = int(options.options["count"])

    def fingerprint(self) -> str:
        return self.info.name.ljust(64, "0")

    def samples(self) -> Iterator[Sample]:
        for i in range(self._count):
            yield Sample(str(i), i, labels={"half": str(i % 2)})

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else Request((user(f"Question {sample.record}?"),), GenerateText())

    def target(self, sample: Sample) -> Any:
        return ["yes"]

    def score(self, answered: Sequence[Answered]) -> Scores:
        rows = []
        for one in answered:
            said = one.response.text if isinstance(one.response, TextResponse) else ""
            value = {"accuracy": float(said == "yes")}
            rows.append(SampleScore(one.sample.id, value, "", one.sample.labels, said))
        return Scores(rows, list(mean_statistics(METRIC, rows, by=["half"])))


def tasks() -> list[TaskEntry]:
    names = [f"small-{i}" for i in range(TASKS)]
    return [
        TaskEntry(name, name, "text", (METRIC,), ("plain",), ("official",), partial(Small, name))
        for name in names
    ]


def write_run(folder: Path, number: int, count: int, samples: int) -> None:
    """A finished, scored run."""
    names = [f"small-{i}" for i in range(count)]
    options = {"count": str(samples)}
    spec = RunSpec(
        model=ModelSpec(name=f"model-{number}"),
        tasks=tuple(TaskSpec(name=n, protocol="plain", rules="official", options=options) for n in names),
        plugins=(HERE,),
    )
    records = [
        TaskRecord(
            key=name, info=TaskInfo(name, "1", "text", "val", "plain", "official", (METRIC,)),
            data_fingerprint=name.ljust(64, "0"), total=samples, available=samples,
        )
        for name in names
    ]  # fmt: skip
    dice = random.Random(number)
    share = 0.2 + 0.6 * dice.random()
    with RunWriter.open(folder, spec, records, ExecutionOptions()) as writer:
        writer.set_model(ModelInfo(f"model-{number}", f"fingerprint-{number}"))
        writer.save(
            [
                Record(name, str(i), 0, TextResponse("yes" if dice.random() < share else "no", tokens=1))
                for name in names
                for i in range(samples)
            ]
        )
        writer.end_session("finished")
    score_run(folder, registry=evalsuite.load_registry([HERE]))


def copy_run(source: Path, target: Path, number: int) -> None:
    """The same answers and scores as those of another model."""
    shutil.copytree(source, target)
    path = target / "run.json"
    path.write_text(re.sub(r"\b(model|fingerprint)-\d+\b", rf"\1-{number}", path.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=TASKS, help="at most 20")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--json", type=Path, help="figures as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        start = time.process_time()
        for i in range(min(given.runs, DIFFERENT)):
            write_run(root / "runs" / str(i), i, given.tasks, given.samples)
        for i in range(DIFFERENT, given.runs):
            copy_run(root / "runs" / str(i % DIFFERENT), root / "runs" / str(i), i)
        made = time.process_time() - start
        start = time.process_time()
        evalsuite.leaderboard(root / "runs")
        floor = time.process_time() - start
        start = time.process_time()
        written = write_report([root / "runs"], root / "site")
        took = time.process_time() - start
        for i in range(given.runs):
            copy_run(root / "runs" / str(i % DIFFERENT), root / "training" / f"step-{i + 1}", 0)
        start = time.process_time()
        evalsuite.track(root / "training")
        tracked = time.process_time() - start
    found = {"runs": given.runs, "tasks": given.tasks, "made": made, "leaderboard": floor, "report": took}
    found["track"] = tracked
    print(
        f"{given.runs} runs × {given.tasks} tasks × {given.samples} samples (made in {made:.0f} CPU s): "
        f"leaderboard {floor:.1f} CPU s, report {took:.1f} CPU s ({took / floor:.1f} × the leaderboard), "
        f"{written.bytes / 1e6:.1f} MB; "
        f"track {tracked:.1f} CPU s"
    )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
