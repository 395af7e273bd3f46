"""What aggregating a DPG-Bench of full size costs: CPU seconds for 1,065 prompts x 4 images x 13 answers.

    python benchmarks/alignment.py [--prompts N] [--images N] [--questions N] [--limit SECONDS]

`aggregate` is gating, image scores and the pools of categories from values that are there (`alignment_score`
and `pooled`). `score` is the task's own: it reads the replies of a judge, and makes rows, columns and
categories of them (`AlignmentTask.score`). Each is the least of five; the exit status is 1 where
the limit is passed.
"""

from __future__ import annotations

import argparse
import csv
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evalsuite.content import Image
from evalsuite.metrics.alignment import AlignmentRule, alignment_score, pooled
from evalsuite.registry import load_registry
from evalsuite.request import ImageResponse
from evalsuite.task import Answered, Judgement
from evalsuite.task.entry import TaskOptions


def least(work: Callable[[], object]) -> float:
    """CPU seconds of the quickest of five."""
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def write_table(path: Path, prompts: int, questions: int, draw: random.Random) -> None:
    """A `dpg_bench.csv` whose questions depend on earlier ones."""
    names = "item_id text keywords proposition_id dependency category_broad category_detailed tuple"
    kinds = ("entity - whole", "attribute - color", "relation - spatial", "global", "other - count")
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*names.split(), "question_natural_language"])
        for prompt in range(prompts):
            for number in range(1, questions + 1):
                told = f"{kinds[number % 5]} (thing {number})"
                parent = draw.randrange(number)
                row = (f"item{prompt}", f"prompt {prompt}", "", number, parent, "", "", told, f"{number}?")
                table.writerow(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1065)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--questions", type=int, default=13)
    parser.add_argument("--limit", type=float, default=1.0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    draw = random.Random(0)
    ids = [str(number) for number in range(1, options.questions + 1)]
    parents = [[str(draw.randrange(place + 1))] for place in range(options.questions)]
    groups = [[f"category={place % 5}", f"broad={place % 3}"] for place in range(options.questions)]
    prompts = [
        [[float(draw.random() < 0.8) for _ in ids] for _ in range(options.images)]
        for _ in range(options.prompts)
    ]
    rule = AlignmentRule("in-order")

    def aggregate() -> None:
        scores = [alignment_score(values, ids, parents, rule, groups) for values in prompts]
        pooled(score.pool for score in scores)

    answers = options.prompts * options.images * options.questions
    print(f"aggregate {answers:,} answers: {least(aggregate):.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "dpg_bench.csv", options.prompts, options.questions, draw)
        entry = load_registry().task("dpg-bench")
        task = entry.build(TaskOptions(data=Path(folder), rules="corrected"))
        response = ImageResponse((Image(b"x"),) * options.images)
        answered = [
            Answered(
                sample,
                (response,),
                (tuple(Judgement("yes" if value else "no") for row in values for value in row),),
            )
            for sample, values in zip(task.samples(), prompts, strict=True)
        ]
        seconds = least(lambda: task.score(answered))
    print(f"score {answers:,} answers: {seconds:.3f} s, {seconds / options.limit:.2f} of the limit")
    raise SystemExit(seconds > options.limit)


if __name__ == "__main__":
    main()
