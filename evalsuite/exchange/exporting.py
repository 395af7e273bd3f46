"""A run's answers in the form that an evaluation server or an official script takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from evalsuite.durable import write_file, writing
from evalsuite.errors import SpecError, StoreError, UnavailableError, suggest
from evalsuite.registry import Registry, load_registry
from evalsuite.request import TextResponse
from evalsuite.running.resolving import build_task, task_keys
from evalsuite.running.scoring import StoredAnswers
from evalsuite.store import RunReader
from evalsuite.task import Answered, Task

from .importing import ROTATION

OTHERS = ("inspect", "lm-eval", "lmms-eval")
"""Formats of whole runs; see `reports`."""
IMAGES = (
    "dpg", "geneval", "t2i-compbench", "wise", "oneig", "unigenbench", "genai", "hpsv2", "mjhq", "gedit",
    "imgedit",
)  # fmt: skip
"""Formats of folders of images; see `layouts`."""
_DIGITS = 18
"""Of a number that servers take for an id."""


@runtime_checkable
class Answers(Protocol):
    """A task that says what its protocol makes of the responses; of others the last response counts."""

    def answer(self, one: Answered) -> str: ...


def export_predictions(
    run: Path, task: str, form: str, out: Path, *, registry: Registry | None = None
) -> int:
    """Writes the answers of one task of a run.

    Args:
        run: the run's directory.
        task: its key in the run.
        form: a name in `EXPORTS`: `evalai` (VQA's, VizWiz's servers), `coco` (caption results), `mmvet` (the
            judge's script), `mmbench` (one row per rotation; `.tsv`, or `.xlsx` where openpyxl is installed).
        out: the file; an earlier export of the same form is replaced.

    Returns:
        How many entries were written.

    Raises:
        StoreError: the run is not one, or does not answer every question of the benchmark; `out`
            holds something else.
        SpecError: unknown format or task, answers that are no text, questions without options for `mmbench`.
    """
    if form not in EXPORTS:
        raise SpecError(f"There is no export format {form!r}.", suggest(form, [*EXPORTS, *OTHERS, *IMAGES]))
    with RunReader(run) as reader:
        specs = dict(zip(task_keys(reader.spec), reader.spec.tasks, strict=True))
        if task not in specs:
            raise SpecError(f"The run has no task {task!r}.", suggest(task, specs))
        registry = registry or load_registry(reader.spec.plugins)
        built = build_task(specs[task], registry)
        answers = StoredAnswers(reader, task, built)
        _complete(run, task, built, reader)
        rows = EXPORTS[form](built, answers)
    if out.exists() and not _is_export(out, rows):
        raise StoreError(f"{out} exists and is no earlier export.", "Remove it, or name another file.")
    if out.suffix in (".tsv", ".xlsx"):
        _write_table(out, rows)
    else:
        write_file(out, json.dumps(rows, ensure_ascii=False))
    return len(rows)


def _complete(run: Path, key: str, task: Task, reader: RunReader) -> None:
    answered = reader.answered(key)
    absent = [sample.id for sample in task.samples() if sample.id not in answered]
    if absent:
        raise StoreError(
            f"{run} has no answer to question {absent[0]!r} of {key} ({len(absent)} such).",
            "A server takes complete files only: measure the rest, without a limit.",
        )


def _texts(task: Task, one: Answered) -> str:
    if not isinstance(one.response, TextResponse):
        raise SpecError(f"The answer to {one.sample.id!r} is a {type(one.response).__name__}, not text.")
    return task.answer(one) if isinstance(task, Answers) else one.response.text


def _evalai(task: Task, answers: Iterable[Answered]) -> list[dict[str, Any]]:
    """VQA's servers want numbered questions, VizWiz' the name of the image."""
    return [
        {"question_id": int(one.sample.id), "answer": _texts(task, one)}
        if one.sample.id.isdecimal() and len(one.sample.id) <= _DIGITS
        else {"image": one.sample.id, "answer": _texts(task, one)}
        for one in answers
    ]


def _coco(task: Task, answers: Iterable[Answered]) -> list[dict[str, Any]]:
    rows = []
    for one in answers:
        if not one.sample.id.isdecimal() or len(one.sample.id) > _DIGITS:
            raise SpecError(f"Image id {one.sample.id!r} is no number.", "This is no COCO caption benchmark.")
        rows.append({"image_id": int(one.sample.id), "caption": _texts(task, one)})
    return rows


def _mmvet(task: Task, answers: Iterable[Answered]) -> dict[str, str]:
    return {one.sample.id: _texts(task, one) for one in answers}


def _mmbench(task: Task, answers: Iterable[Answered]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for one in answers:
        record = one.sample.record
        rotations = getattr(record, "rotations", ())
        if not rotations or len(one.responses) != len(rotations):
            raise SpecError(
                f"Question {one.sample.id!r} has {len(rotations)} rotations, {len(one.responses)} answers.",
                "The format takes one answer per rotation, from a protocol that asks each once.",
            )
        for turn, (rotation, response) in enumerate(zip(rotations, one.responses, strict=True)):
            if not isinstance(response, TextResponse):
                raise SpecError(f"The answer to {one.sample.id!r} is a {type(response).__name__}, not text.")
            options = {letter: rotation.options.get(letter, "") for letter in "ABCD"}
            index = int(one.sample.id) + turn * ROTATION
            rows.append({"index": index, "question": record.question, **options, "prediction": response.text})
    return rows


EXPORTS: Mapping[str, Callable[[Task, Iterable[Answered]], Any]] = MappingProxyType(
    {"evalai": _evalai, "coco": _coco, "mmvet": _mmvet, "mmbench": _mmbench}
)
"""Format -> what is written."""


def _is_export(out: Path, rows: Any) -> bool:
    """Whether a file holds an export of this form, or nothing, so that it may be replaced."""
    if not out.is_file() or not out.stat().st_size:
        return not out.is_dir()
    try:
        if out.suffix in (".tsv", ".xlsx"):
            import pandas as pd

            old = pd.read_csv(out, sep="\t", nrows=1) if out.suffix == ".tsv" else pd.read_excel(out, nrows=1)
            return list(old.columns) == list(_frame(rows).columns)
        found = json.loads(out.read_text(encoding="utf-8"))
    except Exception:  # pandas raises whatever its parsers do
        return False
    if isinstance(rows, list) and isinstance(found, list):
        return all(isinstance(one, dict) and one.keys() == rows[0].keys() for one in found) if rows else True
    return isinstance(rows, dict) and isinstance(found, dict) and found.keys() == rows.keys()


def _frame(rows: Any) -> Any:
    import pandas as pd

    return pd.DataFrame(rows if isinstance(rows, list) else list(rows.items()))


def _write_table(out: Path, rows: Any) -> None:
    frame = _frame(rows)
    if out.suffix == ".tsv":
        write_file(out, frame.to_csv(sep="\t", index=False))
        return
    try:
        with writing(out) as temporary:
            frame.to_excel(temporary, index=False)
    except ImportError as error:
        raise UnavailableError(
            f"{out} needs the package openpyxl.", "pip install openpyxl, or write .tsv."
        ) from error
