"""Samples of UEval (rubrics), RealUnify (images), Uni-MMMU (jigsaw) and MME-Unify."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from evalsuite.errors import DataError
from evalsuite.task import Located
from evalsuite.task.readers import TableSettings, field, read_json, reader, table_rows, text_of_cell

from .records import CycleQuestion, CycleSample, Rubric

_LETTERS = "ABCDE"


class UEvalSettings(TableSettings):
    """What a source may say under `settings` for `ueval-table`."""

    closed: tuple[str, ...] = ()
    """Tasks whose images are judged without the text; all others are open."""


@reader(
    "ueval-table",
    makes=CycleSample,
    columns={
        "id": "unique",
        "prompt": "what is asked for",
        "task": "art, life, tech …",
        "text_rubrics": "criteria of the text: texts, or objects with `criterion`",
        "image_rubrics": "criteria of the images",
    },
    settings=UEvalSettings,
)
def read_ueval(source: Located, settings: UEvalSettings) -> Iterator[CycleSample]:
    """Prompts with rubrics of the text and of the images that answer them (UEval)."""
    for row in table_rows(source, settings):
        task = text_of_cell(row.fields.get("task"))
        kind = "closed" if task.lower().strip() in settings.closed else "open"
        rubrics = [
            Rubric("text", one)
            for one in _criteria(row.fields.get("text_rubrics"), f"{row.where}, text_rubrics")
        ] + [
            Rubric(f"image, {kind}", one)
            for one in _criteria(row.fields.get("image_rubrics"), f"{row.where}, image_rubrics")
        ]
        yield CycleSample(
            row.id,
            {"prompt": text_of_cell(row.fields.get("prompt"))},
            (),
            labels={**row.labels, "task": task} if task else row.labels,
            cluster=row.cluster,
            problem=row.problem,
            rubrics=tuple(rubrics),
        )


def _criteria(cell: Any, where: str) -> list[str]:
    found = []
    for one in cell or ():
        text = one.get("criterion", "") if isinstance(one, Mapping) else one
        if not isinstance(text, str):
            raise DataError(f"{where}: a criterion is {type(text).__name__} {text!r:.40}, not a text.")
        found.append(text)
    return found


def read_ueg(source: Located) -> Iterator[CycleSample]:
    """`direct` (`UEG_direct.json`) and, where it is named, `stepwise` (`UEG_step.json`), row by row: prompts
    whose images a judge is asked yes-or-no questions about (RealUnify).

    Raises DataError where the two files are not about the same prompts in the same order.
    """
    path = source.path("direct")
    direct = _rows(path)
    steps: Sequence[Any] = [{}] * len(direct)
    if source.has("stepwise"):
        steps = _rows(source.path("stepwise"))
        if len(steps) != len(direct):
            raise DataError(
                f"{source.path('stepwise')} has {len(steps)} rows, {path} has {len(direct)}.",
                "Are both files of one version of the benchmark?",
            )
    for place, (row, step) in enumerate(zip(direct, steps, strict=True)):
        where = f"{path}, row {place}"
        kind = field(row, "task_type", str, where)
        asked = field(row, "question_list", list, where)
        if step and (step.get("task_type"), step.get("question_list")) != (kind, asked):
            raise DataError(
                f"Row {place} of {source.path('stepwise')} is another question than that of {path}.",
                "Sort both files alike.",
            )
        rubrics = []
        for k, one in enumerate(asked):
            expected = field(one, "answer", str, f"{where}, question {k + 1}")
            if expected not in ("yes", "no"):
                raise DataError(
                    f"{where}, question {k + 1}: the answer {expected!r:.20} is neither yes nor no."
                )
            text = field(one, "question", str, f"{where}, question {k + 1}")
            rubrics.append(Rubric("image", text, expected))
        fields = {"prompt": field(row, "prompt", str, where)}
        if step:
            fields["new_prompt"] = field(step, "new_prompt", str, f"{source.path('stepwise')}, row {place}")
        yield CycleSample(f"{kind}-{place}", fields, (), labels={"task_type": kind}, rubrics=tuple(rubrics))


def read_jigsaw(source: Located) -> Iterator[CycleSample]:
    """`questions` (`metadata.json`): a 2×2 image with a hidden cell and two candidates for it (Uni-MMMU).

    Where it names the completed images, `true_first` and `true_second` are those with either candidate.
    """
    path = source.path("questions")
    for row in _rows(path, "items"):
        name = field(row, "id", str, str(path))
        where = f"{path}, item {name}"
        label = row.get("label")
        if label not in (0, 1):
            raise DataError(f"{where}: the label is {label!r:.20}, neither 0 nor 1.")
        panel = field(row, "ref_panel", dict, where)
        candidates = field(row, "candidate_paths", list, where)
        if len(candidates) != 2:
            raise DataError(f"{where} has {len(candidates)} candidates instead of 2.")
        names = [field(panel, "ref_image_path", str, where), *map(str, candidates)]
        shown = dict(zip(("reference", "first", "second"), names, strict=True))
        both = [row.get(f"gt_{name}_2x2_path") for name in ("completed", "wrong")]
        if all(isinstance(one, str) for one in both):
            shown |= zip(("true_first", "true_second"), both[:: -1 if label else 1], strict=True)
        images = {key: (source.image("images", image=one),) for key, one in shown.items()}
        question = CycleQuestion("", (str(label),), kind="open")
        yield CycleSample(name, {}, (question,), images)


class MmeUnifySettings(TableSettings):
    """What a source may say under `settings` for `mme-unify-json`."""

    pictures: dict[str, str] = Field(default_factory=dict)
    """Field of templates and comparisons -> its key in `data`."""
    explained: bool = False
    """Options are texts to compare an explanation with: the fields `place_1` to `place_4` and `letter_1` to
    `letter_4` hold them, the right one first. By letter that is the option marked with the answer; by place,
    as the authors' script counts, the answer D is the fourth, however the options are marked."""


@reader(
    "mme-unify-json",
    makes=CycleSample,
    columns={},
    settings=MmeUnifySettings,
)
def read_mme_unify(source: Located, settings: MmeUnifySettings) -> Iterator[CycleSample]:
    """Questions of four options whose answer is shown by an image, too, with the right image and wrong ones
    (MME-Unify).

    Raises DataError: options are not lettered A, B, C …, the answer is none of them, an image is not named.
    """
    path = source.path("questions")
    for place, row in enumerate(_rows(path)):
        where = f"{path}, row {place}"
        options: dict[str, str] = {}
        for one in field(row, "choice", list, where):
            letter, colon, text = str(one).partition(":")
            if not colon or letter in options or letter not in tuple(_LETTERS):
                raise DataError(f"{where}: the option {one!r:.40} has no letter of its own.")
            options[letter] = text.strip()
        right = field(row, "answer", str, where).strip()
        if right not in options:
            raise DataError(f"{where}: the answer {right!r:.20} is none of {', '.join(options)}.")
        data = field(row, "data", dict, where)
        images = {
            name: (source.image("images", image=field(data, key, str, where)),)
            for name, key in settings.pictures.items()
        }
        shown = {letter: options[letter] for letter in sorted(options)}
        question = CycleQuestion(str(row.get("question", "")), (right,), shown)
        texts = _explanations(row["choice"], options, right, where) if settings.explained else {}
        yield CycleSample(str(place), texts, (question,), images)


def _explanations(
    listed: Sequence[str], options: Mapping[str, str], right: str, where: str
) -> dict[str, str]:
    """Raises DataError where the answer's place is none of the options'."""
    by_place, by_letter = _LETTERS.index(right), list(options).index(right)
    if by_place >= len(listed):
        raise DataError(f"{where}: the answer {right} of {len(listed)} options has no place among them.")
    found: dict[str, str] = {}
    for name, at in (("place", by_place), ("letter", by_letter)):
        ordered = [listed[at], *(one for k, one in enumerate(listed) if k != at)]
        found |= {f"{name}_{k}": text for k, text in enumerate(ordered, start=1)}
    return found


def _rows(path: Any, under: str = "") -> list[Any]:
    found = read_json(path)
    rows = found.get(under) if under and isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise DataError(f"{path} must hold a list of objects.", "Is it the file that the authors publish?")
    return rows
