"""Our scorers against the official code, on the same data in the same process: CPU seconds and ratio.

VQA accuracy of 200,000 predictions with ten answers each, and BLEU + ROUGE-L + CIDEr-D of 5,000 images with
five references, already tokenised. Both sides must agree before a ratio is printed.

    python benchmarks/scoring.py [--official-vqa vqaEval.py] [--questions N] [--images N] [--json FILE]

The official VQA scorer is no package: give the file `PythonEvaluationTools/vqaEvaluation/vqaEval.py` of
GT-Vision-Lab/VQA (Python 2; its print statements are rewritten on loading). Without it only ours is timed.
The caption scorers come from the package pycocoevalcap.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

COMMON = "yes no 2 1 3 white blue red black green left right man woman dog cat none tennis pizza grass"
ANSWERS = [
    *COMMON.split(),
    *("on the table", "2 people", "it's a dog", "the left one", "t-shirt", "10:30", "black, white", "u.s."),
]


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = run()
    return result, time.process_time() - start


def vqa_data(count: int) -> tuple[list[str], list[list[str]]]:
    """Predictions and ten answers each; a third unanimous, the rest spread over a few, as in VQAv2."""
    source = random.Random(7)
    long_tail = [f"{source.choice(ANSWERS)} {source.choice(ANSWERS)}" for _ in range(20_000)]
    predictions, answers = [], []
    for _ in range(count):
        pool = [source.choice(ANSWERS), source.choice(ANSWERS), source.choice(long_tail)]
        ten = [pool[0]] * 10 if source.random() < 1 / 3 else source.choices(pool, weights=[6, 3, 1], k=10)
        answers.append(ten)
        predictions.append(source.choice([*pool, source.choice(ANSWERS).capitalize() + "."]))
    return predictions, answers


def official_vqa(path: Path, predictions: list[str], answers: list[list[str]]) -> list[float]:
    """The accuracies, in percent rounded to 4 places, of the official class in `path`."""
    source = re.sub(r'print "(.*)"', r'print("\1")', path.read_text(encoding="utf-8"))
    module: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), module)
    questions = {
        number: {
            "answers": [{"answer": text, "answer_id": index} for index, text in enumerate(ten)],
            "question_type": "what",
            "answer_type": "other",
        }
        for number, ten in enumerate(answers)
    }
    truth = SimpleNamespace(qa=questions, getQuesIds=lambda: list(questions))
    given = SimpleNamespace(qa={number: {"answer": text} for number, text in enumerate(predictions)})
    scorer = module["VQAEval"](truth, given, n=4)
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.evaluate()
    return [scorer.evalQA[number] for number in questions]


def compare_vqa(count: int, official: Path | None) -> dict[str, float]:
    from evalsuite.metrics.vqa import vqa_accuracy

    predictions, answers = vqa_data(count)
    scores, ours = timed(
        lambda: [vqa_accuracy(text, ten) for text, ten in zip(predictions, answers, strict=True)]
    )
    figures = {"questions": count, "ours_s": ours, "ours_us_per_question": ours / count * 1e6}
    if official is not None:
        theirs, figures["official_s"] = timed(lambda: official_vqa(official, predictions, answers))
        if [round(100 * score, 4) for score in scores] != theirs:
            raise SystemExit("The VQA scores differ.")
        figures["ratio"] = figures["official_s"] / ours
    return figures


def caption_data(count: int) -> tuple[list[str], list[list[str]]]:
    """Sentences of 8 to 13 words from a Zipf-like vocabulary, the references of an image alike."""
    source = random.Random(11)
    words = [f"word{number}" for number in range(4000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    predictions, references = [], []
    for _ in range(count):
        theme = source.choices(words, weights, k=14)

        def sentence(theme: list[str] = theme) -> str:
            length = source.randint(8, 13)
            return " ".join(
                word if source.random() < 0.7 else source.choices(words, weights)[0]
                for word in theme[:length]
            )

        predictions.append(sentence())
        references.append([sentence() for _ in range(5)])
    return predictions, references


def compare_captions(count: int) -> dict[str, float]:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    from evalsuite.metrics.captions import score_captions

    predictions, references = caption_data(count)
    scores, ours = timed(lambda: score_captions(predictions, references, tokenize=False).summary())
    given = dict(enumerate(references)), {number: [text] for number, text in enumerate(predictions)}
    bleu, bleu_s = timed(lambda: Bleu(4).compute_score(*given, verbose=0)[0])
    rouge, rouge_s = timed(lambda: Rouge().compute_score(*given)[0])
    cider, cider_s = timed(lambda: Cider().compute_score(*given)[0])
    official = {**{f"Bleu_{n}": value for n, value in enumerate(bleu, 1)}, "ROUGE_L": rouge, "CIDEr": cider}
    if any(abs(official[name] - scores[name]) > 1e-9 for name in official):
        raise SystemExit(f"The caption scores differ: {scores} and {official}.")
    total = bleu_s + rouge_s + cider_s
    return {
        "images": count,
        "ours_s": ours,
        "official_s": total,
        "official_bleu_s": bleu_s,
        "official_rouge_s": rouge_s,
        "official_cider_s": cider_s,
        "ratio": total / ours,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--official-vqa", type=Path, help="vqaEval.py of GT-Vision-Lab/VQA")
    parser.add_argument("--questions", type=int, default=200_000)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    figures = {
        "vqa": compare_vqa(options.questions, options.official_vqa),
        "captions": compare_captions(options.images),
    }
    for name, values in figures.items():
        print(name, "  ".join(f"{key} {value:.4g}" for key, value in values.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
