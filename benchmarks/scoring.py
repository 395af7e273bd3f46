"""Our scorers against the official code, on the same data in the same process: CPU seconds and ratios.

* VQA accuracy of 200,000 predictions with ten answers each;
* BLEU + ROUGE-L + CIDEr-D of 5,000 and of 40,000 images with five references, from raw captions: the official
  side tokenises with its Java program, whose CPU seconds count, too;
* MMBench's choice extraction with CircularEval, 50,000 rows; POPE, 90,000 answers.

Both sides must agree before a ratio is printed.

    python benchmarks/scoring.py [--official-vqa FILE] [--official-mmbench FILE] [--official-pope FILE]

The official scorers of VQA, MMBench and POPE are no packages: give their files, else only ours is timed.
`PythonEvaluationTools/vqaEvaluation/vqaEval.py` of GT-Vision-Lab/VQA (Python 2: its print statements are
rewritten on loading), `vlmeval/utils/matching_util.py` of open-compass/VLMEvalKit (its logger is replaced),
`evaluate.py` of AoiDragon/POPE (its two file names are filled in). Caption scorers come from pycocoevalcap.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import random
import re
import subprocess
import sys
import tempfile
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
    """The result and the CPU seconds of this process and of those it waited for."""
    start = os.times()
    result = run()
    end = os.times()
    return result, sum(end[:4]) - sum(start[:4])


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
    """Sentences of 8 to 13 made-up words from a Zipf-like vocabulary; an image's references are alike."""
    source = random.Random(11)
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    words = ["a", "the", "two", *("".join(source.choices(syllables, k=1 + n % 3)) for n in range(4000))]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    predictions, references = [], []
    for _ in range(count):
        theme = source.choices(words, weights, k=14)

        def sentence(theme: list[str] = theme) -> str:
            length = source.randint(8, 13)
            text = " ".join(
                word if source.random() < 0.7 else source.choices(words, weights)[0]
                for word in theme[:length]
            )
            return text.capitalize() + source.choice(["", ".", ".", ".", " .", ", it's green."])

        predictions.append(sentence())
        references.append([sentence() for _ in range(5)])
    return predictions, references


def official_captions(predictions: list[str], references: list[list[str]]) -> tuple[dict[str, float], float]:
    """The scores of pycocoevalcap, and the CPU seconds of its tokenizer among them."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    def tokenized() -> tuple[Any, Any]:
        rows = {n: [{"caption": text} for text in texts] for n, texts in enumerate(references)}
        said = {n: [{"caption": text}] for n, text in enumerate(predictions)}
        return PTBTokenizer().tokenize(rows), PTBTokenizer().tokenize(said)

    given, tokenizer = timed(tokenized)
    bleu = Bleu(4).compute_score(*given, verbose=0)[0]
    scores = {f"Bleu_{n}": value for n, value in enumerate(bleu, 1)}
    scores["ROUGE_L"] = Rouge().compute_score(*given)[0]
    scores["CIDEr"] = Cider().compute_score(*given)[0]
    return scores, tokenizer


def compare_captions(count: int) -> dict[str, float]:
    """Ours is timed in a process of its own, so that its memory is told, too."""
    command = [sys.executable, __file__, "--only-captions", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout)
    scores = measured.pop("scores")
    predictions, references = caption_data(count)
    with contextlib.redirect_stderr(io.StringIO()):
        (official, tokenizer), theirs = timed(lambda: official_captions(predictions, references))
    if any(abs(official[name] - scores[name]) > 1e-9 for name in official):
        raise SystemExit(f"The caption scores differ: {scores} and {official}.")
    return {
        "images": count,
        **measured,
        "official_s": theirs,
        "official_tokenizer_s": tokenizer,
        "ratio": theirs / measured["ours_s"],
    }


def memory(kind: str) -> float:
    """MiB of this process: `VmRSS` now, `VmHWM` at its peak (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(kind))) / 1024


def only_captions(count: int) -> None:
    """Our side alone: what `compare_captions` reads."""
    from evalsuite.metrics.captions import score_captions

    predictions, references = caption_data(count)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = memory("VmRSS")
    scores, ours = timed(lambda: score_captions(predictions, references).summary())
    grown = memory("VmHWM") - before
    figures = {"ours_s": ours, "ours_us_per_image": ours / count * 1e6, "ours_MiB_beyond_the_captions": grown}
    print(json.dumps({**figures, "scores": scores}))


def mmbench_data(count: int) -> list[dict[str, Any]]:
    """Rows of circular groups of four, answered by letters, sentences, option texts and refusals."""
    source = random.Random(3)
    things = [*COMMON.split(), "a red car", "two small dogs", "the man on the left", "both of them"]
    rows = []
    for question in range(count // 4):
        texts = source.sample(things, 4)
        for turn in range(4):
            options = dict(zip("ABCD", texts[turn:] + texts[:turn], strict=True))
            letter = source.choice("ABCD")
            said = options[letter]
            prediction = source.choice(
                [letter, f"{letter}.", f"The answer is {letter}", said, f"I see {said}.",
                 f"({letter}) {said}", "It could be A or B, I cannot tell.", "Sorry"]
            )  # fmt: skip
            right = next(name for name, text in options.items() if text == texts[0])
            index = question + 1_000_000 * turn
            rows.append({"index": index, "answer": right, "prediction": prediction, **options})
    return rows


def compare_mmbench(count: int, official: Path | None) -> dict[str, float]:
    from evalsuite.metrics.choice import circular_hit, extract_choice, rotations_of

    rows = mmbench_data(count)

    def circular(pick: Callable[[str, dict[str, str]], str | None]) -> dict[int, bool]:
        picks = [pick(row["prediction"], {name: row[name] for name in "ABCD"}) for row in rows]
        groups = rotations_of([row["index"] for row in rows])
        return {
            name: circular_hit([rows[i]["answer"] for i in at], [picks[i] for i in at]) is True
            for name, at in groups.items()
        }

    hits, ours = timed(lambda: circular(extract_choice))
    figures = {"rows": count, "ours_s": ours, "ours_us_per_row": ours / count * 1e6}
    if official is not None:
        text = re.sub(r"^from vlmeval.*$", "", official.read_text(encoding="utf-8"), flags=re.MULTILINE)
        module: dict[str, Any] = {"get_logger": logging.getLogger}
        exec(compile(text, str(official), "exec"), module)
        theirs, figures["official_s"] = timed(
            lambda: circular(lambda said, options: module["can_infer"](said, options) or None)
        )
        if theirs != hits:
            raise SystemExit("The MMBench hits differ.")
        figures["ratio"] = figures["official_s"] / ours
    return figures


def compare_pope(count: int, official: Path | None) -> dict[str, float]:
    from evalsuite.metrics.pope import pope_report, yes_or_no

    source = random.Random(5)
    told = ["Yes", "No", "Yes, there is a dog in the image.", "No, there is no dog.", "There is not. Yes."]
    answers = [source.choice(told) for _ in range(count)]
    labels = [source.choice(["yes", "no"]) for _ in range(count)]
    report, ours = timed(
        lambda: pope_report([label == "yes" for label in labels], [yes_or_no(text) for text in answers])
    )
    figures = {"answers": count, "ours_s": ours, "ours_us_per_answer": ours / count * 1e6}
    if official is not None:
        with tempfile.TemporaryDirectory() as folder:
            said, truth = Path(folder) / "answers.jsonl", Path(folder) / "labels.jsonl"
            said.write_text("".join(json.dumps({"answer": text}) + "\n" for text in answers))
            truth.write_text("".join(json.dumps({"label": label}) + "\n" for label in labels))
            text = official.read_text(encoding="utf-8")
            text = text.replace("ans_file = ''", f"ans_file = {str(said)!r}")
            text = text.replace("label_file = ''", f"label_file = {str(truth)!r}")
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                _, figures["official_s"] = timed(lambda: exec(compile(text, str(official), "exec"), {}))
        if f"F1 score: {report.f1}\n" not in out.getvalue():
            raise SystemExit("The POPE reports differ.")
        figures["ratio"] = figures["official_s"] / ours  # the official side reads its two files, too
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--official-vqa", type=Path, help="vqaEval.py of GT-Vision-Lab/VQA")
    parser.add_argument("--official-mmbench", type=Path, help="matching_util.py of open-compass/VLMEvalKit")
    parser.add_argument("--official-pope", type=Path, help="evaluate.py of AoiDragon/POPE")
    parser.add_argument("--questions", type=int, default=200_000)
    parser.add_argument("--images", type=int, nargs="*", default=[5_000, 40_000])
    parser.add_argument("--only-captions", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    if options.only_captions:
        only_captions(options.only_captions)
        return
    figures = {
        "vqa": compare_vqa(options.questions, options.official_vqa),
        "mmbench": compare_mmbench(50_000, options.official_mmbench),
        "pope": compare_pope(90_000, options.official_pope),
        **{f"captions {count:,} x 5": compare_captions(count) for count in options.images},
    }
    for name, values in figures.items():
        print(name, "  ".join(f"{key} {value:.4g}" for key, value in values.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
