"""Captions, answers and likelihoods beside pycocoevalcap, torchmetrics and lm-eval."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from evalsuite.content import Text
from evalsuite.data.jsonfile import field, read_json, read_lines
from evalsuite.errors import DataError, SpecError
from evalsuite.parity.environments import Environments
from evalsuite.parity.lines import Ours, Parity, Tolerance, compare
from evalsuite.parity.packages import PACKAGES

_CAPTION = Tolerance(relative=1e-9, absolute=1e-12)
_METEOR = Tolerance(absolute=1e-9)
_FLOAT32 = Tolerance(absolute=1e-6)
_NATS = Tolerance(relative=1e-4, absolute=1e-3)
_EXACT = Tolerance(absolute=1e-12)


def compare_captions(
    predictions: Path, references: Path, environments: Environments, *, meteor: bool = True
) -> Parity:
    """BLEU, ROUGE-L, CIDEr-D and METEOR of a results file, by pycocoevalcap (Java's tokenizer) and by ours.

    Args:
        predictions: COCO results: `[{image_id, caption}]`, one per image.
        references: COCO captions: `{images, annotations: [{image_id, caption}]}`.
        meteor: METEOR too; left out where Java or its program is not here.

    Raises DataError for other files, and for a predicted image without references.
    """
    said, true = _captions(predictions, references)
    meteor = meteor and _meteor_here()

    @cache
    def scores() -> Any:
        from evalsuite.metrics.captions import score_captions

        return score_captions(said, true)

    @cache
    def by_meteor() -> Any:
        from evalsuite.metrics.meteor import meteor as measure
        from evalsuite.metrics.ptb import tokenize_captions

        flat = iter(tokenize_captions(text for image in true for text in image))
        return measure(tokenize_captions(said), [[next(flat) for _ in image] for image in true])

    wanted = {}
    for i in range(4):
        name = f"Bleu_{i + 1}"
        wanted[name, ""] = Ours(_summary(scores, name), _CAPTION)
        wanted[f"{name} per image", ""] = Ours(
            lambda i=i: scores().bleu.per_image()[:, i].tolist(),  # type: ignore[misc]
            _CAPTION,
        )
    wanted["ROUGE_L", ""] = Ours(_summary(scores, "ROUGE_L"), _CAPTION)
    wanted["ROUGE_L per image", ""] = Ours(lambda: scores().rouge.tolist(), _CAPTION)
    wanted["CIDEr", ""] = Ours(_summary(scores, "CIDEr"), _CAPTION)
    wanted["CIDEr per image", ""] = Ours(lambda: scores().cider.tolist(), _CAPTION)
    wanted["METEOR", ""] = Ours(lambda: by_meteor().corpus, _METEOR)
    wanted["METEOR per image", ""] = Ours(lambda: by_meteor().per_image.tolist(), _METEOR)
    job = {"kind": "pycocoevalcap", "predictions": said, "references": true, "meteor": meteor}
    lines = compare(PACKAGES["pycocoevalcap"], job, wanted, environments)
    about = {"predictions": str(predictions), "references": str(references), "images": len(said)}
    return Parity(tuple(lines), about)


def _summary(scores: Callable[[], Any], name: str) -> Callable[[], float]:
    return lambda: float(scores().summary()[name])


def _meteor_here() -> bool:
    from evalsuite.metrics.meteor import meteor_available

    return meteor_available()


def _captions(predictions: Path, references: Path) -> tuple[list[str], list[list[str]]]:
    annotated = read_json(references)
    true: dict[Any, list[str]] = {}
    for i, row in enumerate(field(annotated, "annotations", list, str(references))):
        where = f"{references}, annotation {i}"
        true.setdefault(row.get("image_id"), []).append(field(row, "caption", str, where))
    said: dict[Any, str] = {}
    rows = read_json(predictions)
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{predictions} holds no list of results.", "Write [{image_id, caption}, …].")
    for i, row in enumerate(rows):
        where = f"{predictions}, result {i}"
        if not isinstance(row, dict):
            raise DataError(f"{where} is no object.", "Write [{image_id, caption}, …].")
        number = row.get("image_id")
        if number in said:
            raise DataError(f"{where}: image {number} occurs twice.", "Give one caption per image.")
        if number not in true:
            raise DataError(
                f"{where}: image {number} has no captions in {references}.", "Is it the same split?"
            )
        said[number] = field(row, "caption", str, where)
    return list(said.values()), [true[number] for number in said]


def compare_yes_no(answers: Path, environments: Environments, *, rule: str = "official") -> Parity:
    """Accuracy, precision, recall and F1 of yes/no answers (POPE), by torchmetrics and by ours.

    Args:
        answers: JSON lines `{"answer": …, "label": "yes" | "no"}`.
        rule: how answers are read (`evalsuite.metrics.pope`). torchmetrics knows no unread answer: a line
            that has one is refused.

    Raises DataError for other files, SpecError for an unknown rule.
    """
    from evalsuite.metrics.pope import pope_report, yes_or_no

    said, truth = [], []
    for number, row in read_lines(answers):
        where = f"{answers}, line {number}"
        label = field(row, "label", str, where).strip().lower()
        if label not in ("yes", "no"):
            raise DataError(f"{where}: the label is {label!r}, not yes or no.", "Correct the file.")
        pick = yes_or_no(field(row, "answer", str, where), rule)
        if pick is None:
            raise DataError(
                f"{where}: rule {rule!r} reads neither yes nor no, which torchmetrics has no count for.",
                "Use the rule official, or leave such lines out.",
            )
        said.append(int(pick))
        truth.append(int(label == "yes"))
    if not said:
        raise DataError(f"{answers} holds no answers.", "Write a line of JSON per answer.")
    report = pope_report([bool(one) for one in truth], [bool(one) for one in said], rule)
    wanted = {
        ("accuracy", ""): Ours(lambda: report.accuracy, _FLOAT32),
        ("precision", ""): Ours(lambda: report.precision, _FLOAT32),
        ("recall", ""): Ours(lambda: report.recall, _FLOAT32),
        ("F1", ""): Ours(lambda: report.f1, _FLOAT32),
    }
    job = {"kind": "torchmetrics yes-no", "said": said, "truth": truth}
    lines = compare(PACKAGES["torchmetrics"], job, wanted, environments)
    return Parity(tuple(lines), {"answers": str(answers), "questions": len(said), "rule": rule})


def compare_language(
    model: str, questions: Path, environments: Environments, *, device: str = "auto"
) -> Parity:
    """Multiple choice by likelihood with one checkpoint, by lm-eval and by ours, in float32.

    Args:
        model: folder of a causal language model.
        questions: JSON lines `{"context": …, "choices": […], "answer": index}`.
        device: torch device of both sides.

    Raises:
        DataError: another file.
        SpecError: there is no such folder.
        CheckpointError, UnavailableError: the model cannot be loaded.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise SpecError(f"There is no checkpoint folder {model}.", "Give the folder that both sides load.")
    rows = [_question(f"{questions}, line {number}", row) for number, row in read_lines(questions)]
    if not rows:
        raise DataError(f"{questions} holds no questions.", "Write a line of JSON per question.")
    from evalsuite.features._torch import device_of

    chosen = str(device_of(device))

    @cache
    def sums() -> list[tuple[float, ...]]:
        return _likelihoods(str(folder), rows, chosen)

    def accuracy(attribute: str) -> float:
        from evalsuite.metrics.likelihood import choose

        picks = [choose(found, row["choices"]) for found, row in zip(sums(), rows, strict=True)]
        right = [getattr(pick, attribute) == row["answer"] for pick, row in zip(picks, rows, strict=True)]
        return float(sum(right) / len(right))

    wanted = {
        ("acc", ""): Ours(lambda: accuracy("plain"), _EXACT),
        ("acc_norm", ""): Ours(lambda: accuracy("per_character"), _EXACT),
        ("log-likelihood per choice", ""): Ours(lambda: [one for found in sums() for one in found], _NATS),
    }
    with tempfile.TemporaryDirectory(prefix="evalsuite-parity-") as name:
        file = Path(name) / "questions.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        job = {
            "kind": "lm-eval", "model": str(folder.absolute()), "questions": str(file), "device": chosen,
        }  # fmt: skip
        variables = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(Path(name) / "cache")}
        lines = compare(PACKAGES["lm-eval"], job, wanted, environments, variables)
    about = {"model": model, "questions": str(questions), "count": len(rows), "device": chosen}
    return Parity(tuple(lines), about)


def _question(where: str, row: Any) -> dict[str, Any]:
    context = field(row, "context", str, where)
    choices = field(row, "choices", list, where)
    answer = field(row, "answer", int, where)
    if not choices or not all(isinstance(choice, str) and choice for choice in choices):
        raise DataError(f"{where}: choices must be texts.", 'Write ["first", "second", …].')
    if not 0 <= answer < len(choices):
        raise DataError(f"{where}: answer {answer} is none of {len(choices)} choices.", "It counts from 0.")
    return {"context": context, "choices": choices, "answer": answer}


def _likelihoods(folder: str, rows: Sequence[dict[str, Any]], device: str) -> list[tuple[float, ...]]:
    from evalsuite.content import Message
    from evalsuite.model import ModelOptions
    from evalsuite.registry import load_registry
    from evalsuite.request import Request, ScoreChoices

    entry, argument = load_registry().model(f"causal:{folder}")
    options = ModelOptions(argument=argument, device=device, dtype="float32", options={"template": "plain"})
    model: Any = entry.build(options)
    found = []
    for row in rows:
        choices = tuple(f" {choice}" for choice in row["choices"])
        request = Request((Message("user", (Text(row["context"]),)),), ScoreChoices(choices))
        (response,) = model.score_choices([model.prepare(request)])
        found.append(tuple(response.log_likelihoods))
    return found
