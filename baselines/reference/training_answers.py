"""Training answers, from which baselines that do not look at images take what they know."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import DataError
from evalsuite.request import fingerprint

MINI_SCENES = 2000
"""Training scenes of the miniature that the default table is counted over."""


@dataclass(frozen=True)
class TrainingAnswers:
    """How often each answer was given to each question; all text lower case.

    Args:
        by_question: question -> answer -> count.
        captions: caption -> count, in order of first appearance.
        source: where it comes from, for the record.
    """

    by_question: dict[str, Counter[str]]
    captions: Counter[str]
    source: str

    @property
    def answers(self) -> tuple[str, ...]:
        """All different answers, sorted."""
        return tuple(sorted({answer for counts in self.by_question.values() for answer in counts}))

    def fingerprint(self, name: str) -> str:
        """sha256 over questions, answers and captions, and the row that answers from them."""
        return fingerprint([name, {q: dict(c) for q, c in self.by_question.items()}, dict(self.captions)])


def load(path: str = "") -> TrainingAnswers:
    """Reads `path`, or counts the miniature's and easy-VQA's training splits when it is empty.

    The file holds JSON lines `{"question": str, "answer": str}` or `{"caption": str}`.
    Raises DataError for a missing or malformed file.
    """
    return _read(Path(path)) if path else _miniature()


def _read(path: Path) -> TrainingAnswers:
    if not path.is_file():
        raise DataError(
            f"Training answers {path} do not exist.", 'Give JSON lines {"question": …, "answer": …}.'
        )
    by_question: dict[str, Counter[str]] = {}
    captions: Counter[str] = Counter()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if "caption" in row:
                captions[str(row["caption"]).lower()] += 1
            else:
                by_question.setdefault(row["question"].lower(), Counter())[str(row["answer"]).lower()] += 1
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number} is not a training answer ({error}).",
                'Each line is {"question": …, "answer": …} or {"caption": …}.',
            ) from error
    if not by_question and not captions:
        raise DataError(f"Training answers {path} are empty.", "The file needs at least one line.")
    return TrainingAnswers(by_question, captions, str(path))


def _miniature() -> TrainingAnswers:
    import easy_vqa
    import numpy as np

    from evalsuite.task.miniature import caption, questions, sample_scene

    rng = np.random.default_rng(0)
    by_question: dict[str, Counter[str]] = {}
    captions: Counter[str] = Counter()
    for _ in range(MINI_SCENES):
        scene = sample_scene(rng, split="train")
        captions[caption(scene)] += 1
        for question in questions(scene, rng):
            by_question.setdefault(question.text, Counter())[question.answer] += 1
    for text, answer, _ in zip(*easy_vqa.get_train_questions(), strict=True):
        by_question.setdefault(text.lower(), Counter())[answer] += 1
    return TrainingAnswers(by_question, captions, "training splits of the miniature and of easy-VQA")
