"""What aggregating a DPG-Bench of full size costs: CPU seconds for 1,065 prompts x 4 images x 13 answers.

    python benchmarks/alignment.py [--prompts N] [--images N] [--questions N]

`aggregate` is gating, image scores and the pools of categories from values that are there (`alignment_score`
and `pooled`); the least of five.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evalsuite.metrics.alignment import AlignmentRule, alignment_score, pooled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1065)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--questions", type=int, default=13)
    options = parser.parse_args()
    draw = random.Random(0)
    ids = [str(number) for number in range(1, options.questions + 1)]
    parents = [[str(draw.randrange(place + 1))] for place in range(options.questions)]
    groups = [[f"category={place % 5}", f"broad={place % 3}"] for place in range(options.questions)]
    prompts = [
        [[float(draw.random() < 0.8) for _ in ids] for _ in range(options.images)]
        for _ in range(options.prompts)
    ]
    rule = AlignmentRule("in-order")
    times = []
    for _ in range(5):
        start = time.process_time()
        scores = [alignment_score(values, ids, parents, rule, groups) for values in prompts]
        pooled(score.pool for score in scores)
        times.append(time.process_time() - start)
    answers = options.prompts * options.images * options.questions
    print(f"aggregate {answers:,} answers: {min(times):.3f} s")


if __name__ == "__main__":
    main()
