"""Comprehension: seconds of every rule and of the aggregations for 100,000 answers, and of a cycle per step.

* every scoring rule on the same 100,000 answers (letters, sentences, numbers, JSON), its slowest first;
* MME's sums of accuracy and accuracy+, HallusionBench's groups, BLINK's mean of tasks, UniEval's nested
  means, each with intervals, over 100,000 rows;
* UniEval runs of two sizes (four images a prompt, every question about each) with a model that needs no time:
  what a further step costs the harness in CPU milliseconds, storing of images and answers included.

    python benchmarks/comprehension.py [--answers 100000] [--prompts 100]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
QUESTIONS = 4
IMAGES = 4


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the CPU seconds of this process."""
    start = time.process_time()
    result = run()
    return result, time.process_time() - start


def answers(count: int) -> list[str]:
    source = random.Random(3)
    kinds: tuple[Callable[[], str], ...] = (
        lambda: source.choice("ABCD"),
        lambda: f"({source.choice('ABCD')})",
        lambda: f"The answer is {source.choice('ABCD')}.",
        lambda: f"I think that it is a {source.choice(('red', 'blue'))} bowl, so {source.choice('ABCD')}",
        lambda: source.choice(("Yes", "No, it is not.", "yes, there is", "Unknown")),
        lambda: f"{source.random() * 100:.2f}",
        lambda: '<ANSWER_JSON>["up", "down"]</ANSWER_JSON>',
        lambda: '<FINAL_ANSWER_JSON>{"choice": 1}</FINAL_ANSWER_JSON>',
    )
    return [source.choice(kinds)() for _ in range(count)]


def rules(count: int) -> dict[str, float]:
    from evalsuite.errors import EvalsuiteError
    from evalsuite.task import GroundTruth
    from evalsuite.task.rules import built_in

    said = answers(count)
    options = {"A": "a red bowl", "B": "a blue cup", "C": "nothing", "D": "a plate"}
    labels = {"answer_type": "text", "question_type": "multi_choice"}
    right: dict[str, tuple[str, ...]] = {
        "letters": ("A",),
        "open": ("a red bowl", "red bowl", "bowl"),
        "yes-no": ("yes",),
    }
    figures: dict[str, float] = {}
    for rule in built_in():
        truth = GroundTruth(right[rule.kind], options if rule.kind == "letters" else {}, labels)

        def score(rule: Any = rule, truth: Any = truth) -> None:
            for text in said:
                with contextlib.suppress(EvalsuiteError):
                    rule(text, truth)

        figures[f"{rule.kind}/{rule.name}"] = timed(score)[1]
    return dict(sorted(figures.items(), key=lambda pair: -pair[1]))


def aggregations(count: int) -> dict[str, float]:
    import evalsuite_tasks

    from evalsuite.stats import estimate
    from evalsuite.task import SampleScore, Scores
    from evalsuite.task.aggregating import aggregate
    from evalsuite.task.schema import load

    source = random.Random(5)
    root = Path(evalsuite_tasks.__file__).parent
    figures = {}
    mme = load(root / "yesno" / "mme.yaml")
    categories = [f"task{k}" for k in range(14)]
    declared = sorted({value for spec in mme.metrics for value in spec.where.get("category", ())})
    categories = declared or categories
    labelled: dict[str, Callable[[int], dict[str, str]]] = {
        "yesno/mme": lambda i: {"category": categories[i // 2 % len(categories)], "image": str(i // 2)},
        "yesno/hallusionbench-image": lambda i: {
            "subcategory": f"c{i % 9}", "set": str(i // 90), "figure": str(i % 90 // 9),
            "question": str(i % 3),
        },
        "exam/blink-val": lambda i: {"sub_task": f"t{i % 14}"},
        "cycle/unieval": lambda i: {
            "L0": f"a{i % 2}", "L1": f"b{i % 13}", "L2": f"c{i % 81}", "prompt": str(i // 16),
        },
    }  # fmt: skip
    for name, labels in labelled.items():
        made = load(root / f"{name}.yaml")
        rows = [
            SampleScore(str(i), {"accuracy": float(source.random() < 0.6)}, labels=labels(i))
            for i in range(count)
        ]

        def run(made: Any = made, rows: Any = rows) -> Any:
            found = aggregate(made.metrics, rows, by=made.by, total=len(rows))
            return estimate(Scores(found.rows, found.statistics))

        figures[name] = timed(run)[1]
    return figures


def unibench(folder: Path, prompts: int) -> Path:
    asked = [
        {"QA_id": k, "question": f"Which {k}?\n(A) a, (B) b, (C) c, (D) d, (E) N/A or Unknown\nAnswer:",
         "answer": "A", "tag": "Visual, UI, App"}
        for k in range(QUESTIONS)
    ]  # fmt: skip
    rows = [{"prompt_id": n, "prompt": f"Page {n}.", "QAs": asked} for n in range(prompts)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "uni_bench.json").write_text(json.dumps(rows))
    return folder


def cycle(folder: Path, prompts: int) -> dict[str, float]:
    from evalsuite.registry import load_registry
    from evalsuite.running import run
    from evalsuite.spec import ModelSpec, RunSpec, TaskSpec

    plugins = (HERE / "cycle_plugin.py",)
    registry = load_registry(plugins)
    per_prompt = 1 + QUESTIONS * IMAGES
    costs: dict[int, float] = {}
    for count in (2, prompts // 4, prompts):  # the first loads what is loaded once
        data = unibench(folder / str(count) / "data", count)
        spec = RunSpec(
            model=ModelSpec(name="instant-unified"),
            tasks=(TaskSpec(name="unieval", data=data),),
            plugins=plugins,
        )
        start = os.times()
        outcome = run(spec, folder / str(count) / "run", registry=registry)
        end = os.times()
        assert not outcome.failed
        costs[count] = sum(end[:2]) - sum(start[:2])
    more = per_prompt * (prompts - prompts // 4)
    return {
        "steps": per_prompt * prompts,
        "cpu_s": costs[prompts],
        "cpu_ms_per_step": 1000 * (costs[prompts] - costs[prompts // 4]) / more,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--prompts", type=int, default=400)
    chosen = parser.parse_args()
    sys.path.insert(0, str(HERE.parent))
    found = rules(chosen.answers)
    print(f"{chosen.answers:,} answers, CPU s of the ten slowest of {len(found)} rules:")
    for name, seconds in list(found.items())[:10]:
        print(f"  {name:32} {seconds:6.2f}")
    print(f"{chosen.answers:,} rows aggregated, with intervals, CPU s:")
    for name, seconds in aggregations(chosen.answers).items():
        print(f"  {name:32} {seconds:6.2f}")
    with tempfile.TemporaryDirectory() as folder:
        figures = cycle(Path(folder), chosen.prompts)
    print(
        f"a cycle of {figures['steps']:,} steps: {figures['cpu_s']:.1f} CPU s, "
        f"{figures['cpu_ms_per_step']:.2f} ms a further step"
    )


if __name__ == "__main__":
    main()
