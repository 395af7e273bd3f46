"""VQAv2: the official questions and annotations files, ten answers per question."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..language import Question, questions
from ..world import Scene
from .sink import Sink

QUESTIONS = "vqav2/v2_OpenEnded_mscoco_val2014_questions.json"
ANNOTATIONS = "vqav2/v2_mscoco_val2014_annotations.json"

_DISSENT = 0.15
"""Share of questions on which one to three of the ten people say it in other words."""
_TYPES = (
    "what color is the", "what is the", "what is", "what color", "what", "how many", "how",
    "where is the", "is there a", "is there", "is the", "is", "does the", "does",
)  # fmt: skip
"""The prefixes among VQAv2's 65 question types that occur here, longer ones first."""
_OTHER_WORDS = {"purple": "violet", "large": "big", "0": "zero", "1": "one", "2": "two", "3": "three"}


def write_vqa(
    sink: Sink,
    scenes: Mapping[int, Scene],
    rng: np.random.Generator,
    per_image: int = 4,
    ask: Callable[[Scene, np.random.Generator], list[Question]] = questions,
) -> None:
    """Write `per_image` of the questions that `ask` makes about every scene (by image id).

    Half are of the answer type "other", the rest "yes/no" and "number" in turn 3 : 1, which is near VQAv2's
    own mix; within a type every topic is as likely as any other. The images are written by the caller.
    """
    asked: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    wanted = (("other", "yes/no", "other", "number"), ("other", "yes/no", "other", "yes/no"))
    for position, (image_id, scene) in enumerate(scenes.items()):
        kinds = [wanted[position % 2][i % 4] for i in range(per_image)]
        for k, question in enumerate(_choose(ask(scene, rng), kinds, rng)):
            question_id = image_id * 1000 + k
            asked.append({"image_id": image_id, "question": question.text, "question_id": question_id})
            annotations.append({
                "question_type": question_type(question.text),
                "multiple_choice_answer": question.answer,
                "answers": ten_answers(question, rng),
                "image_id": image_id,
                "answer_type": question.kind,
                "question_id": question_id,
            })  # fmt: skip
    head = {
        "info": {"description": "miniature world in the form of VQA v2.0", "version": "1", "year": 2026},
        "data_type": "mscoco",
        "data_subtype": "val2014",
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    }
    sink.json(QUESTIONS, {**head, "task_type": "Open-Ended", "questions": asked})
    sink.json(ANNOTATIONS, {**head, "annotations": annotations})


def ten_answers(question: Question, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Ten people's answers: mostly all alike, sometimes 7 to 9 alike and the rest in other words.

    Other words are a synonym ("violet", "two") or an article ("a circle"). The true answer scores 100 in
    either case; what the others score depends on the scorer's rules, which is why they are here.
    """
    answers = [question.answer] * 10
    if rng.random() < _DISSENT:
        for i in rng.choice(10, size=int(rng.integers(1, 4)), replace=False):
            answers[int(i)] = other_words(question)
    return [
        {
            "answer": answer,
            "answer_confidence": "yes" if answer == question.answer else "maybe",
            "answer_id": number,
        }
        for number, answer in enumerate(answers, start=1)
    ]


def other_words(question: Question) -> str:
    """The same answer in other words."""
    answer = question.answer
    if question.topic == "count" or answer in _OTHER_WORDS:
        return _OTHER_WORDS.get(answer, answer)
    if answer in ("yes", "no"):
        return f"{answer} it is" if answer == "yes" else "it is not"
    return {"place": f"at the {answer}", "shape": f"a {answer}"}.get(question.topic, f"the {answer}")


def question_type(text: str) -> str:
    """VQAv2's type of a question: the longest known beginning, or "none of the above"."""
    for prefix in sorted(_TYPES, key=len, reverse=True):
        if text.startswith(prefix + " "):
            return prefix
    return "none of the above"


def _choose(pool: list[Question], kinds: list[str], rng: np.random.Generator) -> list[Question]:
    """One question for every kind asked for, the topic drawn first, none twice."""
    chosen: list[Question] = []
    for kind in kinds:
        left = [q for q in pool if q.kind == kind and q not in chosen]
        topics = sorted({q.topic for q in left})
        topic = topics[int(rng.integers(len(topics)))]
        chosen.append(next(q for q in left if q.topic == topic))
    return chosen
