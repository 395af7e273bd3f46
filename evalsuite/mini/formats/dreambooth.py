"""DreamBench's data set: a folder of images per subject, and `prompts_and_classes.txt`.

Layout (google/dreambooth): `dataset/<subject>/00.jpg …`, and beside the folders one text with a table of
classes and two lists of prompts, written as Python. Here also `subjects.jsonl`, what each prompt asks for.
"""

from collections.abc import Sequence
from typing import Any

from ..render import render
from ..subjects import Subject, prompts_for
from .sink import Sink

FOLDER = "dreambooth/dataset"
TRUTH = "dreambooth/subjects.jsonl"
PROMPTS = f"{FOLDER}/prompts_and_classes.txt"


def write_dreambooth(sink: Sink, subjects: Sequence[Subject]) -> None:
    """Write the subjects' images, classes and prompts, and the truth."""
    truth: list[dict[str, Any]] = []
    for subject in subjects:
        for number, scene in enumerate(subject.references):
            sink.image(f"{FOLDER}/{subject.name}/{number:02d}.png", render(scene))
        looks = {"shape": subject.shape, "colour": subject.colour, "size": subject.size}
        for prompt in prompts_for(subject.kind):
            wanted: dict[str, Any] = {"place": prompt.place} if prompt.place else {}
            if prompt.other is not None:
                wanted = {
                    "relation": prompt.relation,
                    "other": dict(zip(("shape", "colour", "size"), prompt.other, strict=True)),
                }
            text = prompt.text.format("", subject.shape).replace("  ", " ")
            truth.append({"subject": subject.name, "prompt": text, "looks": looks, **wanted})
    classes = "".join(f"{subject.name},{subject.shape}\n" for subject in subjects)
    lists = "\n".join(
        f"{title} Prompts\n\nprompt_list = [\n"
        + ",\n".join(f"'{p.text}'.format(unique_token, class_token)" for p in prompts_for(kind))
        + "\n]\n"
        for kind, title in (("object", "Object"), ("live", "Live Subject"))
    )
    sink.text(PROMPTS, f"Classes\n\nsubject_name,class\n{classes}\nPrompts\n\n{lists}")
    sink.jsonl(TRUTH, truth)
